"""From a query to hits: by meaning, by words, fused; permission inside each statement."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from django.contrib.auth.models import AnonymousUser
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from pgvector import HalfVector

from embeddings import centring, queries
from embeddings.encoder import Embeddings
from embeddings.instructions import instruction_for
from embeddings.models import Space
from kb import language, lexemes
from kb.models import Collection, LanguageMean, User
from search import citations, ranking, scope, stopwords
from search.hits import Answer, Mode, Query
from search.ranking import Candidate

CANDIDATES = 200
"""So many chunks each of the two searches brings to the fusion."""

EXACT_ROWS = 12_000
"""Up to so many rows in scope every one is compared; above, the index is asked. Measured: an exact scan costs 3.0 to
3.4 microseconds a row, and a filtered index scan loses recall long before it gains time (docs/decisions.md)."""

EF_SEARCH = 200
"""Breadth of the index scan: recall@10 of 0.993 at 100,000 rows of 2,560 numbers (docs/decisions.md)."""

DF_LIMIT = 1_000
"""Documents are counted for a word up to here: a word in more passages than this says next to nothing."""


class BadQuery(ValueError):
    """The query cannot be searched for; the message says why."""


def search(user: User | AnonymousUser, query: Query, *, space_id: UUID | None = None) -> Answer:
    """The passages this person may see that answer the query, best first. With `space_id` meaning is asked for in that
    space alone, whichever the collections are served from.

    Asks for meaning and for words, or one of them (`query.mode`). When the encoder is away the words alone decide,
    and the answer says so. Raises BadQuery when there is nothing to look for.
    """
    started = time.perf_counter()
    if not query.text.strip():
        raise BadQuery(_("Type what you are looking for."))
    clock = _Clock()
    where = scope.of(user, query)
    if where is None:
        return Answer(query, [], query.mode, "", has_more=False)
    with clock.time("encode"):
        encoded, degraded = _encode(user, query, space_id)
    with clock.time("retrieve"):
        found = _retrieve(where, query, encoded)
    with clock.time("rank"):
        ranked = ranking.fuse(found)
        page = [c for c in ranked if query.min_score is None or c.fused >= query.min_score]
        shown = page[query.offset : query.offset + query.limit]
        hits = citations.cite(user, shown, first_rank=query.offset + 1)
    mode: Mode = query.mode if encoded else "lexical"
    return Answer(
        query,
        hits,
        mode,
        degraded,
        has_more=len(page) > query.offset + query.limit,
        timings_ms=clock.milliseconds,
        took_ms=round((time.perf_counter() - started) * 1000, 1),
    )


class _Clock:
    """Milliseconds spent on each named step."""

    def __init__(self) -> None:
        self.milliseconds: dict[str, float] = {}

    @contextmanager
    def time(self, step: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.milliseconds[step] = round((time.perf_counter() - started) * 1000, 1)


# --- The query as the encoders see it ---


@dataclass(frozen=True)
class _Encoded:
    """The query in one space. With `means` it is centred, and so is what it is compared with."""

    space: Space
    embedding: Embeddings
    means: centring.Means | None


def _encode(user: User | AnonymousUser, query: Query, space_id: UUID | None) -> tuple[list[_Encoded], str]:
    """The query in each space that the collections in scope are in, or in the one asked for; and why one is missing, if
    one is."""
    if query.mode == "lexical":
        return [], ""
    inside = scope.collections(user, query)
    served = inside.order_by().values_list("active_space", "instruction_domain")
    domains = {space_id or active: domain for active, domain in served}
    encoded: list[_Encoded] = []
    degraded = ""
    for space in Space.objects.filter(pk__in=domains):
        instruction = instruction_for(domains[space.pk])
        try:
            embedding = queries.encode_query(query.text, space_id=space.pk, instruction=instruction)
        except queries.EncoderAway:
            degraded = _("Search by meaning is not available just now; these passages were found by their words alone.")
            continue
        means = None if query.balance_languages is False else _means(inside, space)
        encoded.append(_Encoded(space, _centred(embedding, query.text, means), means))
    return encoded, degraded


def _means(inside: QuerySet[Collection], space: Space) -> centring.Means | None:
    """The means per language of the collections in scope: of no other, so that nothing hidden moves an answer."""
    counted = LanguageMean.objects.filter(collection__in=inside, space=space)
    return centring.means(list(counted.values_list("language", "passages", "mean")))


def _centred(embedding: Embeddings, text: str, means: centring.Means | None) -> Embeddings:
    if means is None:
        return embedding
    centred: Embeddings = means.centre(embedding[None, :], [language.identify(text)])[0]
    return centred


# --- Candidates ---


def _retrieve(where: scope.Scope, query: Query, encoded: Sequence[_Encoded]) -> list[Candidate]:
    lexical = {} if query.mode == "semantic" else _by_words(where, query)
    semantic: dict[UUID, float] = {}
    for one in encoded:
        near = _by_meaning(where, one)
        semantic |= _scores_of(where, one, list({*near, *lexical}))
    nothing = _Words(None, ())
    return [
        Candidate(chunk_id, semantic.get(chunk_id), words.coverage, words.matched)
        for chunk_id in {*semantic, *lexical}
        for words in [lexical.get(chunk_id, nothing)]
    ]


def _by_meaning(where: scope.Scope, encoded: _Encoded) -> list[UUID]:
    """The nearest chunks in scope. The plan is chosen here, from the number of rows in scope, not by the planner."""
    count = _count(where, encoded.space)
    if count <= EXACT_ROWS:
        return _nearest(where, encoded, exact=True)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL hnsw.ef_search = {EF_SEARCH}; SET LOCAL hnsw.iterative_scan = relaxed_order")
        found = _nearest(where, encoded, exact=False)
    return found if len(found) == CANDIDATES else _nearest(where, encoded, exact=True)


_SEMANTIC_ROWS = """
FROM kb_embedding e
JOIN kb_document d ON d.live_revision_id = e.revision_id
JOIN kb_revision r ON r.id = e.revision_id
WHERE e.space_id = '{space}' AND {documents}{language}
"""


def _count(where: scope.Scope, space: Space) -> int:
    statement = f"SELECT count(*) FROM (SELECT 1 {_semantic_rows(where, space)} LIMIT {EXACT_ROWS + 1}) counted"
    [(count,)] = scope.rows(statement, list(where.params))
    return int(count)


def _nearest(where: scope.Scope, encoded: _Encoded, *, exact: bool) -> list[UUID]:
    """Ids of the chunks with the largest inner products. Adding zero to the distance keeps the index out of it."""
    size = encoded.space.dimensions
    distance = f"(e.embedding::halfvec({size}) <#> %s::halfvec({size})){' + 0' if exact else ''}"
    statement = f"""SELECT e.chunk_id {_semantic_rows(where, encoded.space)}
        ORDER BY {distance} LIMIT {CANDIDATES}"""
    literal = HalfVector(encoded.embedding).to_text()
    return [chunk_id for (chunk_id,) in scope.rows(statement, [*where.params, literal])]


def _scores_of(where: scope.Scope, encoded: _Encoded, chunk_ids: list[UUID]) -> dict[UUID, float]:
    """Inner products of the query with given chunks in scope, both centred if the query is. Found by either search,
    every candidate is scored by meaning in the same way. The raw embedding is what is stored and fetched."""
    statement = f"""SELECT e.chunk_id, e.language, halfvec_send(e.embedding)
        {_semantic_rows(where, encoded.space)} AND e.chunk_id = ANY(%s)"""
    rows = scope.rows(statement, [*where.params, chunk_ids])
    if not rows:
        return {}
    embeddings = np.stack([_numbers(raw) for _id, _language, raw in rows])
    if encoded.means is not None:
        embeddings = encoded.means.centre(embeddings, [spoken for _id, spoken, _raw in rows])
    scores = (embeddings @ encoded.embedding).tolist()
    return {row[0]: score for row, score in zip(rows, scores, strict=True)}


def _numbers(sent: bytes) -> Embeddings:
    """A halfvec in pgvector's binary form: two 16-bit integers, then 16-bit floats, all big-endian."""
    return np.frombuffer(sent, dtype=">f2", offset=4).astype(np.float32)


