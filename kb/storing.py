"""What a revision leaves in the database: its text, its chunks, the work of encoding them, and their embeddings.

Plain SQL where rows are many: binary COPY writes embeddings 30 times faster than `bulk_create`.
Every function runs in its caller's transaction.
"""

import struct
import uuid
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import msgspec
import psycopg
from django.conf import settings
from django.db import connection

from embeddings.encoder import Embeddings
from kb import lexemes, stems
from kb.chunking import Passage
from kb.context import encoded_text
from kb.models import Chunk, EmbeddingWork, ReadingPart, Revision, RevisionText
from kb.models.revision import ATTEMPTS
from kb.reading.assembly import Reading
from kb.reading.confined import wire
from kb.reading.sections import Checkpoint, Item

BEHIND = 2**40
"""Turns from here on are those of chunks that are searched already, in another space: they come after all others."""

WRITTEN_AT_ONCE = 32
"""Embeddings are converted so many at a time, while the server stores the ones before (docs/decisions.md)."""

CHUNK_LIMIT = 50_000
"""Chunks of one revision (HARDENING section 2)."""


@dataclass(frozen=True)
class Work:
    """A claimed chunk: where its embedding belongs, and the text to encode (see `context.encoded_text`)."""

    chunk_id: uuid.UUID
    revision_id: uuid.UUID
    collection_id: uuid.UUID
    language: str
    text: str


# --- Chunks ---


def store(revision: Revision, reading: Reading, passages: Sequence[Passage]) -> None:
    """Replace all that was stored of a revision by this reading of it."""
    forget(revision.pk)
    RevisionText.objects.create(
        revision=revision,
        text=reading.text,
        outline=reading.outline_json(),
        stretches=reading.stretches_json(),
        page_starts=list(reading.page_starts),
    )
    with connection.cursor() as cursor, _driver(cursor).copy(_COPY_CHUNKS) as copy:
        for ordinal, passage in enumerate(passages):
            copy.write_row(_chunk_row(revision, ordinal, passage))


def reuse_embeddings(revision: Revision) -> int:
    """Give chunks that stand unchanged in the live revision (same text, same context) its embeddings, in each space of
    the collection. To how many in the one that is searched."""
    with connection.cursor() as cursor:
        cursor.execute(_REUSE, {"revision": revision.pk, "document": revision.document_id})
        (reused,) = cursor.fetchone()
    return int(reused)


def forget(revision_id: uuid.UUID) -> None:
    """Delete parts, text, chunks, work and embeddings of a revision: the database cascades."""
    ReadingPart.objects.filter(revision=revision_id)._raw_delete(using="default")
    RevisionText.objects.filter(revision=revision_id)._raw_delete(using="default")
    Chunk.objects.filter(revision=revision_id)._raw_delete(using="default")


def keep_part(revision: Revision, items: Sequence[Item], checkpoint: Checkpoint) -> None:
    """Keep what was read of a long file until the rest has been read."""
    ReadingPart.objects.create(
        revision=revision,
        ordinal=ReadingPart.objects.filter(revision=revision).count(),
        items=zlib.compress(b"".join(map(wire.encode, items))),
        checkpoint=wire.encode(checkpoint),
    )


def checkpoint(revision: Revision) -> Checkpoint | None:
    """Where the part that was read last ended; None before there is one."""
    row = ReadingPart.objects.filter(revision=revision).only("checkpoint").last()
    return cast(Checkpoint, wire.decode(bytes(row.checkpoint))) if row else None


def items(revision: Revision) -> Iterator[Item]:
    """What was read of a file before, in order."""
    for row in ReadingPart.objects.filter(revision=revision).iterator(chunk_size=1):
        for line in zlib.decompress(row.items).splitlines():
            yield cast(Item, wire.decode(line))


