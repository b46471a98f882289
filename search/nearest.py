"""The passages nearest in meaning: by which plan they are found, and how they are scored."""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from embeddings.models import Space, Storage
from kb import spaces
from search import scope, statements
from search.meaning import Encoded, literal
from search.statements import Statement

CENTRED_CANDIDATES = 400
"""So many the index brings where they are compared once more, centred (docs/decisions.md)."""

ALWAYS_EXACT_ROWS = 2_000
"""Up to so many rows in scope every one is compared: it takes no longer than asking the index."""

EXACT_ROWS = 12_000
"""Up to so many too, where they are less than half of the space: an exact scan costs 3.0 to 3.4 microseconds a row, and
a filtered index scan loses recall long before it gains time (docs/decisions.md). Otherwise the index is asked."""

EF_SEARCH = 200
"""Breadth of the index scan: recall@10 of 0.993 at 100,000 rows of 2,560 numbers (docs/decisions.md)."""

CENTRED_EF_SEARCH = 500
"""A centred query lies far from all raw embeddings, where the index finds its way less well (docs/decisions.md)."""

NARROW_EF_SEARCH = 600
"""The same where embeddings have NARROW numbers or fewer: there it finds more, elsewhere hardly any."""

NARROW = 512

_NOTED_SECONDS = 10

BINARY_CANDIDATES = 800
"""So many are taken by their bits, then compared again in half precision."""


class Near(NamedTuple):
    """A chunk and its score by meaning; of how many that the index brought; and which words of a query it has, where
    that was asked, too (`lexical.with_words`)."""

    chunk_id: UUID
    score: float
    brought: int
    has: str | None = None


@dataclass(frozen=True)
class Plan:
    """How the `wanted` nearest chunks are found. Where the index brings fewer than `least` it may have left some
    out."""

    where: scope.Scope
    encoded: Encoded
    wanted: int
    statement: Statement
    least: int

    def is_short(self, found: Sequence[Near]) -> bool:
        """Whether what it found has to be completed by an `exact` scan."""
        return (found[0].brought if found else 0) < self.least

    @property
    def exact(self) -> Statement:
        """Compares every row."""
        return _nearest(self.where, self.encoded, self.wanted)


def plan(where: scope.Scope, encoded: Encoded, rows: int, wanted: int) -> Plan:
    """Chosen here, from the number of rows in scope, not by the planner."""
    if _is_exact(rows, encoded.space):
        return Plan(where, encoded, wanted, _nearest(where, encoded, wanted), 0)
    fetched, breadth = wanted, EF_SEARCH
    if encoded.centres:
        fetched, breadth = max(wanted, CENTRED_CANDIDATES), centred_breadth(encoded.space)
    if encoded.space.indexed == Storage.BINARY:
        fetched = max(fetched, BINARY_CANDIDATES)
    settings = {
        "hnsw.ef_search": min(max(breadth, fetched), 1_000),  # pgvector takes no more
        "hnsw.iterative_scan": "relaxed_order",
    }
    return Plan(where, encoded, wanted, _nearest_by_index(where, encoded, fetched, wanted, settings), fetched)


def centred_breadth(space: Space) -> int:
    """How broadly the index is scanned for a centred query."""
    return CENTRED_EF_SEARCH if space.dimensions > NARROW else NARROW_EF_SEARCH


def _is_exact(rows: int, space: Space) -> bool:
    """Whether every row in scope is compared, of so many. The number of all rows, seen or not, decides how long the
    index would take; it is read from what the database noted of the index."""
    if not space.indexed or rows <= ALWAYS_EXACT_ROWS:
        return True
    if rows > EXACT_ROWS:
        return False
    noted = _noted(spaces.index_name(space, space.indexed), int(time.monotonic() / _NOTED_SECONDS))
    return rows < noted / 2 or noted <= 0


def found(wanted: Sequence[Statement]) -> list[list[Near]]:
    """What each of these statements finds, asked for in one round trip."""
    return [[Near(*row) for row in rows] for rows in statements.together(wanted)]