def _semantic_rows(where: scope.Scope, space: Space) -> str:
    return _SEMANTIC_ROWS.format(space=space.pk, documents=where.documents, language=where.language.format(table="e"))


# --- By words ---


@dataclass(frozen=True)
class _Words:
    """How much of the query's weight in words a passage covers, 0 to 1, and the telling words it matched by."""

    coverage: float | None
    matched: tuple[str, ...]


_LEXICAL_ROWS = """
FROM kb_chunk c
JOIN kb_document d ON d.live_revision_id = c.revision_id
JOIN kb_revision r ON r.id = c.revision_id
WHERE {documents}{language}
"""


def _by_words(where: scope.Scope, query: Query) -> dict[UUID, _Words]:
    """Passages that share words with the query. A word weighs by how rare it is in scope (Robertson and Sparck Jones'
    inverse document frequency); one that occurs nowhere weighs most and is covered by nobody, so that across languages,
    where hardly a word of the query occurs, nobody covers much and meaning decides."""
    wanted = stopwords.without(query.text)
    if not wanted:
        return {}
    rows_in_scope = _LEXICAL_ROWS.format(documents=where.documents, language=where.language.format(table="c"))
    weights = _weights(rows_in_scope, where, wanted)
    total = sum(weight for weight, _count in weights.values())
    present = [lexeme for lexeme in wanted if weights[lexeme][1]]
    if not present:
        return {}
    heaviest = max(weights[lexeme][0] for lexeme in present)
    telling = {lexeme for lexeme in present if weights[lexeme][0] >= 0.4 * heaviest}
    return {
        chunk_id: _Words(_coverage(flags, present, weights, total), _matched(flags, present, telling))
        for chunk_id, flags in _matching(rows_in_scope, where, present, weights)
    }