def forget_embeddings(revision_id: uuid.UUID) -> None:
    """Delete the embeddings of a superseded revision, and the work on more of them. Its text and chunks stay: citations
    are permanent. The caller holds the revision, so that no embedding is written meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute(_FORGET_WORK, [revision_id])
        cursor.execute("DELETE FROM kb_embedding WHERE revision_id = %s", [revision_id])


def _chunk_row(revision: Revision, ordinal: int, passage: Passage) -> tuple[Any, ...]:
    return (
        uuid.uuid4(),
        revision.pk,
        ordinal,
        passage.start,
        passage.end,
        passage.text,
        list(passage.heading_path),
        passage.context,
        passage.kind,
        msgspec.json.encode(passage.anchor).decode(),
        passage.language,
        passage.tokens,
        passage.content_hash,
        lexemes.tsvector(encoded_text(passage.context, passage.text), passage.language),
    )


def without_stems() -> int:
    """How many chunks there are whose words were noted before there were stems."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) {_WITHOUT_STEMS}", [list(stems.LANGUAGES)])
        [(count,)] = cursor.fetchall()
    return int(count)


def add_stems() -> None:
    """Note the words of these chunks again, with their stems."""
    some = f"SELECT c.id, c.context, c.text, c.language {_WITHOUT_STEMS} AND c.id > %s ORDER BY c.id LIMIT 1000"
    last = uuid.UUID(int=0)
    with connection.cursor() as cursor:
        while True:
            cursor.execute(some, [list(stems.LANGUAGES), last])
            found = cursor.fetchall()
            if not found:
                return
            noted = [
                (lexemes.tsvector(encoded_text(context, text), language), pk) for pk, context, text, language in found
            ]
            cursor.executemany("UPDATE kb_chunk SET lexemes = %s::tsvector WHERE id = %s", noted)
            last = found[-1][0]


_WITHOUT_STEMS = f"FROM kb_chunk c WHERE c.language = ANY(%s) AND NOT c.lexemes @@ $$'{stems.MARK}'$$::tsquery"

_COPY_CHUNKS = """COPY kb_chunk (id, revision_id, ordinal, start, "end", text, heading_path, context, kind, anchor,
  language, tokens, content_hash, lexemes) FROM STDIN"""

_FORGET_WORK = """
DELETE FROM kb_embeddingwork WHERE chunk_id IN (SELECT id FROM kb_chunk WHERE revision_id = %s)
"""
_REUSE = """
WITH given AS (
  INSERT INTO kb_embedding (chunk_id, space_id, revision_id, collection_id, language, embedding)
  SELECT DISTINCT ON (fresh.id, e.space_id)
    fresh.id, e.space_id, fresh.revision_id, e.collection_id, fresh.language, e.embedding
  FROM kb_document d
  JOIN kb_collection c ON c.id = d.collection_id
  JOIN kb_chunk fresh ON fresh.revision_id = %(revision)s
  JOIN kb_chunk old ON old.revision_id = d.live_revision_id AND old.content_hash = fresh.content_hash
  JOIN kb_embedding e ON e.chunk_id = old.id
    AND e.space_id IN (c.active_space_id, c.building_space_id, c.previous_space_id)
  WHERE d.id = %(document)s
  RETURNING collection_id, space_id
)
SELECT count(*) FROM given JOIN kb_collection c ON (c.id, c.active_space_id) = (given.collection_id, given.space_id)
"""


# --- Work ---


def queue(revision: Revision) -> None:
    """Add a work row for each chunk of a revision that lacks its embedding in a space of its collection: the one being
    built is left out while that is paused.

    Turns count in tokens: the first chunk's begins where the owner's last one ends, or where the queue stands now if
    the owner has nothing waiting, so that owners share the encoder by tokens, however many files each brings.
    """
    with connection.cursor() as cursor:
        cursor.execute(_QUEUE, {"revision": revision.pk, "owner": revision.uploaded_by_id})


def spaces_in_turn(space_ids: Sequence[uuid.UUID]) -> list[uuid.UUID]:
    """Those of these spaces in which a chunk is due, the one whose turn it is first."""
    return _ids(_IN_TURN, list(space_ids), ATTEMPTS)


