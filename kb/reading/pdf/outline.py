"""The headings that the outline of a PDF names, and where on a page each of them stands."""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pypdfium2
import regex

from kb.reading.pdf.lines import Line, displayed

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
    """Headings with tops in the page's own space, as `catalog` has them: the same, counted from the top of the page
    as displayed."""
    place = displayed(page)
    left = page.get_bbox()[0]
    return [entry if entry.top is None else replace(entry, top=place(left, entry.top)[1]) for entry in entries]


def places(lines: Sequence[Line], entries: Sequence[Entry]) -> list[Place]:
    """Where the headings of a page (see `on_page`) stand among its lines, in the order of the page."""
    letters = [_letters(line.text) for line in lines] if entries else []
    found = [_place(entry, lines, letters) for entry in entries]
    # The sort is stable: headings that begin at one line stay in the outline's order, the outer before the inner.
    return sorted(found, key=lambda one: one.first)


def _place(entry: Entry, lines: Sequence[Line], letters: Sequence[str]) -> Place:
    top = entry.top
    by_title = [Place(entry, first, count) for first, count in _said(_letters(entry.title), letters)]
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


def _said(title: str, letters: Sequence[str]) -> Iterator[tuple[int, int]]:
    """The lines that say a title: the first, and how many they are. `letters` are those of each line of the page."""
    longest = len(title) + _NUMBER_LENGTH
    for first, said in enumerate(letters):
        count = 1
        while title and len(said) <= longest:
            if said.endswith(title):
                yield first, count
                break
            if count == _HEADING_LINES or first + count == len(letters):
                break
            said += letters[first + count]
            count += 1


def _letters(words: str) -> str:
    return _NOT_A_WORD.sub("", unicodedata.normalize("NFKC", words).casefold())
