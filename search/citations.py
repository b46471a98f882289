"""Citations: what a hit is called, where it stands, and the address that opens it there."""

from collections.abc import Sequence
from urllib.parse import urlencode
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet
from django.urls import reverse

from kb.models import Chunk, User
from search.hits import Citation


def chunks(user: User | AnonymousUser, chunk_ids: Sequence[UUID]) -> dict[UUID, Chunk]:
    """Those of these chunks that this person may see, with all that a citation names."""
    return visible(user).in_bulk(chunk_ids)


def find(user: User | AnonymousUser, chunk_id: UUID) -> Chunk:
    """The chunk of a citation this person may see. Raises Chunk.DoesNotExist."""
    return visible(user).get(pk=chunk_id)


def of(chunk: Chunk) -> Citation:
    """The citation of a chunk, with its revision, document and collection."""
    revision, document = chunk.revision, chunk.revision.document
    return Citation(
        id=chunk.pk,
        label=label(document.title, chunk),
        document_id=document.pk,
        document_title=document.title,
        filename=revision.filename,
        media_type=revision.media_type,
        collection_id=document.collection.pk,
        collection_slug=document.collection.slug,
        collection_name=document.collection.name,
        revision=revision.number,
        heading_path=list(chunk.heading_path),
        pages=chunk.anchor.get("pages"),
        boxes=chunk.anchor.get("boxes") or [],
        slides=chunk.anchor.get("slides"),
        sheets=chunk.anchor.get("sheets"),
        rows=chunk.anchor.get("rows"),
        chapters=chunk.anchor.get("chapters"),
        chars=(chunk.start, chunk.end),
        url=address(document.pk, revision.number, chunk.start, chunk.end),
    )


def label(title: str, chunk: Chunk) -> str:
    """How people name the place: `Title, p. 12`, `Title, slide 4`, `Title, sheet Budget, rows 2–9`, or
    `Title, Heading › Subheading`. A chapter without a heading has its number alone."""
    for unit, one, several in (("pages", "p.", "pp."), ("slides", "slide", "slides")):
        if chunk.anchor.get(unit):
            return f"{title}, {_counted(chunk.anchor[unit], one, several)}"
    if chunk.anchor.get("sheets"):
        return f"{title}, {_in_sheet(chunk)}"
    path = [heading for heading in chunk.heading_path if heading != title]
    if chunk.anchor.get("chapters") and not path:
        return f"{title}, {_counted(chunk.anchor['chapters'], 'chapter', 'chapters')}"
    return f"{title}, {' › '.join(path)}" if path else title


def _in_sheet(chunk: Chunk) -> str:
    """The first heading of what stands in a sheet is the sheet's name."""
    sheet = (
        f"sheet {chunk.heading_path[0]}" if chunk.heading_path else _counted(chunk.anchor["sheets"], "sheet", "sheets")
    )
    rows = chunk.anchor.get("rows")
    return f"{sheet}, {_counted(rows, 'row', 'rows')}" if rows else sheet


def _counted(span: Sequence[int], one: str, several: str) -> str:
    first, last = span
    return f"{one} {first}" if first == last else f"{several} {first}–{last}"


def address(document_id: object, revision: int, start: int, end: int) -> str:
    """Where a passage can be read in its document. Names the revision and the characters, so it stays right."""
    query = urlencode({"revision": revision, "chars": f"{start}-{end}"})
    return f"{reverse('document', args=[document_id])}?{query}#passage"


def visible(user: User | AnonymousUser) -> QuerySet[Chunk]:
    """The chunks this person may see, with revision, document and collection."""
    return Chunk.objects.visible_to(user).select_related("revision__document__collection").defer("lexemes")