def claim_work(space_id: uuid.UUID, token: uuid.UUID, tokens: int) -> list[Work]:
    """Lease the next chunks due in a space, about `tokens` tokens of them and at least one. Commits by itself when
    the caller is in no transaction, as it should not be.

    A chunk at which a worker was stopped before is claimed alone: should it be the reason, it takes no other along;
    should it not, it is soon done, before a worker that is stopped often is stopped again.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _CLAIM,
            {
                "space": space_id,
                "token": token,
                "tokens": tokens,
                "attempts": ATTEMPTS,
                "lease": settings.LEASE_SECONDS,
            },
        )
        return [
            Work(chunk, revision, collection, language, encoded_text(context, text))
            for chunk, revision, collection, language, context, text in cursor.fetchall()
        ]


def renew(token: uuid.UUID) -> None:
    """Keep the work leased under `token` for as long again as it was claimed for."""
    with connection.cursor() as cursor:
        cursor.execute(_RENEW, {"token": token, "lease": settings.LEASE_SECONDS})


def put_back(token: uuid.UUID, *, pause: timedelta) -> None:
    """Return leased work undone, as if it had not been tried."""
    with connection.cursor() as cursor:
        cursor.execute(_PUT_BACK, {"token": token, "pause": pause.total_seconds()})


def put_down(token: uuid.UUID) -> None:
    """Return leased work at which this worker ends: each chunk has been tried, and is claimed alone next time."""
    EmbeddingWork.objects.filter(lease_token=token).update(lease_token=None, lease_expires_at=None)


def discard(one: Work, token: uuid.UUID) -> None:
    """Take a leased chunk off the queue without its embedding."""
    EmbeddingWork.objects.filter(chunk=one.chunk_id, lease_token=token)._raw_delete(using="default")


def write_embeddings(space_id: uuid.UUID, token: uuid.UUID, work: Sequence[Work], embeddings: Embeddings) -> None:
    """Store the embeddings of the work still leased under `token` and take it off the queue.

    Work that was lost meanwhile (its lease ran out, its document was deleted) is passed over, and so is what was queued
    a second time just as it was done.
    """
    if len(embeddings) != len(work):
        raise ValueError(f"{len(embeddings)} embeddings for {len(work)} chunks.")
    with connection.cursor() as cursor:
        # From the outside in, as everywhere: a deletion under way holds the revision before the work.
        cursor.execute(_HOLD, {"revisions": list({one.revision_id for one in work})})
        chunks = [one.chunk_id for one in work]
        cursor.execute(_FINISH, {"token": token, "chunks": chunks, "space": space_id})
        held = {row[0] for row in cursor.fetchall()}
        with _driver(cursor).copy(_COPY_EMBEDDINGS) as copy:
            copy.write(_COPY_BEGINS)
            for at in range(0, len(work), WRITTEN_AT_ONCE):
                some = slice(at, at + WRITTEN_AT_ONCE)
                rows = zip(work[some], embeddings[some].astype(">f2", order="C"), strict=True)
                copy.write(b"".join(_embedding_row(space_id, *row) for row in rows if row[0].chunk_id in held))
            copy.write(_COPY_ENDS)
        done = Counter(one.revision_id for one in work if one.chunk_id in held)
        cursor.execute(_ADVANCE, {"space": space_id, "revisions": [*done], "chunks": [*done.values()]})


def _embedding_row(space_id: uuid.UUID, one: Work, numbers: Embeddings) -> bytes:
    """A row as COPY takes it, each value behind its length; a halfvec is its size, two bytes of nothing, and its
    numbers.

    Made by hand, with the numbers of many rows converted at once: through the driver and `HalfVector` the conversion
    alone takes as long as this. https://www.postgresql.org/docs/current/sql-copy.html
    """
    language = one.language.encode()
    ids = (16, one.chunk_id.bytes, 16, space_id.bytes, 16, one.revision_id.bytes, 16, one.collection_id.bytes)
    head = _ROW.pack(_COLUMNS, *ids, len(language))
    return b"".join((head, language, _HALFVEC.pack(4 + numbers.nbytes, numbers.size, 0), numbers.data))


def is_complete(revision: Revision, space_id: uuid.UUID) -> bool:
    """Whether a revision has chunks, and each of them one sound embedding in this space."""
    with connection.cursor() as cursor:
        cursor.execute(_COMPLETE, {"revision": revision.pk, "space": space_id})
        (complete,) = cursor.fetchone()
    return bool(complete)


def complete_but_unpublished() -> list[uuid.UUID]:
    """Revisions that wait for nothing more in the space of their collection, because whoever wrote their last embedding
    died before publishing, or because that space is another since they were read."""
    return _ids(
        """SELECT r.id FROM kb_revision r JOIN kb_document d ON d.id = r.document_id
           JOIN kb_collection k ON k.id = d.collection_id
           WHERE r.state = 'embedding' AND NOT EXISTS (
             SELECT FROM kb_embeddingwork w JOIN kb_chunk c ON c.id = w.chunk_id
             WHERE c.revision_id = r.id AND w.space_id = k.active_space_id)"""
    )


def out_of_attempts() -> list[uuid.UUID]:
    """Revisions with a chunk whose last allowed attempt, in the space they are searched in, came to nothing."""
    return _ids(f"SELECT DISTINCT c.revision_id {SPENT} AND w.space_id = k.active_space_id", ATTEMPTS)


def _ids(sql: str, *params: Any) -> list[uuid.UUID]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return [row[0] for row in cursor.fetchall()]


def _driver(cursor: Any) -> "psycopg.Cursor[Any]":
    """The driver's own cursor below Django's: only it has COPY."""
    driver: psycopg.Cursor[Any] = cursor.cursor
    return driver


_QUEUE = f"""
INSERT INTO kb_embeddingwork (chunk_id, space_id, owner_id, tokens, attempts, turn)
SELECT chunk.id, space.id, %(owner)s, chunk.tokens, 0,
  GREATEST(
    COALESCE((SELECT min(first.turn) FROM embeddings_space s CROSS JOIN LATERAL (
      SELECT turn FROM kb_embeddingwork w WHERE w.space_id = s.id AND turn < {BEHIND} ORDER BY turn LIMIT 1) first), 0),
    COALESCE((SELECT max(turn) FROM kb_embeddingwork WHERE owner_id = %(owner)s), 0)
  ) + sum(chunk.tokens) OVER (PARTITION BY space.id ORDER BY chunk.ordinal)