def _weights(rows_in_scope: str, where: scope.Scope, wanted: list[str]) -> dict[str, tuple[float, int]]:
    """For each lexeme its weight and the number of passages it is in, counted up to DF_LIMIT."""
    counted = f"(SELECT count(*) FROM (SELECT 1 {rows_in_scope} AND c.lexemes @@ %s::tsquery LIMIT {DF_LIMIT}) counted)"
    everything = f"(SELECT count(*) FROM (SELECT 1 {rows_in_scope} LIMIT {10 * DF_LIMIT}) counted)"
    params: list[Any] = list(where.params)
    for lexeme in wanted:
        params += [*where.params, lexemes.quote(lexeme)]
    [(passages, *counts)] = scope.rows(f"SELECT {', '.join([everything] + [counted] * len(wanted))}", params)
    return {
        lexeme: (math.log(1 + (passages - min(count, passages) + 0.5) / (count + 0.5)), count)
        for lexeme, count in zip(wanted, counts, strict=True)
    }


def _matching(
    rows_in_scope: str, where: scope.Scope, present: list[str], weights: dict[str, tuple[float, int]]
) -> list[tuple[UUID, list[bool]]]:
    """The passages that cover most weight, each with which of the lexemes it has; nearness of the words breaks ties."""
    flags = ", ".join(["c.lexemes @@ %s::tsquery"] * len(present))
    score = " + ".join(["(%s * (c.lexemes @@ %s::tsquery)::int)"] * len(present))
    quoted = [lexemes.quote(lexeme) for lexeme in present]
    anything = " | ".join(quoted)
    statement = f"""SELECT c.id, ARRAY[{flags}] {rows_in_scope} AND c.lexemes @@ %s::tsquery
        ORDER BY {score} DESC, ts_rank_cd(c.lexemes, %s::tsquery, 1) DESC, c.id LIMIT {CANDIDATES}"""
    weighed = [value for lexeme, text in zip(present, quoted, strict=True) for value in (weights[lexeme][0], text)]
    return scope.rows(statement, [*quoted, *where.params, anything, *weighed, anything])


def _coverage(flags: list[bool], present: list[str], weights: dict[str, tuple[float, int]], total: float) -> float:
    return sum(weights[lexeme][0] for lexeme, has in zip(present, flags, strict=True) if has) / total if total else 0.0


def _matched(flags: list[bool], present: list[str], telling: set[str]) -> tuple[str, ...]:
    return tuple(lexeme for lexeme, has in zip(present, flags, strict=True) if has and lexeme in telling)
