"""What a collection lacks in a space that it is not searched in yet, or not any more: counted, queued, deleted.

Every function runs in its caller's transaction.
"""

import uuid
from dataclasses import dataclass
from typing import Any

from django.db import connection

from kb import storing
from kb.models.revision import ATTEMPTS


@dataclass(frozen=True)
class Fed:
    """How many chunks of a collection were looked at, and the last of them."""

    chunks: int
    revision: uuid.UUID | None
    ordinal: int


@dataclass(frozen=True)
class Lacking:
    """Whether live chunks lack their embedding in a space, and whether some of these are not on the queue."""

    any: bool
    unqueued: bool


def queue_slice(
    collection_id: uuid.UUID, space_id: uuid.UUID, *, after: tuple[uuid.UUID | None, int], limit: int, first: bool
) -> Fed:
    """Look at the next live chunks of a collection, and queue those that lack their embedding in a space: behind
    whatever was uploaded, or before all of it (`first`). Chunks are ordered by revision and ordinal."""
    revision, ordinal = after
    position = {"revision": revision or uuid.UUID(int=0), "ordinal": ordinal, "limit": limit}
    turn = 0 if first else storing.BEHIND
    [row] = _rows(_QUEUE_SLICE, collection=collection_id, space=space_id, turn=turn, **position)
    return Fed(*row)


def lacking(collection_id: uuid.UUID, space_id: uuid.UUID) -> Lacking:
    """What live chunks of a collection lack in a space."""
    [row] = _rows(_LACKING, collection=collection_id, space=space_id)
    return Lacking(*row)


def live_chunks(collection_id: uuid.UUID) -> int:
    """The number of chunks of a collection that are searched."""
    [(count,)] = _rows(
        "SELECT count(*) FROM kb_document d JOIN kb_chunk c ON c.revision_id = d.live_revision_id"
        " WHERE d.collection_id = %(collection)s",
        collection=collection_id,
    )
    return int(count)


def waiting(collection_id: uuid.UUID, space_id: uuid.UUID) -> int:
    """The number of live chunks of a collection on the queue for a space."""
    [(count,)] = _rows(_WAITING, collection=collection_id, space=space_id)
    return int(count)


def unqueue(collection_id: uuid.UUID, space_id: uuid.UUID) -> None:
    """Take the chunks of a collection off the queue for a space, but those in the hands of a worker."""
    with connection.cursor() as cursor:
        cursor.execute(_UNQUEUE, {"collection": collection_id, "space": space_id})


def given_up() -> list[tuple[uuid.UUID, uuid.UUID]]:
    """Collections with embeddings in a space that is not theirs any more, and that space."""
    return _rows(_GIVEN_UP)


def spent() -> list[tuple[uuid.UUID, uuid.UUID]]:
    """Collections with a chunk whose last allowed attempt, in a space they are not searched in, came to nothing; and
    that space."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT DISTINCT k.id, w.space_id {storing.SPENT} AND w.space_id <> k.active_space_id", [ATTEMPTS]
        )
        return list(cursor.fetchall())


def drop_slice(collection_id: uuid.UUID, space_id: uuid.UUID, limit: int) -> int:
    """Delete some embeddings of a collection in a space. Returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(_DROP_SLICE, [collection_id, space_id, limit])
        return int(cursor.rowcount)


def _rows(sql: str, **params: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())


_QUEUE_SLICE = """
WITH slice AS MATERIALIZED (
  SELECT chunk.id, chunk.revision_id, chunk.ordinal, chunk.tokens
  FROM (
    SELECT live_revision_id AS id FROM kb_document
    WHERE collection_id = %(collection)s AND live_revision_id >= %(revision)s ORDER BY live_revision_id LIMIT %(limit)s
  ) live CROSS JOIN LATERAL (
    SELECT c.id, c.revision_id, c.ordinal, c.tokens FROM kb_chunk c
    WHERE c.revision_id = live.id AND (c.revision_id, c.ordinal) > (%(revision)s, %(ordinal)s)
    ORDER BY c.ordinal LIMIT %(limit)s
  ) chunk
  ORDER BY chunk.revision_id, chunk.ordinal LIMIT %(limit)s
), queued AS (
  INSERT INTO kb_embeddingwork (chunk_id, space_id, tokens, attempts, turn)
  SELECT id, %(space)s, tokens, 0,
    COALESCE((SELECT min(turn) FROM kb_embeddingwork WHERE space_id = %(space)s AND turn >= %(turn)s), %(turn)s)
    + sum(tokens) OVER (ORDER BY revision_id, ordinal)
  FROM slice WHERE NOT EXISTS (SELECT FROM kb_embedding e WHERE e.chunk_id = slice.id AND e.space_id = %(space)s)
  ON CONFLICT DO NOTHING
), last AS (
  SELECT revision_id, ordinal FROM slice ORDER BY revision_id DESC, ordinal DESC LIMIT 1
)
SELECT (SELECT count(*) FROM slice), (SELECT revision_id FROM last), COALESCE((SELECT ordinal FROM last), -1)
"""
_LACKING_ROWS = """
FROM kb_document d JOIN kb_chunk c ON c.revision_id = d.live_revision_id
WHERE d.collection_id = %(collection)s
  AND NOT EXISTS (SELECT FROM kb_embedding e WHERE e.chunk_id = c.id AND e.space_id = %(space)s)
"""
_LACKING = f"""
SELECT EXISTS (SELECT {_LACKING_ROWS}), EXISTS (SELECT {_LACKING_ROWS}
  AND NOT EXISTS (SELECT FROM kb_embeddingwork w WHERE w.chunk_id = c.id AND w.space_id = %(space)s))
"""
_WAITING = """
SELECT count(*) FROM kb_embeddingwork w JOIN kb_chunk c ON c.id = w.chunk_id
JOIN kb_document d ON d.live_revision_id = c.revision_id
WHERE w.space_id = %(space)s AND d.collection_id = %(collection)s
"""
_UNQUEUE = """
DELETE FROM kb_embeddingwork w USING kb_chunk c, kb_revision r, kb_document d
WHERE c.id = w.chunk_id AND r.id = c.revision_id AND d.id = r.document_id
  AND w.space_id = %(space)s AND d.collection_id = %(collection)s
  AND (w.lease_expires_at IS NULL OR w.lease_expires_at < statement_timestamp())
"""
_GIVEN_UP = """
SELECT k.id, s.id FROM kb_collection k CROSS JOIN embeddings_space s
WHERE s.id <> k.active_space_id AND s.id IS DISTINCT FROM k.building_space_id
  AND s.id IS DISTINCT FROM k.previous_space_id
  AND EXISTS (SELECT FROM kb_embedding e WHERE e.collection_id = k.id AND e.space_id = s.id)
"""
_DROP_SLICE = """
DELETE FROM kb_embedding WHERE ctid = ANY(ARRAY(
  SELECT ctid FROM kb_embedding WHERE collection_id = %s AND space_id = %s LIMIT %s))
"""