FROM kb_chunk chunk
JOIN kb_revision r ON r.id = chunk.revision_id
JOIN kb_document d ON d.id = r.document_id
JOIN kb_collection c ON c.id = d.collection_id
JOIN embeddings_space space ON space.id IN (c.active_space_id, c.previous_space_id)
  OR space.id = c.building_space_id
  AND NOT EXISTS (SELECT FROM kb_reembedding x WHERE x.collection_id = c.id AND x.state = 'paused')
WHERE chunk.revision_id = %(revision)s
  AND NOT EXISTS (SELECT FROM kb_embedding e WHERE e.chunk_id = chunk.id AND e.space_id = space.id)
ON CONFLICT DO NOTHING
"""
_IN_TURN = """
SELECT space.id FROM unnest(%s::uuid[]) space (id) CROSS JOIN LATERAL (
  SELECT turn FROM kb_embeddingwork
  WHERE space_id = space.id AND attempts < %s AND next_attempt_at <= statement_timestamp()
    AND (lease_expires_at IS NULL OR lease_expires_at < statement_timestamp())
  ORDER BY turn, id LIMIT 1
) next ORDER BY next.turn, space.id
"""
_CLAIM = """
WITH due AS MATERIALIZED (
  SELECT id, chunk_id, turn, tokens, attempts FROM kb_embeddingwork
  WHERE space_id = %(space)s AND attempts < %(attempts)s AND next_attempt_at <= statement_timestamp()
    AND (lease_expires_at IS NULL OR lease_expires_at < statement_timestamp())
  ORDER BY turn, id LIMIT 512 FOR UPDATE SKIP LOCKED
), unit AS (
  SELECT id FROM (
    SELECT id, attempts, sum(tokens) OVER up - tokens AS before, row_number() OVER up AS number,
      first_value(attempts) OVER up AS first FROM due WINDOW up AS (ORDER BY turn, id)
  ) sized
  WHERE number = 1 OR before < %(tokens)s AND first = 0 AND attempts = 0
), claimed AS (
  UPDATE kb_embeddingwork SET lease_token = %(token)s, attempts = attempts + 1,
    lease_expires_at = statement_timestamp() + make_interval(secs => %(lease)s)
  WHERE id IN (SELECT id FROM unit) RETURNING chunk_id
)
SELECT chunk.id, chunk.revision_id, d.collection_id, chunk.language, chunk.context, chunk.text
FROM claimed JOIN kb_chunk chunk ON chunk.id = claimed.chunk_id
JOIN kb_revision r ON r.id = chunk.revision_id JOIN kb_document d ON d.id = r.document_id
"""
_RENEW = """
UPDATE kb_embeddingwork SET lease_expires_at = statement_timestamp() + make_interval(secs => %(lease)s)
WHERE lease_token = %(token)s
"""
_PUT_BACK = """
UPDATE kb_embeddingwork SET lease_token = NULL, lease_expires_at = NULL, attempts = attempts - 1,
  next_attempt_at = statement_timestamp() + make_interval(secs => %(pause)s)
