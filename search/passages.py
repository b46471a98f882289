"""Passages with all that a page of hits shows of them: one row each, as a search fetches only the few it shows."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from embeddings import instructions
from kb.models import Chunk
from search import scope, statements
from search.statements import Statement


class Passage(NamedTuple):
    """A chunk and where it stands: its revision, document and collection."""

    id: UUID
    ordinal: int
    start: int
    end: int
    text: str
    heading_path: list[str]
    anchor: dict[str, Any]
    language: str
    context: str
    revision_id: UUID
    revision: int
    filename: str
    media_type: str
    document_id: UUID
    title: str
    collection_id: UUID
    collection_slug: str
    collection_name: str
    instruction: str


def of(where: scope.Scope, chunk_ids: Sequence[UUID]) -> dict[UUID, Passage]:
    """Those of these chunks that are in scope."""
    statement = f"""SELECT c.id, c.ordinal, c.start, c."end", c.text, c.heading_path, c.anchor, c.language,
          c.context, r.id, r.number, r.filename, r.media_type, d.id, d.title, k.id, k.slug, k.name,
          k.instruction_domain, k.own_instruction
        {where.among()}"""
    [found] = statements.together([Statement(statement, [statements.array(chunk_ids), *where.params], kept=where.kept)])
    return {row[0]: _passage(row) for row in found}


def _passage(row: statements.Row) -> Passage:
    *values, domain, own = row
    values[6] = json.loads(values[6])
    return Passage._make((*values, instructions.instruction_for(domain, own)))


def from_chunk(chunk: Chunk) -> Passage:
    """The passage of a chunk that was fetched with revision, document and collection."""
    revision = chunk.revision
    document, collection = revision.document, revision.document.collection
    return Passage(
        id=chunk.pk,
        ordinal=chunk.ordinal,
        start=chunk.start,
        end=chunk.end,
        text=chunk.text,
        heading_path=chunk.heading_path,
        anchor=chunk.anchor,
        language=chunk.language,
        context=chunk.context,
        revision_id=revision.pk,
        revision=revision.number,
        filename=revision.filename,
        media_type=revision.media_type,
        document_id=document.pk,
        title=document.title,
        collection_id=collection.pk,
        collection_slug=collection.slug,
        collection_name=collection.name,
        instruction=collection.instruction,
    )