@lru_cache(maxsize=256)
def _noted(index: str, _now: int) -> float:
    """How many rows an index has, as the database noted lately; none where there is no such index."""
    rows = statements.rows("SELECT reltuples FROM pg_class WHERE relname = %s", [index])
    return float(rows[0][0]) if rows else 0.0


def _nearest(where: scope.Scope, encoded: Encoded, limit: int) -> Statement:
    """Every row in scope compared; the best `limit`."""
    rows = where.embeddings(encoded.space.pk)
    return replace(_scored(where, encoded, rows, [], f"ORDER BY score DESC, chunk_id LIMIT {limit}"), kept=False)


def _nearest_by_index(
    where: scope.Scope, encoded: Encoded, fetched: int, limit: int, settings: Mapping[str, object]
) -> Statement:
    """The best `limit`, by all of their numbers, of those that the index brings first by what it holds of the raw
    embeddings."""
    order, params = "near", list[str]()
    if encoded.space.indexed != Storage.HALFVEC:
        order, params = spaces.distance(encoded.space, encoded.space.indexed), [literal(encoded.embedding)]
    rows = f"{where.embeddings_by_index(encoded.space.pk)} ORDER BY {order} LIMIT {fetched}"
    best = f"ORDER BY score DESC, chunk_id LIMIT {limit}"
    return replace(_scored(where, encoded, rows, params, best, brought="count(*) OVER ()"), settings=settings)


def scores_of(where: scope.Scope, encoded: Encoded, chunk_ids: Collection[UUID]) -> Statement:
    """The scores of given chunks in scope."""
    rows = f"{where.embeddings(encoded.space.pk)} AND e.chunk_id = ANY(%s)"
    return _scored(where, encoded, rows, [statements.array(chunk_ids)], "")


def _scored(
    where: scope.Scope, encoded: Encoded, rows: str, params: Sequence[Any], order: str, *, brought: str = "0"
) -> Statement:
    """Ids and scores of these rows, which may be ordered by how `near` they are: the inner product with the query, both
    centred if the query is. Stored are raw embeddings; of a centred one d' = (d - m) / |d - m|, and its product with q
    is (q·d - q·m) / |d - m|."""
    near = spaces.distance(encoded.space, Storage.HALFVEC)  # the negative inner product
    narrowed = [literal(encoded.embedding), statements.array(encoded.collections), *where.params, *params]
    centres = encoded.centres
    if centres is None:
        statement = f"SELECT chunk_id, -near AS score, {brought} FROM (SELECT e.chunk_id, {near} AS near {rows}) n"
        return Statement(f"{statement} {order}", narrowed, kept=where.kept)
    # The product with the query is written once: a second one would take longer than all else but the index. The means
    # stand in the statement itself, to be read once with its plan; and rows are counted when they are down to a score:
    # before, their embeddings would be copied for it.
    size = encoded.space.dimensions
    embeddings = f"(SELECT e.chunk_id, e.language, e.embedding::halfvec({size}) AS embedding, {near} AS near {rows}) n"
    values = ", ".join(f"(%s, '{mean}'::halfvec({size}), %s::float8, %s::float8)" for mean in centres.literals)
    statement = f"""WITH centres (language, mean, along, squared) AS (VALUES {values})
        SELECT chunk_id, score, {brought} FROM (SELECT chunk_id,
          (-near - m.along) / sqrt(greatest(1 + 2 * (n.embedding <#> m.mean) + m.squared, 1e-6)) AS score
        FROM {embeddings} JOIN centres m ON m.language = CASE WHEN n.language = ANY(%s) THEN n.language ELSE '' END
        OFFSET 0) scored {order}"""
    along = centres.along(encoded.embedding)
    described = [value for row in zip(centres.names, along, centres.squares, strict=True) for value in row]
    return Statement(statement, [*described, *narrowed, list(centres.names)], kept=where.kept)