WHERE lease_token = %(token)s
"""
_HOLD = "SELECT FROM kb_revision WHERE id = ANY(%(revisions)s) ORDER BY id FOR NO KEY UPDATE"
_FINISH = """
WITH finished AS (
  DELETE FROM kb_embeddingwork WHERE lease_token = %(token)s AND chunk_id = ANY(%(chunks)s) RETURNING chunk_id
)
SELECT chunk_id FROM finished f
WHERE NOT EXISTS (SELECT FROM kb_embedding e WHERE e.chunk_id = f.chunk_id AND e.space_id = %(space)s)
"""
_COPY_EMBEDDINGS = """COPY kb_embedding (chunk_id, space_id, revision_id, collection_id, language, embedding)
  FROM STDIN (FORMAT BINARY)"""
_COPY_BEGINS, _COPY_ENDS = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"
_COLUMNS = 6
_ROW = struct.Struct(">h i16s i16s i16s i16s i")
_HALFVEC = struct.Struct(">i HH")
_ADVANCE = """
UPDATE kb_revision r SET progress_done = LEAST(progress_total, progress_done + done.chunks)
FROM unnest(%(revisions)s::uuid[], %(chunks)s::int[]) done (id, chunks), kb_document d, kb_collection c
WHERE r.id = done.id AND r.state = 'embedding' AND d.id = r.document_id AND c.id = d.collection_id
  AND c.active_space_id = %(space)s
"""
SPENT = """
FROM kb_embeddingwork w JOIN kb_chunk c ON c.id = w.chunk_id JOIN kb_revision r ON r.id = c.revision_id
JOIN kb_document d ON d.id = r.document_id JOIN kb_collection k ON k.id = d.collection_id
WHERE w.attempts >= %s AND (w.lease_expires_at IS NULL OR w.lease_expires_at < statement_timestamp())
"""
_COMPLETE = """
SELECT count(*) > 0 AND count(*) = count(*) FILTER (WHERE abs(l2_norm(e.embedding) - 1) < 0.01)
FROM kb_chunk c LEFT JOIN kb_embedding e ON e.chunk_id = c.id AND e.space_id = %(space)s
WHERE c.revision_id = %(revision)s
"""
