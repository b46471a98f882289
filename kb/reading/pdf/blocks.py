"""What the lines of a PDF page make: paragraphs, items of lists, code, captions and tables, in the order of reading.

PDF says none of it. The order of a page's content is the order of reading nearly always; what tells one block from the
next are line ends, gaps, indents and fonts.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from statistics import median

import regex
from msgspec import Struct

from kb.reading.pdf import tables
from kb.reading.pdf.lines import Line
from kb.reading.pdf.tables import Row
from kb.reading.sections import Kind

_GAP = 1.3
"""Lines further apart than this many times the usual distance are of two paragraphs."""

_WIDEST = 2.0
"""The widest usual distance, in font heights: double spacing. On a page of few lines the gaps are the usual."""

_OTHER_FONT = 1.4
"""Fonts that differ in height by more are of two paragraphs. Less is common within one, in Chinese beside Latin."""

_INDENT = 0.7
"""The least indent of a first line, in font heights."""

_COLUMN = 12.0
"""Lines that begin this close to each other, in points, stand in one column."""

_SHARED = 3.0
"""Lines that end this close to each other, in points, end at one edge."""

_MANY = 3
_FAR = 0.7

_LOW = 0.6

_CODE_GAP = 2.6
"""Code may have an empty line in it: lines of it further apart, in font heights, are of two pieces."""

_ITEM = regex.compile(
    r"(?:[•‣◦▪●○■□❖➢✓*·]|\(?\d{1,3}[.)、]|[(（]?[a-zA-Z][.)）])\s|[（(][一二三四五六七八九十\d]+[)）]|[•▪●■❖➢]\S"
)
_DASH = regex.compile(r"[–—-]\s")
_LETTERED = regex.compile(r"[a-z]\)\s")
_CAPTION = regex.compile(
    r"(?:table|figure|fig\.?|listing|tabelle|abbildung|tableau|tabla|figura|tabella|tabela|таблица|рисунок|рис\.|表|图|圖|図|그림|표)"
    r"(?-i:\s?[A-Z]?[.\-–]?\d{1,3}|\s(?:[A-Z]|[IVX]{2,5}))(?:[.\-–]\d{1,3})*\s?(?:[:.：。|\s]|$)",
    regex.IGNORECASE,
)
_FIRST_WORD = regex.compile(
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}]{1,2}|\S+?(?=[\p{Han}\p{Hiragana}\p{Katakana}\s]|$)"
)
_CAPTION_LINES = 4

SENTENCE_END = regex.compile(r"[.!?…:;。！？：；؟۔]['\"”’»)）」』\]]*$")


class Block(Struct, gc=False):
    """Lines that belong together; of a table also its rows, of a heading its level and its title."""

    kind: Kind
    lines: list[Line]
    rows: list[Row] = []
    level: float = 0.0
    title: str = ""
    """What the outline calls a heading; the lines, where there are any, say it as it is printed."""


def blocks(lines: Sequence[Line], usual: "Usual", *, code: bool) -> Iterator[Block]:
    """The same lines as blocks. With `code`, lines in a monospaced font are code."""
    for part in tables.parts(lines) if lines else ():
        if isinstance(part, list):
            for is_code, run in groupby(part, key=lambda line: code and line.monospaced):
                cut = _code if is_code else usual.paragraphs
                yield from cut(list(run))
        else:
            yield Block("table", part.lines, part.rows)


def begins_block(line: Line) -> bool:
    """Whether a line can only be the first of its block: an item of a list or a caption."""
    return _ITEM.match(line.text) is not None or _CAPTION.match(line.text) is not None


class Usual:
    """What is usual on a page: the distance between its lines, and where its columns end. `height` is the page's."""

    def __init__(self, lines: Sequence[Line], height: float) -> None:
        self._low = _LOW * height
        distances = [below.baseline - above.baseline for above, below in pairwise(lines)]
        self._distance = median([distance for distance in distances if distance > 0] or [0.0])
        ends: dict[int, list[float]] = defaultdict(list)
        for line in lines:
            ends[round(line.begin / _COLUMN)].append(line.end)
        # An indent moves the beginning of a line to the next column.
        self._ends = {
            column: _Ends([*ends.get(column - 1, ()), *found, *ends.get(column + 1, ())])
            for column, found in list(ends.items())
        }

    def paragraphs(self, lines: list[Line]) -> Iterator[Block]:
        """The same lines, those of a paragraph together."""
        group: list[Line] = []
        for line in lines:
            if group and self._parts(group, line):
                yield _paragraph(group)
                group = []
            group.append(line)
        yield _paragraph(group)

    def is_low(self, line: Line) -> bool:
        """Whether a line stands so far down that the page may have ended for want of room."""
        return line.box[3] >= self._low

    def _parts(self, group: list[Line], line: Line) -> bool:
        """Whether a new paragraph begins with this line, below those of a group."""
        last = group[-1]
        distance = line.baseline - last.baseline
        usual = min(max(self._distance, last.height), _WIDEST * last.height)
        if distance < 0.2 * last.height or distance > _GAP * usual:
            return True
        if max(line.height, last.height) > _OTHER_FONT * min(line.height, last.height):
            return True
        if last.hyphenated or (line.text[0].islower() and not _LETTERED.match(line.text)):
            return False
        if _opens(group, line):
            return True
        is_indented = line.begin - last.begin > _INDENT * line.height
        if is_indented and SENTENCE_END.search(last.text) and not (len(group) == 1 and _ITEM.match(last.text)):
            return True
        return self.had_room(last, line)

    def had_room(self, last: Line, line: Line) -> bool:
        """Whether the first word of a line would have fitted on the line before: then that was ended on purpose."""
        ends = self._ends.get(round(last.begin / _COLUMN))
        if ends is None or ends.edge - last.end < last.height or ends.is_edge(last.end):
            return False
        word = _FIRST_WORD.match(line.text)
        letters = len(word.group()) if word else 1
        width = (line.end - line.begin) / len(line.text)
        return ends.edge - last.end > width * (letters + 1)


