"""Running headers, footers and page numbers: what stands at the edge of page after page and belongs to none.

It is known by repetition: at one height of the pages around, in one size, the same words but for their numbers.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from statistics import median

import regex
from msgspec import Struct
from msgspec.structs import replace

from kb.reading.pdf.lines import Line, Sheet

AROUND = 6
"""Pages before and after that a page is compared with: enough for heads that alternate, or change with the chapter."""

_EDGE = 0.12
"""The part of a page's height, at its top and bottom, where it may stand."""

_ROWS = 3
"""It is among so many outermost lines."""

_NEAR = 3.0
"""Lines of two pages this close to one height, in points, stand at the same place."""

_SIZE = 0.1
_APART = 1.8
"""A line by itself is so many heights of the usual line from the next."""

_LARGEST = 1.25
_MOST = (2, 3)
_PAGES = 3
_NUMBER = regex.compile(
    r"\p{N}+|(?<![\p{L}\p{N}])[ivxlcdm]{1,7}(?![\p{L}\p{N}])|[一二三四五六七八九十百零〇]+(?=\s*[页頁ページ])",
    regex.IGNORECASE,
)


class _Edge(Struct, gc=False):
    """A line at the edge of a page: its words with their numbers left out."""

    line: Line
    shape: str
    alone: bool
    """It is further out than all else, apart from it, and no larger than the body: a head, if it is one of many."""


class _Seen(Struct):
    sheet: Sheet
    edges: list[_Edge]


class Window:
    """Pages pass through it in order, and each comes out when enough of those behind it are known."""

    def __init__(self) -> None:
        self._seen: deque[_Seen] = deque()
        self._waiting: deque[_Seen] = deque()

    def add(self, sheet: Sheet) -> Iterator[Sheet]:
        """The pages that come out, without their furniture, when this one goes in."""
        seen = _Seen(sheet, _edges(sheet.lines, sheet.length))
        self._seen.append(seen)
        self._waiting.append(seen)
        if len(self._waiting) > AROUND:
            yield self._next()

    def rest(self) -> Iterator[Sheet]:
        """The pages that are still inside when the last one has gone in."""
        while self._waiting:
            yield self._next()

    def _next(self) -> Sheet:
        one = self._waiting.popleft()
        while self._seen[0].sheet.number < one.sheet.number - AROUND:
            self._seen.popleft()
        running = _running(one, [other for other in self._seen if other is not one])
        return replace(one.sheet, lines=[line for line in one.sheet.lines if id(line) not in running])


def _edges(lines: Sequence[Line], height: float) -> list[_Edge]:
    """The outermost lines that stand at the top or the bottom of a page."""
    if not lines:
        return []
    usual = median(line.height for line in lines)
    downwards = sorted(lines, key=lambda line: line.baseline)
    top = _outermost(downwards, lambda line: line.box[3] <= height * _EDGE, usual)
    return [*top, *_outermost(downwards[::-1], lambda line: line.box[1] >= height * (1 - _EDGE), usual)]


def _outermost(ordered: Sequence[Line], is_at_edge: Callable[[Line], bool], usual: float) -> Iterator[_Edge]:
    for row, found in enumerate(_rows(ordered)):
        line, following = found
        if row >= _ROWS or not is_at_edge(line[0]):
            return
        apart = row == 0 and (not following or abs(following[0].baseline - line[0].baseline) > _APART * usual)
        for one in line:
            yield _Edge(one, _shape(one.text), apart and one.height <= _LARGEST * usual)


def _rows(ordered: Sequence[Line]) -> Iterator[tuple[list[Line], list[Line]]]:
    """Lines of one height, each time with those of the next."""
    rows: list[list[Line]] = []
    for line in ordered:
        if rows and abs(line.baseline - rows[-1][0].baseline) <= _NEAR:
            rows[-1].append(line)
        elif len(rows) > _ROWS:
            break
        else:
            rows.append([line])
    yield from zip(rows, [*rows[1:], []], strict=True)


def _shape(words: str) -> str:
    return _NUMBER.sub("#", words).casefold()


def _running(one: _Seen, others: Sequence[_Seen]) -> set[int]:
    """The lines of a page that are furniture, by identity."""
    if not others or (_is_bare(one) and sum(map(_is_bare, others)) * 2 >= len(others)):
        return set()
    enough = 1 if len(others) <= 2 else 2
    repeated = [edge for edge in one.edges if _times(edge, others) >= enough]
    found = [edge for edge in one.edges if _stands_where_others_do(edge, others) or _is_beside(edge, repeated)]
    found += repeated
    return {id(edge.line) for edge in found}


def _is_bare(one: _Seen) -> bool:
    """Whether all its lines are at the edge: a few blank pages have heads alone, but pages of one line are no heads."""
    return len(one.edges) == len(one.sheet.lines)


def _times(edge: _Edge, others: Sequence[_Seen]) -> int:
    """On how many other pages the same stands at the same place."""
    return sum(any(one.shape == edge.shape and _same_place(edge, one) for one in other.edges) for other in others)


def _stands_where_others_do(edge: _Edge, others: Sequence[_Seen]) -> bool:
    """Whether most other pages have a line by itself at this place: a head that names its section may stand once."""
    if not edge.alone:
        return False
    beside = sum(any(one.alone and _same_place(edge, one) for one in other.edges) for other in others)
    return beside >= _PAGES and beside * _MOST[1] >= len(others) * _MOST[0]


def _is_beside(edge: _Edge, repeated: Sequence[_Edge]) -> bool:
    """Whether it stands beside furniture: of a head the chapter repeats, and the section may not."""
    return edge.alone and any(one.alone and _same_place(edge, one) for one in repeated)


def _same_place(edge: _Edge, other: _Edge) -> bool:
    one, two = edge.line, other.line
    return abs(one.baseline - two.baseline) <= _NEAR and abs(one.height - two.height) <= _SIZE * one.height
