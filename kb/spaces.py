"""Which spaces are wanted here, and the index of each: a partial HNSW index over the rows of that space, at its size.

An index is built when it is worth it, at once and beside what goes on: filled row by row it would slow every write from
the first on, and be no better. What is there is noted on the space, so that a search knows what it may ask.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from embeddings import spaces
from embeddings.models import Space, Storage
from kb.models import Collection, Reembedding, Stage

log = logging.getLogger(__name__)

INDEX_ROWS = 12_000
"""Rows from which on a space has an index: so many are compared one by one as quickly (`search.nearest`)."""

LEADING = 1_024
"""Numbers that an index of the first ones holds: encoders that are trained to be cut (Matryoshka) say in them nearly
all that they say. Of a space that has no more it holds all."""

_LOCK = 7_302_113_771_540_116_001
"""Held, as an advisory lock, by whoever builds: one index at a time uses the memory that there is for it."""


class InUse(ValueError):
    """This space cannot be deleted; the message says why."""


# --- Which spaces there are ---


def wanted() -> Sequence[Space]:
    """The spaces that encoders are needed for: those that collections are searched in first, then those being built or
    kept for the way back, and the one the settings ask for."""
    named = Space.objects.annotate(
        serving=Exists(Collection.objects.filter(active_space=OuterRef("pk"))),
        second=Exists(Collection.objects.filter(Q(building_space=OuterRef("pk")) | Q(previous_space=OuterRef("pk")))),
    )
    found: list[Space] = list(named.filter(Q(serving=True) | Q(second=True)).order_by("-serving", "-created_at"))
    try:
        configured = spaces.current()
    except spaces.NoSpace:
        return found
    return found if configured in found else [*found, configured]


def users_of(space: Space) -> QuerySet[Collection]:
    """The collections that are in this space, are being moved into it, or keep it for the way back."""
    return Collection.objects.filter(Q(active_space=space) | Q(building_space=space) | Q(previous_space=space))


def remove(space: Space) -> None:
    """Delete a space that nothing uses. Raises InUse."""
    with transaction.atomic():
        Space.objects.select_for_update().get(pk=space.pk)
        if users_of(space).exists():
            raise InUse(_("Collections use this space."))
        # The index goes when indexes are tended: dropped here, it would wait for any that is being built, with every
        # search waiting behind it.
        if _rows(space, 1) or _standing(space):
            raise InUse(_("Embeddings of this space are still being deleted. Try again in a minute."))
        if space in wanted():
            raise InUse(_("The settings ask for this space."))
        space.delete()


# --- The index of a space ---


@dataclass(frozen=True)
class Index:
    """An index as it is now: its kind, its size, and while it is being built how far that is, 0 to 1."""

    kind: str
    size: int
    built: float | None
    phase: str

    @property
    def percent(self) -> int:
        """How far it is."""
        return 100 if self.built is None else int(100 * self.built)


def index_name(space: Space, kind: str) -> str:
    """The name of a space's index of a kind."""
    return f"embedding_{_KINDS[kind].name}_{space.pk.hex}"


def distance(space: Space, kind: str) -> str:
    """How far an embedding e is from a query by what the index of a kind holds, in SQL: rows in its order come from
    that index. The parameters are the query, as text."""
    return f"{_held(space, kind, 'e.embedding')} {_KINDS[kind].operator} {_held(space, kind, '%s')}"


def count(space: Space) -> int:
    """The number of embeddings in a space."""
    return _rows(space, None)


def indexes(space: Space) -> list[Index]:
    """What there is of an index, one that is being built included."""
    return [index for kind in Storage.values for index in _found(space, kind)]


def is_ready(space: Space) -> bool:
    """Whether the space has the index that it should have, or needs none yet."""
    return space.indexed == space.storage or _rows(space, INDEX_ROWS) < INDEX_ROWS


def tend() -> None:
    """Bring the index of every space to what it should be: built, built anew after a crash, or dropped. One process at
    a time, for as long as building takes; the others return at once. Not inside a transaction."""
    with alone() as is_free:
        if is_free:
            for space in Space.objects.order_by("created_at"):
                _tend(space)


def build(space: Space) -> None:
    """Build the index that the space should have. Not inside a transaction."""
    column = f"{_held(space, space.storage, 'embedding')} {_KINDS[space.storage].operators}"
    log.info("Building the index of %s.", space.name)
    if settings.INDEX_MEMORY_MB:
        _execute(f"SET maintenance_work_mem = '{settings.INDEX_MEMORY_MB}MB'")
    # Never more than the server is set up for: it knows whether its shared memory bears a parallel build.
    workers = "LEAST(current_setting('max_parallel_maintenance_workers')::int, %s)::text"
    _select(f"SELECT set_config('max_parallel_maintenance_workers', {workers}, false)", settings.INDEX_WORKERS)
    driver = connection.connection
    driver.add_notice_handler(_warn)
    try:
        _execute(
            f"CREATE INDEX CONCURRENTLY {index_name(space, space.storage)} ON kb_embedding "
            f"USING hnsw ({column}) WITH (m = 16, ef_construction = 64) WHERE space_id = '{space.pk}'"
        )
    finally:
        driver.remove_notice_handler(_warn)
        _execute("RESET maintenance_work_mem; RESET max_parallel_maintenance_workers")
    _note(space, space.storage)
    log.info("Built the index of %s.", space.name)