def _opens(group: list[Line], line: Line) -> bool:
    """Whether a line is the first of an item or a caption. "– and", "b) and", "Table 3 and" also stand in sentences."""
    has_ended = SENTENCE_END.search(group[-1].text) is not None
    if _DASH.match(line.text) or _LETTERED.match(line.text):
        return has_ended or bool(_ITEM.match(group[0].text) or _DASH.match(group[0].text))
    return _ITEM.match(line.text) is not None or (has_ended and _CAPTION.match(line.text) is not None)


class _Ends:
    """Where the lines of a column end, in order."""

    def __init__(self, ends: Sequence[float]) -> None:
        self._ends = sorted(ends)
        shared = (one for other, one in pairwise(self._ends) if one - other <= _SHARED)
        self.edge = max(shared, default=self._ends[-1])
        """The furthest end that two share: a single line may run over."""

    def is_edge(self, end: float) -> bool:
        """Whether so many lines end here that it is one of the column's edges: those of notes and quotations differ."""
        near = bisect_right(self._ends, end + _SHARED) - bisect_left(self._ends, end - _SHARED)
        return near >= _MANY and end - self._ends[0] >= _FAR * (self.edge - self._ends[0])


def _code(lines: list[Line]) -> Iterator[Block]:
    group: list[Line] = []
    for line in lines:
        if group and not 0 <= line.baseline - group[-1].baseline <= _CODE_GAP * line.height:
            yield Block("code", group)
            group = []
        group.append(line)
    yield Block("code", group)


def _paragraph(lines: list[Line]) -> Block:
    if _ITEM.match(lines[0].text) or _DASH.match(lines[0].text):
        return Block("list", lines)
    if len(lines) <= _CAPTION_LINES and _CAPTION.match(lines[0].text):
        return Block("caption", lines)
    return Block("prose", lines)
