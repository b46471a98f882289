"""From a query to hits: by meaning, by words, fused; permission inside each statement."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, reduce
from operator import or_
from typing import Any
from uuid import UUID

import numpy as np
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.db.models import Q, Sum
from django.utils.translation import gettext as _
from pgvector import HalfVector

from embeddings import centring, queries
from embeddings.encoder import Embeddings
from embeddings.models import Space, Storage
from kb import language, spaces
from kb.models import Chunk, Embedding, LanguageMean, User
from kb.models.collection import Balance
from search import citations, lexical, ranking, scope, shape, syntax
from search.hits import Answer, Mode, Query, Seen
from search.models import QueryMean
from search.ranking import Candidate
from search.reranking import Reranking

CANDIDATES = 200
"""So many chunks each of the two searches brings to the fusion; more where deep pages ask for them."""

CENTRED_CANDIDATES = 400
"""So many the index brings where they are compared once more, centred (docs/decisions.md)."""

MOST_CANDIDATES = 3_200
"""So many at most: where more passages than this say the same, what stands below them is not found."""

ALWAYS_EXACT_ROWS = 2_000
"""Up to so many rows in scope every one is compared: it takes no longer than asking the index."""

EXACT_ROWS = 12_000
"""Up to so many too, where they are less than half of the space: an exact scan costs 3.0 to 3.4 microseconds a row, and
a filtered index scan loses recall long before it gains time (docs/decisions.md). Otherwise the index is asked."""

EF_SEARCH = 200
"""Breadth of the index scan: recall@10 of 0.993 at 100,000 rows of 2,560 numbers (docs/decisions.md)."""

CENTRED_EF_SEARCH = 600
"""A centred query lies far from all raw embeddings, where the index finds its way less well. At 100,000 rows of 384
numbers recall@10 is 0.970 with 400, 0.995 with 600 and 1.000 with 800, at 1, 1.3 and 1.5 times the time."""

_SURELY = 0.9
"""The chance of a language from which on a query counts for its mean."""

BINARY_CANDIDATES = 800
"""So many are taken by their bits, then compared again in half precision."""


class BadQuery(ValueError):
    """The query cannot be searched for; the message says why, `about` which part of it is meant."""

    def __init__(self, message: str, about: str = "query") -> None:
        super().__init__(message)
        self.about = about


def search(
    user: User | AnonymousUser, query: Query, *, space_id: UUID | None = None, patience: float | None = None
) -> Answer:
    """The passages this person may see that answer the query, best first. With `space_id` meaning is asked for in that
    space alone, whichever the collections are served from.

    Asks for meaning and for words, or one of them (`query.mode`); for what resembles a passage, where the query names
    one. When the encoder is away the words alone decide, and the answer says so; so it does where a reranker was to
    read the first passages and has not within `patience` seconds, by default the configured ones. Raises BadQuery when
    there is nothing to look for.
    """
    started = time.perf_counter()
    if not query.text.strip() and query.like is None:
        raise BadQuery(_("Type what you are looking for."))
    clock = _Clock()
    example = _example(user, query)
    where = scope.of(user, query)
    if where is None:
        return Answer(query, [], query.mode, "", has_more=False, nothing_good=True)
    inside = scope.Inside.of(user, query, space_id)
    with clock.time("encode"):
        encoded, degraded = _encode(user, query, example, inside)
    reranking = Reranking(query, seconds=patience)
    page = _page(user, query, where, inside, encoded, reranking, clock)
    if reranking.seconds:
        clock.move(reranking.seconds, out_of="rank", to="rerank")
    with clock.time("cite"):
        hits = shape.hits(query, page)
    mode: Mode = query.mode if encoded else "lexical"
    return Answer(
        query,
        hits,
        mode,
        degraded,
        has_more=page.has_more,
        nothing_good=page.best < ranking.GOOD,
        next=page.next,
        seen=_seen(query, encoded),
        reranked=page.reranked,
        not_reranked=reranking.why_not,
        reranker_away=reranking.is_away,
        timings_ms=clock.milliseconds,
        took_ms=round((time.perf_counter() - started) * 1000, 1),
    )


class _Clock:
    """Milliseconds spent on each named step, in all."""

    def __init__(self) -> None:
        self.milliseconds: dict[str, float] = {}

    def move(self, seconds: float, *, out_of: str, to: str) -> None:
        """Count some of what was spent on one step for another."""
        self.milliseconds[out_of] = round(self.milliseconds[out_of] - seconds * 1000, 1)
        self.milliseconds[to] = round(seconds * 1000, 1)

    @contextmanager
    def time(self, step: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        spent = self.milliseconds.get(step, 0.0) + (time.perf_counter() - started) * 1000
        self.milliseconds[step] = round(spent, 1)


# --- The query as the encoders see it ---


@dataclass(frozen=True)
class _Encoded:
    """The query as some collections want it: in the space they are searched in, with their instruction. Nothing else
    is compared with it. With `means` it is centred, and so is what it is compared with; `raw` is as it was encoded, in
    one of these languages."""

    space: Space
    collections: tuple[UUID, ...]
    embedding: Embeddings
    means: centring.Means | None
    instruction: str
    raw: Embeddings
    languages: Mapping[str, float]


def _example(user: User | AnonymousUser, query: Query) -> Chunk | None:
    """The passage that others shall resemble. Raises BadQuery."""
    if query.like is None:
        return None
    try:
        return citations.find(user, query.like)
    except Chunk.DoesNotExist as error:
        raise BadQuery(_("There is no such passage."), about="like") from error


def _encode(
    user: User | AnonymousUser, query: Query, example: Chunk | None, inside: scope.Inside
) -> tuple[list[_Encoded], str]:
    """The query as each of the collections in scope wants it, those that want the same together; and why one is
    missing, if one is."""
    if query.mode == "lexical" and example is None:
        return [], ""
    encoded: list[_Encoded] = []
    degraded = ""
    balanced = _means(query, inside)
    for (space, instruction), collections in inside.alike.items():
        try:
            embedding, languages = _embedding(query, example, space, instruction)
        except queries.EncoderAway:
            degraded = _("Search by meaning is not available just now; these passages were found by their words alone.")
            continue
        means = balanced.get(collections)
        centred = embedding
        if means:
            seen = {} if example else QueryMean.objects.in_use(user, space, instruction, list(languages))
            centred = means.centre(embedding, languages, seen)
        encoded.append(_Encoded(space, collections, centred, means, instruction, embedding, languages))
    if degraded and encoded:
        degraded = _("Search by meaning is not available just now in some of the collections: little is found in them.")
    return encoded, degraded


def _seen(query: Query, encoded: Sequence[_Encoded]) -> tuple[Seen, ...]:
    """The query as means of queries are made of it: a question, once and not with each page, in one language."""
    if query.like is not None or query.reach > query.limit:
        return ()
    surely = [(one, language) for one in encoded for language, chance in one.languages.items() if chance >= _SURELY]
    return tuple(Seen(one.space.pk, one.instruction, language, one.raw) for one, language in surely)


def _embedding(
    query: Query, example: Chunk | None, space: Space, instruction: str
) -> tuple[Embeddings, Mapping[str, float]]:
    """The embedding of the query or of the passage that stands for it, and the languages it may be in."""
    if example is None:
        wanted = syntax.parse(query.text).wanted
        embedding = queries.encode_query(wanted, space=space, instruction=instruction)
        return embedding, language.chances(wanted)
    spoken = {example.language: 1.0}
    stored = Embedding.objects.filter(chunk=example, space=space).first()
    if stored is not None:
        return np.asarray(stored.embedding, dtype=np.float32), spoken
    # A superseded revision has no embeddings any more, but it can still be cited.
    return queries.encode_query(example.text, space=space, instruction=instruction), spoken


def _means(query: Query, inside: scope.Inside) -> dict[tuple[UUID, ...], centring.Means | None]:
    """The means per language, by the collections that ask for the same: of those in scope and of no other, so that
    nothing hidden moves an answer. Empty where languages are not balanced: where they are, all collections are centred,
    as a raw score stands far above a centred one, whatever the passage says."""
    if query.balance_languages is False:
        return {}
    found = {}
    spoken: dict[tuple[UUID, ...], set[str]] = {}
    for (space, _instruction), ids in inside.alike.items():
        rows = LanguageMean.objects.filter(collection__in=ids, space=space).order_by("pk")
        counted = list(rows.values_list("pk", "updated_at", "collection", "language"))
        found[ids] = _means_of(tuple((pk, at) for pk, at, _collection, _language in counted))
        spoken[ids] = {
            language for _pk, _at, collection, language in counted if inside.balance[collection] != Balance.OFF
        }
    wanted = query.balance_languages or Balance.ON in inside.balance.values()
    return found if wanted or any(len(languages) > 1 for languages in spoken.values()) else {}


@lru_cache(maxsize=64)
def _means_of(stated: tuple[tuple[int, datetime], ...]) -> centring.Means | None:
    """The means from these rows as they were at these times. Kept, because numbers by the thousand take longer to
    fetch than passages to find."""
    rows = LanguageMean.objects.filter(pk__in=[pk for pk, _time in stated]).order_by("pk")
    return centring.means(list(rows.values_list("language", "passages", "mean")))


# --- Candidates ---


@dataclass(frozen=True)
class _Found:
    """The candidates of both searches. `is_cut` says that there may be more."""

    candidates: list[Candidate]
    is_cut: bool


def _page(
    user: User | AnonymousUser,
    query: Query,
    where: scope.Scope,
    inside: scope.Inside,
    encoded: Sequence[_Encoded],
    reranking: Reranking,
    clock: "_Clock",
) -> shape.Page:
    """One page of hits. Where so many candidates say the same that the page is not full, more are fetched."""
    rows = _rows_in_scope(inside, where, encoded)
    wanted = max(CANDIDATES, 2 * query.reach)
    while True:
        with clock.time("retrieve"), scope.indexes_only():
            found = _retrieve(query, where, inside, encoded, rows, wanted)
        with clock.time("rank"):
            ranked = ranking.fuse(found.candidates, _scale(encoded))
            page = shape.page(user, query, ranked, reranking)
        if page.has_more or not found.is_cut or page.ends or wanted >= MOST_CANDIDATES:
            return page
        wanted *= 4


def _scale(encoded: Sequence[_Encoded]) -> ranking.Scale:
    if not encoded:
        return ranking.WORDS
    return ranking.CENTRED if encoded[0].means else ranking.RAW


def _rows_in_scope(inside: scope.Inside, where: scope.Scope, encoded: Sequence[_Encoded]) -> int:
    """How many rows may be found, about: what every plan is chosen by. The collections know how many they have; rows
    are counted only where filters leave a part of many."""
    of_each = [Q(space=space, collection__in=ids) for (space, _), ids in inside.alike.items()]
    known = LanguageMean.objects.filter(reduce(or_, of_each, Q(pk=None))).aggregate(n=Sum("passages"))["n"]
    if known and (known <= lexical.FEW_ROWS or not where.narrowed):
        return int(known)
    statement = f"SELECT count(*) FROM (SELECT 1 {where.chunks()} LIMIT {EXACT_ROWS + 1}) counted"
    [(count,)] = scope.rows(statement, list(where.params))
    return int(count)


def _retrieve(
    query: Query,
    where: scope.Scope,
    inside: scope.Inside,
    encoded: Sequence[_Encoded],
    rows: int,
    wanted: int,
) -> _Found:
    near: dict[UUID, float] = {}
    is_cut = False
    for one in encoded:
        found = _by_meaning(where, one, rows, wanted)
        is_cut = is_cut or len(found) >= wanted
        near |= found
    if query.like is not None or (query.mode == "semantic" and encoded):
        near.pop(query.like, None)  # type: ignore[arg-type]  # a passage resembles itself
        return _Found([Candidate(chunk_id, semantic=score) for chunk_id, score in near.items()], is_cut)
    asked = lexical.ask(where, inside, query, rows)
    worded = lexical.find(where, asked, rows=rows, limit=wanted, fill=not encoded)
    missing = [chunk_id for chunk_id in worded if chunk_id not in near]
    for one in encoded:
        near |= _scores_of(where, one, missing)
    covered = lexical.cover(where, asked, list({*near, *worded}), nearness=not encoded)
    candidates = [_candidate(chunk_id, near, covered) for chunk_id in {*near, *covered}]
    return _Found(candidates, is_cut or len(worded) >= wanted)


def _candidate(chunk_id: UUID, near: Mapping[UUID, float], covered: Mapping[UUID, lexical.Words]) -> Candidate:
    words = covered.get(chunk_id)
    if words is None:
        return Candidate(chunk_id, semantic=near.get(chunk_id))
    return Candidate(chunk_id, near.get(chunk_id), words.coverage, words.matched, words.nearness)


def _by_meaning(where: scope.Scope, encoded: _Encoded, rows: int, wanted: int) -> dict[UUID, float]:
    """The nearest chunks in scope with their scores. The plan is chosen here, from the number of rows in scope, not by
    the planner; an exact scan completes what the index leaves short."""
    if _is_exact(rows, encoded.space):
        return _nearest(where, encoded, wanted)
    fetched, breadth = (max(wanted, CENTRED_CANDIDATES), CENTRED_EF_SEARCH) if encoded.means else (wanted, EF_SEARCH)
    if encoded.space.indexed == Storage.BINARY:
        fetched = max(fetched, BINARY_CANDIDATES)
    with connection.cursor() as cursor:
        breadth = min(max(breadth, fetched), 1_000)  # pgvector takes no more
        cursor.execute(f"SET LOCAL hnsw.ef_search = {breadth}; SET LOCAL hnsw.iterative_scan = relaxed_order")
    found = _nearest_by_index(where, encoded, fetched)
    if len(found) < fetched:
        return _nearest(where, encoded, wanted)
    return dict(sorted(found.items(), key=lambda pair: (-pair[1], str(pair[0])))[:wanted])


def _is_exact(rows: int, space: Space) -> bool:
    """Whether every row in scope is compared, of so many. The number of all rows, seen or not, decides how long the
    index would take; it is read from what the database noted of the index."""
    if not space.indexed or rows <= ALWAYS_EXACT_ROWS:
        return True
    if rows > EXACT_ROWS:
        return False
    name = spaces.index_name(space, space.indexed)
    noted = scope.rows("SELECT reltuples FROM pg_class WHERE relname = %s", [name])
    return not noted or rows < noted[0][0] / 2 or noted[0][0] <= 0


def _nearest(where: scope.Scope, encoded: _Encoded, limit: int) -> dict[UUID, float]:
    """Every row in scope compared; the best `limit`."""
    rows = where.embeddings(encoded.space.pk, encoded.collections)
    return _scored(where, encoded, rows, [], f"ORDER BY score DESC, chunk_id LIMIT {limit}")


def _nearest_by_index(where: scope.Scope, encoded: _Encoded, limit: int) -> dict[UUID, float]:
    """Those that the index brings first by what it holds of the raw embeddings, scored by all of their numbers."""
    nearest = spaces.distance(encoded.space, encoded.space.indexed)
    rows = f"{where.embeddings_by_index(encoded.space.pk, encoded.collections)} ORDER BY {nearest} LIMIT {limit}"
    return _scored(where, encoded, rows, [HalfVector(encoded.embedding).to_text()], "")


def _scores_of(where: scope.Scope, encoded: _Encoded, chunk_ids: list[UUID]) -> dict[UUID, float]:
    """The scores of given chunks in scope: found by either search, each is scored by meaning in the same way."""
    if not chunk_ids:
        return {}
    rows = f"{where.embeddings(encoded.space.pk, encoded.collections)} AND e.chunk_id = ANY(%s)"
    return _scored(where, encoded, rows, [chunk_ids], "")


def _scored(where: scope.Scope, encoded: _Encoded, rows: str, params: Sequence[Any], order: str) -> dict[UUID, float]:
    """Ids and scores of these rows: the inner product with the query, both centred if the query is. Stored are raw
    embeddings; of a centred one d' = (d - m) / |d - m|, and its product with q is (q·d - q·m) / |d - m|."""
    size = encoded.space.dimensions
    near = f"(n.embedding <#> %s::halfvec({size}))"  # the negative inner product
    embeddings = f"(SELECT e.chunk_id, e.language, e.embedding::halfvec({size}) AS embedding {rows}) n"
    asked = HalfVector(encoded.embedding).to_text()
    if encoded.means is None:
        statement = f"SELECT chunk_id, -{near} AS score FROM {embeddings} {order}"
        return dict(scope.rows(statement, [asked, *where.params, *params]))
    centres = {**encoded.means.of_language, "": encoded.means.overall}
    values = ", ".join([f"(%s, %s::halfvec({size}), %s::float8, %s::float8)"] * len(centres))
    statement = f"""WITH centres (language, mean, along, squared) AS (VALUES {values})
        SELECT chunk_id,
          (-{near} - m.along) / sqrt(greatest(1 + 2 * (n.embedding <#> m.mean) + m.squared, 1e-6)) AS score
        FROM {embeddings} JOIN centres m ON m.language = CASE WHEN n.language = ANY(%s) THEN n.language ELSE '' END
        {order}"""
    described = [
        value
        for name, mean in centres.items()
        for value in (name, HalfVector(mean).to_text(), float(encoded.embedding @ mean), float(mean @ mean))
    ]
    return dict(scope.rows(statement, [*described, asked, *where.params, *params, list(encoded.means.of_language)]))
