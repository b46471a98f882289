"""A passage and its place: what stands before and after it, and the page of the PDF it is on."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from kb import counterparts, pictures
from kb.counterparts import Range
from kb.models import Chunk, Revision
from kb.pictures import Frame, Picture
from kb.reading.confined.children import Lost
from kb.reading.failures import Unreadable


@dataclass(frozen=True)
class Outlined:
    """A passage as it is outlined on a page; `chosen` is the one that is looked at."""

    ordinal: int
    start: int
    end: int
    chosen: bool
    frames: list[Frame]


@dataclass(frozen=True)
class Leaf:
    """A page of a PDF: its picture with the passages on it, or the sentence that says why there is none."""

    number: int
    picture: Picture | None
    passages: list[Outlined]
    failure: str = ""


@dataclass(frozen=True)
class Place:
    """The passage that is looked at, None where none is, and its neighbours; `total` passages there are."""

    chunk: Chunk | None
    before: Chunk | None
    after: Chunk | None
    total: int
    leaf: Leaf | None


def of(revision: Revision, marked: Range | None, page_starts: Sequence[int], *, page: int | None = None) -> Place:
    """The place of the first passage that holds any of the marked characters. Shown beside it is `page`, else the page
    where it begins."""
    chunks = Chunk.objects.filter(revision=revision).defer("text", "lexemes")
    chunk = counterparts.passage_at(chunks, marked) if marked else None
    near = [] if chunk is None else list(chunks.filter(ordinal__in=[chunk.ordinal - 1, chunk.ordinal + 1]))
    before = next((one for one in near if chunk and one.ordinal < chunk.ordinal), None)
    after = next((one for one in near if chunk and one.ordinal > chunk.ordinal), None)
    after = after if chunk else chunks.first()
    leaf = None
    if revision.media_type == pictures.MEDIA_TYPE and revision.pages:
        number = min(max(page or _first_page(chunk), 1), revision.pages)
        leaf = _leaf(revision, number, marked, page_starts)
    return Place(chunk, before, after, chunks.count(), leaf)


def _first_page(chunk: Chunk | None) -> int:
    pages = chunk.anchor.get("pages") if chunk else None
    return int(pages[0]) if pages else 1


def _leaf(revision: Revision, number: int, marked: Range | None, page_starts: Sequence[int]) -> Leaf:
    try:
        picture = pictures.of_page(revision, number)
    except Unreadable as failure:
        return Leaf(number, None, [], failure.detail)
    except Lost:
        return Leaf(number, None, [], _("The server cannot read files just now. Please try again in a moment."))
    return Leaf(number, picture, _outlined(revision, number, marked, page_starts))


def _outlined(revision: Revision, number: int, marked: Range | None, page_starts: Sequence[int]) -> list[Outlined]:
    touched = Chunk.objects.filter(revision=revision)
    if len(page_starts) >= number:
        # Paragraphs go over the ends of pages: what may have lines on this one begins a page before or ends after it.
        touched = touched.filter(end__gte=page_starts[max(number - 2, 0)])
    if len(page_starts) > number + 1:
        touched = touched.filter(start__lte=page_starts[number + 1])
    rows = list(touched.order_by("ordinal").values_list("ordinal", "start", "end", "anchor"))
    ranges = [(start, end) for _ordinal, start, end, _anchor in rows]
    chosen = _chosen(marked, ranges)
    outlined = [
        Outlined(ordinal, start, end, (start, end) in chosen, pictures.frames(anchor, number))
        for ordinal, start, end, anchor in rows
    ]
    return [one for one in outlined if one.frames]


def _chosen(marked: Range | None, ranges: Sequence[Range]) -> set[Range]:
    """The passages that are marked: the one of exactly these characters, else all that hold some of them."""
    if marked is None:
        return set()
    if marked in ranges:
        return {marked}
    return {one for one in ranges if one[0] < marked[1] and one[1] > marked[0]}