def _warn(notice: psycopg.errors.Diagnostic) -> None:
    """pgvector tells when an index has outgrown the memory for building it: the rest takes many times as long."""
    log.warning("%s. KB_INDEX_MEMORY_MB gives it more.", notice.message_primary)


def drop(space: Space, kind: str) -> None:
    """Drop a space's index of a kind, if there is one. Not inside a transaction."""
    _execute(f"DROP INDEX CONCURRENTLY IF EXISTS {index_name(space, kind)}")


@contextmanager
def alone() -> Iterator[bool]:
    """Whether nobody else tends indexes, nor does so inside. Not inside a transaction."""
    [(locked,)] = _select("SELECT pg_try_advisory_lock(%s)", _LOCK)
    try:
        yield bool(locked)
    finally:
        if locked:
            _select("SELECT pg_advisory_unlock(%s)", _LOCK)


@dataclass(frozen=True)
class _Kind:
    """What an index of a kind is called, what it holds of a value that is an embedding of so many numbers, of which so
    many are the first ones, and how that is compared."""

    name: str
    holds: str
    operators: str
    operator: str


_KINDS: dict[str, _Kind] = {
    # Inner product, since embeddings have unit length; their first numbers have not.
    Storage.HALFVEC: _Kind("hnsw", "({value}::halfvec({size}))", "halfvec_ip_ops", "<#>"),
    Storage.LEADING: _Kind(
        "leading",
        "(subvector({value}::halfvec({size}), 1, {leading})::halfvec({leading}))",
        "halfvec_cosine_ops",
        "<=>",
    ),
    # Bits by how many differ (Hamming).
    Storage.BINARY: _Kind("bits", "(binary_quantize({value}::halfvec({size}))::bit({size}))", "bit_hamming_ops", "<~>"),
}


def _held(space: Space, kind: str, value: str) -> str:
    return _KINDS[kind].holds.format(value=value, size=space.dimensions, leading=min(LEADING, space.dimensions))


def _tend(space: Space) -> None:
    standing = _standing(space)
    for kind in [kind for kind, valid in standing.items() if not valid]:
        drop(space, kind)  # whoever built it was stopped; nobody else is at it, since we hold the lock
        del standing[kind]
    rows = _rows(space, INDEX_ROWS)
    if rows < INDEX_ROWS and not (standing and rows > INDEX_ROWS // 2):
        _note(space, "")
    elif space.storage in standing:
        _note(space, space.storage)
    elif not _is_being_filled(space):
        build(space)
    for kind in standing:
        if kind != space.indexed:
            drop(space, kind)


def _is_being_filled(space: Space) -> bool:
    """Nobody searches a space into which the first collection is still on its way: its index is built at the end."""
    if Collection.objects.filter(active_space=space).exists():
        return False
    filling = Reembedding.objects.filter(target=space, state__in=[Stage.BUILDING, Stage.PAUSED])
    return filling.filter(embedded_at__isnull=True).exists()


def _note(space: Space, kind: str) -> None:
    if space.indexed != kind:
        space.indexed = kind
        space.save(update_fields=["indexed"])


def _standing(space: Space) -> dict[str, bool]:
    """The kinds of index there are, and whether each is whole."""
    found: dict[str, bool] = dict(
        _select(
            "SELECT c.relname, i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
            " WHERE i.indrelid = 'kb_embedding'::regclass"
        )
    )
    names = {kind: index_name(space, kind) for kind in Storage.values}
    return {kind: found[name] for kind, name in names.items() if name in found}


def _found(space: Space, kind: str) -> list[Index]:
    rows = _select(_INDEX, index_name(space, kind))
    return [Index(kind, size, built, phase) for size, built, phase in rows]


def _rows(space: Space, limit: int | None) -> int:
    """The number of rows of a space, counted up to `limit`, by the index that begins with the collection."""
    [(rows,)] = _select(_ROWS, space.pk, limit, limit)
    return int(rows)


_ROWS = """
SELECT count(*) FROM (
  SELECT 1 FROM kb_collection c
  CROSS JOIN LATERAL (SELECT 1 FROM kb_embedding e WHERE e.collection_id = c.id AND e.space_id = %s LIMIT %s) counted
  LIMIT %s) counted
"""
_INDEX = """
SELECT pg_relation_size(i.indexrelid), CASE WHEN i.indisvalid THEN NULL
    ELSE coalesce(p.blocks_done::float / nullif(p.blocks_total, 0), 0) END, coalesce(p.phase, '')
FROM pg_index i LEFT JOIN pg_stat_progress_create_index p ON p.index_relid = i.indexrelid
WHERE i.indexrelid = to_regclass(%s)
"""


def _select(statement: str, *params: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return list(cursor.fetchall())


def _execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
