"""Citations: what a hit is called, where it stands, and the address that opens it there."""

from collections.abc import Sequence
from functools import cache
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet
from django.urls import get_script_prefix, reverse

from kb import counterparts
from kb.models import Chunk, User
from search import passages
from search.hits import Citation
from search.passages import Passage


def chunks(user: User | AnonymousUser, chunk_ids: Sequence[UUID]) -> dict[UUID, Chunk]:
    """Those of these chunks that this person may see, with all that a citation names."""
    return visible(user).in_bulk(chunk_ids)


def find(user: User | AnonymousUser, chunk_id: UUID) -> Chunk:
    """The chunk of a citation this person may see. Raises Chunk.DoesNotExist."""
    return visible(user).get(pk=chunk_id)


def of(chunk: Chunk) -> Citation:
    """The citation of a chunk, with its revision, document and collection."""
    return cite(passages.from_chunk(chunk))


def cite(passage: Passage) -> Citation:
    """The citation of a passage."""
    anchor = passage.anchor
    return Citation(
        id=passage.id,
        label=label(passage.title, passage),
        document_id=passage.document_id,
        document_title=passage.title,
        filename=passage.filename,
        media_type=passage.media_type,
        collection_id=passage.collection_id,
        collection_slug=passage.collection_slug,
        collection_name=passage.collection_name,
        revision=passage.revision,
        heading_path=list(passage.heading_path),
        pages=anchor.get("pages"),
        boxes=anchor.get("boxes") or [],
        slides=anchor.get("slides"),
        sheets=anchor.get("sheets"),
        rows=anchor.get("rows"),
        chapters=anchor.get("chapters"),
        chars=(passage.start, passage.end),
        url=address(passage.document_id, passage.revision, passage.start, passage.end),
    )


def newer(chunk: Chunk) -> str | None:
    """Where the words of a chunk stand in the newer revision that is live, with small changes perhaps; the document,
    where most of them are gone. None while no newer one is live."""
    document = chunk.revision.document
    live = document.live_revision
    if live is None or live.number <= chunk.revision.number:
        return None
    found = counterparts.of(chunk.revision, (chunk.start, chunk.end), live)
    return address(document.pk, live.number, *found.chars) if found else document.get_absolute_url()


def label(title: str, passage: Passage) -> str:
    """How people name the place: `Title, p. 12`, `Title, slide 4`, `Title, sheet Budget, rows 2–9`, or
    `Title, Heading › Subheading`. A chapter without a heading has its number alone."""
    for unit, one, several in (("pages", "p.", "pp."), ("slides", "slide", "slides")):
        if passage.anchor.get(unit):
            return f"{title}, {_counted(passage.anchor[unit], one, several)}"
    if passage.anchor.get("sheets"):
        return f"{title}, {_in_sheet(passage)}"
    path = [heading for heading in passage.heading_path if heading != title]
    if passage.anchor.get("chapters") and not path:
        return f"{title}, {_counted(passage.anchor['chapters'], 'chapter', 'chapters')}"
    return f"{title}, {' › '.join(path)}" if path else title


def _in_sheet(passage: Passage) -> str:
    """The first heading of what stands in a sheet is the sheet's name."""
    sheet = (
        f"sheet {passage.heading_path[0]}"
        if passage.heading_path
        else _counted(passage.anchor["sheets"], "sheet", "sheets")
    )
    rows = passage.anchor.get("rows")
    return f"{sheet}, {_counted(rows, 'row', 'rows')}" if rows else sheet


def _counted(span: Sequence[int], one: str, several: str) -> str:
    first, last = span
    return f"{one} {first}" if first == last else f"{several} {first}–{last}"


def address(document_id: UUID, revision: int, start: int, end: int) -> str:
    """Where a passage can be read in its document. Names the revision and the characters, so it stays right."""
    before, after = _page_of_a_document(get_script_prefix())
    return f"{before}{document_id}{after}?revision={revision}&chars={start}-{end}#passage"


@cache
def _page_of_a_document(_prefix: str) -> tuple[str, str]:
    """What stands before and behind the id in the address of a document: resolved once, not for every hit."""
    nobody = UUID(int=0)
    before, _id, after = reverse("document", args=[nobody]).partition(str(nobody))
    return before, after


def visible(user: User | AnonymousUser) -> QuerySet[Chunk]:
    """The chunks this person may see, with revision, document and collection."""
    return Chunk.objects.visible_to(user).select_related("revision__document__collection").defer("lexemes")
