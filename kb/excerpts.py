"""The part of a revision's text that a page shows, laid out in blocks, with its passages and where pages begin."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import F, Max, Min, Q, Value
from django.db.models.functions import Length, Substr

from kb import blocks
from kb.blocks import Block, Extent, Stretch
from kb.models import Chunk, Revision, RevisionText
from kb.reading.sections import SEPARATOR

PART = 30_000
"""Characters of one part, about: a browser lays it out without a pause, and it is some ten pages."""

Range = tuple[int, int]


@dataclass(frozen=True)
class Excerpt:
    """A part of the text, counted from 1. `page` is the page, from 1, on which what is marked begins, or this part
    does where nothing is; 0: the file has no pages. `marked` is what was asked for, None if that is no range of it."""

    blocks: list[Block]
    part: int
    parts: int
    page: int
    page_starts: list[int]
    marked: Range | None


def of(
    revision: Revision,
    marked: Range | None = None,
    *,
    part: int | None = None,
    at: int | None = None,
    page: int | None = None,
) -> Excerpt | None:
    """What to show of a revision, None while nothing has been read out of it.

    Without a `part` it is the one that holds the character `at`, or what is marked, or where `page` begins.
    """
    stored = RevisionText.objects.filter(revision=revision).annotate(length=Length("text"))
    found = stored.values_list("length", "page_starts").first()
    if found is None:
        return None
    length, page_starts = found
    if marked and not 0 <= marked[0] < marked[1] <= length:
        marked = None
    parts = max(1, -(-length // PART))
    if part is None or not 1 <= part <= parts:
        part = _part_of(revision, _position(marked, at, page, page_starts))
    start, end = _borders(revision, part, parts=parts, length=length)
    text = _characters(revision, start, end)
    laid_out = blocks.lay_out(
        text,
        start,
        _stretches(revision, text, start),
        levels=_levels(revision, start, end),
        extents=_extents(revision, start, end),
        pages={at: number for number, at in enumerate(page_starts, 1) if start <= at < end},
        marked=marked,
    )
    here = marked[0] if marked and start <= marked[0] < end else start
    return Excerpt(laid_out, part, parts, page_at(here, page_starts), page_starts, marked)


def _position(marked: Range | None, at: int | None, page: int | None, page_starts: list[int]) -> int:
    if at is not None:
        return at
    if marked:
        return marked[0]
    return page_starts[page - 1] if page and page <= len(page_starts) else 0


def page_at(position: int, page_starts: list[int]) -> int:
    """The page, from 1, that a character of the text stands on; 0 where the file has no pages."""
    return max(sum(start <= position for start in page_starts), 1) if page_starts else 0


def _part_of(revision: Revision, position: int) -> int:
    """A passage belongs to the part that it begins in, as a whole."""
    begun = Chunk.objects.filter(revision=revision, start__lte=position).aggregate(last=Max("start"))
    return (begun["last"] or 0) // PART + 1


def _borders(revision: Revision, part: int, *, parts: int, length: int) -> Range:
    """Where a part begins and ends: with the first passage from there on, so that none is torn."""
    begin, end = (part - 1) * PART, part * PART
    starts = Chunk.objects.filter(revision=revision).aggregate(
        begin=Min("start", filter=Q(start__gte=begin)), end=Min("start", filter=Q(start__gte=end))
    )
    first = 0 if part == 1 else length if starts["begin"] is None else starts["begin"]
    return first, length if part == parts or starts["end"] is None else starts["end"]


def _characters(revision: Revision, begin: int, end: int) -> str:
    """Cut in the database: a text may have 20 MB."""
    cut = Substr(F("text"), Value(begin + 1), Value(end - begin))
    return str(RevisionText.objects.filter(revision=revision).values_list(cut, flat=True).get())


def _extents(revision: Revision, start: int, end: int) -> list[Extent]:
    """The passages that touch these characters, in order."""
    touched = Chunk.objects.filter(revision=revision, start__lt=end, end__gt=start).order_by("ordinal")
    return [Extent(*row) for row in touched.values_list("ordinal", "start", "end", "language", "tokens", "anchor")]


def _stretches(revision: Revision, text: str, start: int) -> Iterator[Stretch]:
    """What stands where in this part of the text; the database looks through them, a long text has 100,000."""
    stored = list(_between(revision, _STRETCHES, start, start + len(text)))
    if stored:
        yield from (Stretch(*stretch) for stretch in stored)
    else:
        yield from _paragraphs(text, start)


def _paragraphs(text: str, start: int) -> Iterator[Stretch]:
    """For a revision that was read before stretches were kept."""
    for paragraph in text.split(SEPARATOR):
        yield Stretch(start, start + len(paragraph), "prose")
        start += len(paragraph) + len(SEPARATOR)


def _levels(revision: Revision, start: int, end: int) -> dict[int, int]:
    """The level of the deepest heading of the outline at each position that has one."""
    return {entry["start"]: entry["level"] for entry in _between(revision, _OUTLINE, start, end)}


def _between(revision: Revision, sql: str, start: int, end: int) -> Iterator[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, {"revision": revision.pk, "start": start, "end": end})
        yield from (json.loads(one) if isinstance(one, str) else one for (one,) in cursor.fetchall())


_STRETCHES = """
SELECT one FROM kb_revisiontext, jsonb_array_elements(stretches) WITH ORDINALITY AS each (one, position)
WHERE revision_id = %(revision)s AND (one->>0)::int < %(end)s AND (one->>1)::int > %(start)s ORDER BY position
"""
_OUTLINE = """
SELECT one FROM kb_revisiontext, jsonb_array_elements(outline) WITH ORDINALITY AS each (one, position)
WHERE revision_id = %(revision)s AND (one->>'start')::int >= %(start)s AND (one->>'start')::int < %(end)s
ORDER BY position
"""
