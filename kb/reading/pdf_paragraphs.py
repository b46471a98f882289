"""Which lines of a PDF page make a paragraph. PDF does not say: line ends, gaps and indents have to."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import median

import regex

from kb.reading.composition import Composition, joint
from kb.reading.pdf_lines import Line

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

_ITEM = regex.compile(
    r"(?:[•‣◦▪●○■□–—*·-]|\(?\d{1,3}[.)、]|[(（]?[a-zA-Z][.)）])\s|[（(][一二三四五六七八九十\d]+[)）]"
)
_FIRST_WORD = regex.compile(
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}]{1,2}|\S+?(?=[\p{Han}\p{Hiragana}\p{Katakana}\s]|$)"
)
_LOWER_CASE = regex.compile(r"\p{Ll}")


def paragraphs(lines: Sequence[Line]) -> Iterator[list[Line]]:
    """The same lines, grouped."""
    page = _Page(lines)
    group: list[Line] = []
    for line in lines:
        if group and page.parts(group, line):
            yield group
            group = []
        group.append(line)
    if group:
        yield group


def join(group: Sequence[Line], page: int) -> Composition:
    """The text of a paragraph: no line ends, no hyphens that they made, each line marked with its box."""
    whole = Composition()
    hyphenated = False
    for line in group:
        between = "" if hyphenated or not whole else joint(whole.ends, line.text[0])
        # A hyphen with nothing after it was the author's own.
        words = line.text + "-" if line.hyphenated and line is group[-1] else line.text
        whole.add(words, page, box=line.box, between=between)
        hyphenated = line.hyphenated
    return whole


class _Page:
    """What is usual on a page: the distance between its lines, and where its columns end."""

    def __init__(self, lines: Sequence[Line]) -> None:
        pairs = pairwise(lines)
        distances = [below.baseline - above.baseline for above, below in pairs]
        self._distance = median([distance for distance in distances if distance > 0] or [0.0])
        self._ends: dict[int, float] = {}
        for line in lines:
            column = round(line.begin / _COLUMN)
            self._ends[column] = max(line.end, self._ends.get(column, line.end))

    def parts(self, group: list[Line], line: Line) -> bool:
        """Whether a new paragraph begins with this line."""
        last = group[-1]
        distance = line.baseline - last.baseline
        usual = min(max(self._distance, last.height), _WIDEST * last.height)
        if distance < 0.2 * last.height or distance > _GAP * usual:
            return True
        if max(line.height, last.height) > _OTHER_FONT * min(line.height, last.height):
            return True
        if last.hyphenated or _LOWER_CASE.match(line.text):
            return False
        if _ITEM.match(line.text):
            return True
        is_indented = line.begin - last.begin > _INDENT * line.height
        if is_indented and not (len(group) == 1 and _ITEM.match(last.text)):
            return True
        return self._had_room(last, line)

    def _had_room(self, last: Line, line: Line) -> bool:
        """Whether the first word of a line would have fitted on the line before: then that was ended on purpose."""
        column = round(last.begin / _COLUMN)
        end = max(self._ends.get(near, last.end) for near in (column - 1, column, column + 1))
        word = _FIRST_WORD.match(line.text)
        letters = len(word.group()) if word else 1
        width = (line.end - line.begin) / len(line.text)
        return end - last.end > width * (letters + 1)
