"""The stretch of a revision's text that a page shows: all of a short text, a part of a long one, a passage marked."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from django.db.models import F, Value
from django.db.models.functions import Length, Substr

from kb.models import Revision, RevisionText
from kb.reading.sections import SEPARATOR

WHOLE = 200_000
"""A text of up to so many characters is shown in one piece: a browser lays it out without a pause."""

PART = 50_000
"""Characters of one part of a longer text."""

_SLACK = 2_000
"""A part ends where the next line begins, if that is so near."""


@dataclass(frozen=True)
class Run:
    """Characters that look alike. `level` is that of a heading, 0 in other text; `page` is set where a page begins."""

    text: str
    start: int
    level: int = 0
    page: int | None = None


@dataclass(frozen=True)
class Heading:
    """An entry of the outline; `part` is the part of the text it stands in."""

    title: str
    level: int
    start: int
    part: int


@dataclass(frozen=True)
class Excerpt:
    """The runs before the marked passage, in it and after it; without a passage all are `before`."""

    before: list[Run]
    passage: list[Run]
    after: list[Run]
    part: int
    parts: int
    outline: list[Heading]
    page: int
    """The page, from 1, on which the passage begins, or this part does where there is no passage; 0: no pages."""


def of(revision: Revision, passage: tuple[int, int] | None, *, part: int | None = None) -> Excerpt | None:
    """What to show of a revision, None while nothing has been read out of it.

    Without a `part` it is the one the passage begins in, else the first. A passage outside the text is none.
    """
    stored = RevisionText.objects.filter(revision=revision).annotate(length=Length("text")).defer("text").first()
    if stored is None:
        return None
    length: int = stored.length
    if passage and not 0 <= passage[0] < passage[1] <= length:
        passage = None
    parts = 1 if length <= WHOLE else -(-length // PART)
    if part is None or not 1 <= part <= parts:
        part = min(passage[0] // PART + 1, parts) if passage and parts > 1 else 1
    start, text = _part(revision, part, parts=parts, passage=passage)
    runs = _runs(text, start, stored, cuts=passage or ())
    before, marked, after = _around(runs, passage)
    first = passage[0] if marked and passage else start
    return Excerpt(before, marked, after, part, parts, _outline(stored, parts), _page_at(first, stored.page_starts))


def _part(revision: Revision, part: int, *, parts: int, passage: tuple[int, int] | None) -> tuple[int, str]:
    """Where the part begins, and its text, stretched so that a passage which begins in it is whole."""
    begin, end = (part - 1) * PART, part * PART
    if part == parts:
        end = begin + WHOLE
    first, last = passage if passage and begin <= passage[0] < end else (end, begin)
    origin = max(begin - 1, 0)
    text = _characters(revision, origin, max(end + _SLACK, last))
    start = _line_start(text, begin - origin) if part > 1 else 0
    stop = _line_start(text, end - origin)
    start, stop = min(start, first - origin), max(stop, last - origin)
    return origin + start, text[start:stop]


def _characters(revision: Revision, begin: int, end: int) -> str:
    """Cut in the database: a text may have 20 MB."""
    cut = Substr(F("text"), Value(begin + 1), Value(end - begin))
    return str(RevisionText.objects.filter(revision=revision).values_list(cut, flat=True).get())


def _line_start(text: str, position: int) -> int:
    """The first beginning of a line from `position` on, or the position itself where a line is very long."""
    found = text.find("\n", position - 1, position + _SLACK)
    return found + 1 if found >= 0 else min(position, len(text))


def _runs(text: str, start: int, stored: RevisionText, *, cuts: Sequence[int]) -> list[Run]:
    """The text cut wherever its look changes: at headings, where pages begin, and at the ends of the passage."""
    end = start + len(text)
    levels = {entry["start"]: min(entry["level"], 6) for entry in stored.outline if start <= entry["start"] < end}
    pages = {at: number for number, at in enumerate(stored.page_starts, 1) if start <= at < end}
    heading_ends = {at: _section_end(text, at - start) + start for at in levels}
    borders = {start, end, *levels, *heading_ends.values(), *pages, *(cut for cut in cuts if start <= cut <= end)}
    ordered = sorted(borders)
    runs: list[Run] = []
    level, until = 0, start
    for at, following in pairwise(ordered):
        if at in levels:
            level, until = levels[at], heading_ends[at]
        runs.append(Run(text[at - start : following - start], at, level if at < until else 0, pages.get(at)))
    return runs


def _section_end(text: str, position: int) -> int:
    found = text.find(SEPARATOR, position)
    return found if found >= 0 else len(text)


def _around(runs: list[Run], passage: tuple[int, int] | None) -> tuple[list[Run], list[Run], list[Run]]:
    if passage is None:
        return runs, [], []
    before = [run for run in runs if run.start < passage[0]]
    marked = [run for run in runs if passage[0] <= run.start < passage[1]]
    return before, marked, runs[len(before) + len(marked) :]


def _outline(stored: RevisionText, parts: int) -> list[Heading]:
    entries: list[dict[str, Any]] = stored.outline
    return [
        Heading(entry["title"], entry["level"], entry["start"], entry["start"] // PART + 1 if parts > 1 else 1)
        for entry in entries
    ]


def _page_at(position: int, page_starts: Sequence[int]) -> int:
    return max(sum(start <= position for start in page_starts), 1) if page_starts else 0
