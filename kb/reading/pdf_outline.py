"""The headings that the outline of a PDF names, and where on a page each of them stands."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import pypdfium2
import regex

from kb.reading.pdf_lines import Line, displayed

_NUMBER_LENGTH = 24
"""Characters that may stand on the page before the title that the outline gives: "Chapter 12. ", "1.2.3 "."""

_HEADING_LINES = 3
_ABOVE = 4.0
"""A heading may begin this much above where the outline points, in points."""

_NOT_A_WORD = regex.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Entry:
    """A heading as the outline names it, and its top on the page: None where the outline points to the whole page."""

    level: int
    title: str
    top: float | None


@dataclass(frozen=True, slots=True)
class Place:
    """Lines [first, first + count) of a page are this heading; with `count` 0 it only begins before line `first`."""

    entry: Entry
    first: int
    count: int


def on_page(page: pypdfium2.PdfPage, entries: Sequence[Entry]) -> list[Entry]:
    """Headings with tops in the page's own space, as `pdf_catalog` has them: the same, counted from the top of the page
    as displayed."""
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
