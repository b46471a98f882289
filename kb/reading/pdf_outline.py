"""The outline of a PDF, and where on a page each of its headings stands."""

import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import pypdfium2
import pypdfium2.raw as pdfium
import regex

from kb.reading import text
from kb.reading.pdf_lines import Line, displayed

_ENTRIES = 20_000
"""More headings than any book has; an outline may be made to go on for ever."""

_NUMBER_LENGTH = 24
"""Characters that may stand on the page before the title that the outline gives: "Chapter 12. ", "1.2.3 "."""

_HEADING_LINES = 3
_ABOVE = 4.0
"""A heading may begin this much above where the outline points, in points."""

# Where in a destination's numbers the top stands, by its kind (ISO 32000-1, table 151).
_TOPS = {
    pdfium.PDFDEST_VIEW_XYZ: 1,
    pdfium.PDFDEST_VIEW_FITH: 0,
    pdfium.PDFDEST_VIEW_FITBH: 0,
    pdfium.PDFDEST_VIEW_FITR: 3,
}
_NOT_A_WORD = regex.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Entry:
    """A heading as the outline names it, where on its page it stands: None where it points to the whole page."""

    level: int
    title: str
    top: float | None


@dataclass(frozen=True, slots=True)
class Place:
    """Lines [first, first + count) of a page are this heading; with `count` 0 it only begins before line `first`."""

    entry: Entry
    first: int
    count: int


def entries(document: pypdfium2.PdfDocument) -> dict[int, list[Entry]]:
    """The outline's headings by page, counted from 1; their tops are in the page's own space."""
    found: dict[int, list[Entry]] = defaultdict(list)
    for number, bookmark in enumerate(document.get_toc()):
        if number >= _ENTRIES:
            break
        destination = bookmark.get_dest()
        page = destination.get_index() if destination else None
        title = text.one_line(bookmark.get_title())
        if page is not None and page >= 0 and title:
            found[page + 1].append(Entry(bookmark.level, title, _top(destination)))
    return found


def _top(destination: pypdfium2.PdfDest) -> float | None:
    kind, numbers = destination.get_view()
    at = _TOPS.get(kind)
    if at is None or at >= len(numbers) or numbers[at] == 0:
        return None
    return float(numbers[at])


def on_page(page: pypdfium2.PdfPage, entries: Sequence[Entry]) -> list[Entry]:
    """The same headings, their tops counted from the top of the page as displayed."""
    place = displayed(page)
    left = page.get_bbox()[0]
    return [entry if entry.top is None else replace(entry, top=place(left, entry.top)[1]) for entry in entries]


def places(lines: Sequence[Line], entries: Sequence[Entry]) -> list[Place]:
    """Where the headings of a page (see `on_page`) stand among its lines, in the order of the page."""
    found = [_place(entry, lines) for entry in entries]
    # The sort is stable: headings that begin at one line stay in the outline's order, the outer before the inner.
    return sorted(found, key=lambda one: one.first)


def _place(entry: Entry, lines: Sequence[Line]) -> Place:
    top = entry.top
    by_title = [
        Place(entry, first, count)
        for first in range(len(lines))
        if (count := _count(entry, lines[first : first + _HEADING_LINES]))
    ]
    if by_title:
        return min(by_title, key=lambda one: _distance(lines[one.first], top))
    if top is None:
        return Place(entry, 0, 0)
    below = (number for number, line in enumerate(lines) if line.box[1] >= top - _ABOVE)
    return Place(entry, next(below, len(lines)), 0)


def _distance(line: Line, top: float | None) -> tuple[bool, float]:
    """Least for the line nearest below; lines above come last: a running head may repeat the title there."""
    if top is None:
        return False, line.box[1]
    return line.box[3] < top - _ABOVE, abs(line.box[1] - top)


def _count(entry: Entry, lines: Sequence[Line]) -> int:
    """How many lines, from the first on, say the title; 0 when they say something else."""
    title = _letters(entry.title)
    said = ""
    for count, line in enumerate(lines, start=1):
        said += _letters(line.text)
        if title and said.endswith(title) and len(said) - len(title) <= _NUMBER_LENGTH:
            return count
        if len(said) > len(title) + _NUMBER_LENGTH:
            return 0
    return 0


@lru_cache(512)  # a page's lines are compared with each of its headings
def _letters(words: str) -> str:
    return _NOT_A_WORD.sub("", unicodedata.normalize("NFKC", words).casefold())
