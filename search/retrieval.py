"""From a query to hits: by meaning, by words, fused; permission inside each statement."""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any
from uuid import UUID

import numpy as np
from django.contrib.auth.models import AnonymousUser
from django.utils.translation import gettext as _

from embeddings import centring, queries
from embeddings.encoder import Embeddings
from embeddings.models import Space, Storage
from kb import language, spaces
from kb.models import Chunk, Embedding, LanguageMean, User
from search import citations, lexical, ranking, scope, shape, syntax
from search.hits import Answer, Mode, Query, Seen
from search.models import QueryMean
from search.ranking import Candidate
from search.reranking import Reranking

CANDIDATES = 200
"""So many chunks each of the two searches brings to the fusion; more where deep pages ask for them."""

CERTAIN = 20
"""So many hits more than twice those of a page are brought into their exact order."""

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
    with clock.time("retrieve"):
        inside = scope.Inside.of(user, where, space_id)
    encoded, degraded = _encode(user, query, example, inside, clock)
    reranking = Reranking(query, seconds=patience)
    page = _page(query, where, inside, encoded, reranking, clock)
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
        self.milliseconds = {"encode": 0.0}

    def move(self, seconds: float, *, out_of: str, to: str) -> None:
        """Count some of what was spent on one step for another."""
        self.milliseconds[out_of] = round(self.milliseconds[out_of] - seconds * 1000, 1)
        self.milliseconds[to] = round(seconds * 1000, 1)

    @contextmanager
    def time(self, step: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            spent = self.milliseconds.get(step, 0.0) + (time.perf_counter() - started) * 1000
            self.milliseconds[step] = round(spent, 1)


# --- The query as the encoders see it ---


@dataclass(frozen=True)
class _Encoded:
    """The query as some collections want it: in the space they are searched in, with their instruction. Nothing else
    is compared with it. With `centres` it is centred, and so is what it is compared with; `raw` is as it was encoded,
    in one of these languages."""

    space: Space
    collections: tuple[UUID, ...]
    embedding: Embeddings
    centres: "_Centres | None"
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
    user: User | AnonymousUser, query: Query, example: Chunk | None, inside: scope.Inside, clock: "_Clock"
) -> tuple[list[_Encoded], str]:
    """The query as each of the collections in scope wants it, those that want the same together; and why one is
    missing, if one is."""
    if query.mode == "lexical" and example is None:
        return [], ""
    with clock.time("retrieve"):
        means = _means(query, inside)
    wanted = syntax.parse(query.text).wanted
    languages = {example.language: 1.0} if example else language.chances(wanted)
    encoded: list[_Encoded] = []
    degraded = ""
    for one in inside.alike:
        try:
            with clock.time("encode"):
                embedding = _embedding(wanted, example, one.space, one.instruction)
        except queries.EncoderAway:
            degraded = _("Search by meaning is not available just now; these passages were found by their words alone.")
            continue
        centres = means.get(one)
        centred = embedding
        if centres:
            asked = {} if example or not one.asked else _asked(user.pk, one.space.pk, one.instruction, one.asked)
            centred = centres.means.centre(embedding, languages, asked)
        encoded.append(_Encoded(one.space, one.collections, centred, centres, one.instruction, embedding, languages))
    if degraded and encoded:
        degraded = _("Search by meaning is not available just now in some of the collections: little is found in them.")
    return encoded, degraded


def _seen(query: Query, encoded: Sequence[_Encoded]) -> tuple[Seen, ...]:
    """The query as means of queries are made of it: a question, once and not with each page, in one language."""
    if query.like is not None or query.reach > query.limit:
        return ()
    surely = [(one, language) for one in encoded for language, chance in one.languages.items() if chance >= _SURELY]
    return tuple(Seen(one.space.pk, one.instruction, language, one.raw) for one, language in surely)


def _embedding(wanted: str, example: Chunk | None, space: Space, instruction: str) -> Embeddings:
    """The embedding of what is wanted, or of the passage that stands for it."""
    if example is None:
        return queries.encode_query(wanted, space=space, instruction=instruction)
    stored = Embedding.objects.filter(chunk=example, space=space).first()
    if stored is not None:
        return np.asarray(stored.embedding, dtype=np.float32)
    # A superseded revision has no embeddings any more, but it can still be cited.
    return queries.encode_query(example.text, space=space, instruction=instruction)


def _means(query: Query, inside: scope.Inside) -> dict[scope.Alike, "_Centres"]:
    """The means per language, by the collections that ask for the same: of those in scope and of no other, so that
    nothing hidden moves an answer. Empty where languages are not balanced: where they are, all collections are centred,
    as a raw score stands far above a centred one, whatever the passage says."""
    if query.balance_languages is False:
        return {}
    wanted = query.balance_languages or any(one.balanced or len(one.spoken) > 1 for one in inside.alike)
    found = {one: _centres(one.space.pk, one.collections, one.means) for one in inside.alike} if wanted else {}
    # What has just come has no means yet: those of others in the same space are nearer the truth than none.
    others = {one.space: centres for one, centres in found.items() if centres}
    return {one: centres or others[one.space] for one, centres in found.items() if centres or one.space in others}


@dataclass(frozen=True)
class _Centres:
    """Means, and the same as a statement takes them: the name of each language, its mean as a literal, and the square
    of its length. The mean of all stands under no name."""

    means: centring.Means
    names: tuple[str, ...]
    literals: tuple[str, ...]
    squares: tuple[float, ...]

    def along(self, embedding: Embeddings) -> list[float]:
        """The inner product of an embedding with each."""
        return [float(embedding @ mean) for mean in (*self.means.of_language.values(), self.means.overall)]


@lru_cache(maxsize=64)
def _centres(space_id: UUID, collections: tuple[UUID, ...], _as_of: tuple[str, ...]) -> _Centres | None:
    """The means of these collections as they were then. Kept, because numbers by the thousand take longer to fetch and
    to write down than passages to find."""
    rows = LanguageMean.objects.filter(collection__in=collections, space=space_id).order_by("pk")
    means = centring.means(list(rows.values_list("language", "passages", "mean")))
    if means is None:
        return None
    named = {**means.of_language, "": means.overall}
    literals = tuple(_literal(mean) for mean in named.values())
    return _Centres(means, tuple(named), literals, tuple(float(mean @ mean) for mean in named.values()))


@lru_cache(maxsize=256)
def _asked(user_id: int, space_id: UUID, instruction: str, _as_of: str) -> Mapping[str, centring.Mean]:
    """The means of what a person asks, by language, as they were then."""
    return QueryMean.objects.in_use(user_id, space_id, instruction)


# --- Candidates ---


@dataclass(frozen=True)
class _Found:
    """The candidates of both searches. `is_cut` says that there may be more; behind the first `sure` ones others may
    be missing."""

    candidates: list[Candidate]
    is_cut: bool
    sure: int = MOST_CANDIDATES


def _page(
    query: Query,
    where: scope.Scope,
    inside: scope.Inside,
    encoded: Sequence[_Encoded],
    reranking: Reranking,
    clock: "_Clock",
) -> shape.Page:
    """One page of hits. Where so many candidates say the same that the page is not full, more are fetched."""
    with clock.time("retrieve"):
        rows = _rows_in_scope(inside, where)
    reach = max(query.reach, reranking.depth)
    wanted = _first_wanted(reach)
    while True:
        with clock.time("retrieve"):
            found = _retrieve(query, where, encoded, rows, wanted, reach)
        with clock.time("rank"):
            ranked = ranking.fuse(found.candidates, _scale(encoded, found.candidates))[: found.sure]
            page = shape.page(where, query, ranked, reranking)
        if page.has_more or not found.is_cut or page.ends or wanted >= MOST_CANDIDATES:
            return page
        wanted *= 4


def _first_wanted(reach: int) -> int:
    return max(CANDIDATES, 2 * reach)


def _scale(encoded: Sequence[_Encoded], candidates: Sequence[Candidate]) -> ranking.Scale:
    if all(one.semantic is None for one in candidates):
        return ranking.WORDS
    return ranking.CENTRED if any(one.centres for one in encoded) else ranking.RAW


def _rows_in_scope(inside: scope.Inside, where: scope.Scope) -> int:
    """How many rows may be found, about: what every plan is chosen by. The collections know how many they have; rows
    are counted only where filters leave a part of many."""
    known = inside.passages
    if known and (known <= lexical.FEW_ROWS or not where.narrowed):
        return known
    statement = f"SELECT count(*) FROM (SELECT 1 {where.chunks()} LIMIT {EXACT_ROWS + 1}) counted"
    [(count,)] = scope.rows(statement, where.params)
    return int(count)


def _retrieve(
    query: Query, where: scope.Scope, encoded: Sequence[_Encoded], rows: int, wanted: int, reach: int
) -> _Found:
    if query.like is not None or (query.mode == "semantic" and encoded):
        return _by_meaning(query, where, encoded, rows, wanted)
    asked = lexical.ask(where, query, rows)
    if not encoded:
        return _by_words(where, asked, rows, wanted)
    if not asked.terms:
        return _by_meaning(query, where, encoded, rows, wanted)
    # A document may have many.
    sure = MOST_CANDIDATES if query.group == "document" else _sure(reach, wanted)
    return _by_both(where, encoded, asked, rows, wanted, sure)


def _by_meaning(query: Query, where: scope.Scope, encoded: Sequence[_Encoded], rows: int, wanted: int) -> _Found:
    plans = [_plan(where, one, rows, wanted) for one in encoded]
    found = _completed(where, plans, scope.together([plan.statement for plan in plans]), wanted)
    near = _scores(found)
    near.pop(query.like, None)  # type: ignore[arg-type]  # a passage resembles itself
    return _Found([Candidate(chunk_id, score) for chunk_id, score in near.items()], _is_cut(found, wanted))


def _by_words(where: scope.Scope, asked: lexical.Asked, rows: int, wanted: int) -> _Found:
    """Where there are words alone, those that cover little are better than none."""
    if not asked.terms:
        return _Found([], is_cut=False)
    [found] = scope.together([lexical.best(where, asked, rows=rows, limit=wanted, nearness=True)])
    if len(found) < wanted and rows > lexical.FEW_ROWS:
        [more] = scope.together([lexical.some(where, asked, limit=wanted)])
        found += more
    covered = lexical.words(asked, found)
    candidates = [
        Candidate(chunk_id, None, words.coverage, words.matched, words.nearness) for chunk_id, words in covered.items()
    ]
    return _Found(candidates, len(covered) >= wanted)


def _by_both(
    where: scope.Scope, encoded: Sequence[_Encoded], asked: lexical.Asked, rows: int, wanted: int, sure: int
) -> _Found:
    """Found by either search, each passage is scored by meaning and by words in the same way, as far as it may come to
    stand among the first, which are `sure`."""
    plans = [_plan(where, one, rows, wanted) for one in encoded]
    worded = lexical.best(where, asked, rows=rows, limit=wanted, nearness=False)
    *nearest, best = scope.together([*(plan.statement for plan in plans), worded])
    nearest = _completed(where, plans, nearest, wanted)
    near, covered = _scores(nearest), lexical.words(asked, best)
    either = _either(near, covered)
    chosen = ranking.contenders(
        either,
        sure,
        farther=max((found[-1][1] for found in nearest if len(found) >= wanted), default=0.0),
        uncovered=lexical.uncovered(asked, covered, rows=rows, limit=wanted),
    )
    is_cut = _is_cut(nearest, wanted) or len(covered) >= wanted or len(either) > min(len(chosen), sure)
    return _Found(_by_each(where, encoded, asked, chosen), is_cut, sure)


def _either(near: Mapping[UUID, float], covered: Mapping[UUID, lexical.Words]) -> list[Candidate]:
    """What either search found, each with the scores that are known so far."""
    found = [_candidate(chunk_id, score, covered.get(chunk_id)) for chunk_id, score in near.items()]
    return found + [_candidate(chunk_id, None, words) for chunk_id, words in covered.items() if chunk_id not in near]


def _by_each(
    where: scope.Scope, encoded: Sequence[_Encoded], asked: lexical.Asked, found: Sequence[Candidate]
) -> list[Candidate]:
    """The same with both scores: by meaning also what was found by words alone, by words what was found by meaning."""
    unscored = [one.chunk_id for one in found if one.semantic is None]
    uncovered = [one.chunk_id for one in found if one.lexical is None]
    scoring = [_scores_of(where, one, unscored) for one in encoded] if unscored else []
    covering = [lexical.cover(where, asked, uncovered)] if uncovered else []
    rows = scope.together([*scoring, *covering])
    scores = _scores(rows[: len(scoring)])
    words = lexical.words(asked, rows[-1] if covering else [])
    whole = [one for one in found if one.semantic is not None and one.lexical is not None]
    whole += [replace(one, semantic=scores.get(one.chunk_id)) for one in found if one.semantic is None]
    return whole + [
        _candidate(one.chunk_id, one.semantic, words.get(one.chunk_id, lexical.NOTHING))
        for one in found
        if one.lexical is None
    ]


def _sure(reach: int, wanted: int) -> int:
    """How many of the first are certain to be the first: more than are shown or reranked, as some will be folded. All,
    where that was not enough."""
    return MOST_CANDIDATES if wanted > _first_wanted(reach) else 2 * reach + CERTAIN


def _candidate(chunk_id: UUID, score: float | None, words: lexical.Words | None) -> Candidate:
    if words is None:
        return Candidate(chunk_id, score)
    return Candidate(chunk_id, score, words.coverage, words.matched, words.nearness)


def _scores(found: Sequence[Sequence[scope.Row]]) -> dict[UUID, float]:
    return {row[0]: row[1] for rows in found for row in rows}


def _is_cut(found: Sequence[Sequence[scope.Row]], wanted: int) -> bool:
    return any(len(rows) >= wanted for rows in found)


# --- The nearest ---


@dataclass(frozen=True)
class _Plan:
    """How the nearest chunks are found: ids, scores, and how many the index brought. Where it brings fewer than
    `least` it may have left some out, and every row has to be compared."""

    encoded: _Encoded
    statement: scope.Statement
    least: int


def _plan(where: scope.Scope, encoded: _Encoded, rows: int, wanted: int) -> _Plan:
    """Chosen here, from the number of rows in scope, not by the planner."""
    if _is_exact(rows, encoded.space):
        return _Plan(encoded, _nearest(where, encoded, wanted), 0)
    fetched, breadth = (max(wanted, CENTRED_CANDIDATES), CENTRED_EF_SEARCH) if encoded.centres else (wanted, EF_SEARCH)
    if encoded.space.indexed == Storage.BINARY:
        fetched = max(fetched, BINARY_CANDIDATES)
    settings = {
        "hnsw.ef_search": min(max(breadth, fetched), 1_000),  # pgvector takes no more
        "hnsw.iterative_scan": "relaxed_order",
    }
    return _Plan(encoded, _nearest_by_index(where, encoded, fetched, wanted, settings), fetched)


def _completed(
    where: scope.Scope, plans: Sequence[_Plan], found: Sequence[list[scope.Row]], wanted: int
) -> list[list[scope.Row]]:
    """What was found; what the index left short is completed by an exact scan."""
    brought = [rows[0][2] if rows else 0 for rows in found]
    short = [place for place, plan in enumerate(plans) if brought[place] < plan.least]
    exact = scope.together([_nearest(where, plans[place].encoded, wanted) for place in short])
    whole = dict(zip(short, exact, strict=True))
    return [whole.get(place, rows) for place, rows in enumerate(found)]


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


def _nearest(where: scope.Scope, encoded: _Encoded, limit: int) -> scope.Statement:
    """Every row in scope compared; the best `limit`."""
    rows = where.embeddings(encoded.space.pk, encoded.collections)
    return _scored(where, encoded, rows, [], f"ORDER BY score DESC, chunk_id LIMIT {limit}")


def _nearest_by_index(
    where: scope.Scope, encoded: _Encoded, fetched: int, limit: int, settings: Mapping[str, object]
) -> scope.Statement:
    """The best `limit`, by all of their numbers, of those that the index brings first by what it holds of the raw
    embeddings."""
    nearest = spaces.distance(encoded.space, encoded.space.indexed)
    rows = f"{where.embeddings_by_index(encoded.space.pk, encoded.collections)} ORDER BY {nearest} LIMIT {fetched}"
    order = f"ORDER BY score DESC, chunk_id LIMIT {limit}"
    found = _scored(where, encoded, rows, [_literal(encoded.embedding)], order, brought="count(*) OVER ()")
    return replace(found, settings=settings)


def _scores_of(where: scope.Scope, encoded: _Encoded, chunk_ids: Collection[UUID]) -> scope.Statement:
    """The scores of given chunks in scope."""
    rows = f"{where.embeddings(encoded.space.pk, encoded.collections)} AND e.chunk_id = ANY(%s)"
    return _scored(where, encoded, rows, [scope.array(chunk_ids)], "")


def _scored(
    where: scope.Scope, encoded: _Encoded, rows: str, params: Sequence[Any], order: str, *, brought: str = "0"
) -> scope.Statement:
    """Ids and scores of these rows: the inner product with the query, both centred if the query is. Stored are raw
    embeddings; of a centred one d' = (d - m) / |d - m|, and its product with q is (q·d - q·m) / |d - m|."""
    size = encoded.space.dimensions
    near = f"(n.embedding <#> %s::halfvec({size}))"  # the negative inner product
    embeddings = f"(SELECT e.chunk_id, e.language, e.embedding::halfvec({size}) AS embedding {rows}) n"
    asked = _literal(encoded.embedding)
    centres = encoded.centres
    if centres is None:
        statement = f"SELECT chunk_id, -{near} AS score, {brought} FROM {embeddings} {order}"
        return scope.Statement(statement, [asked, *where.params, *params])
    values = ", ".join([f"(%s, %s::halfvec({size}), %s::float8, %s::float8)"] * len(centres.names))
    statement = f"""WITH centres (language, mean, along, squared) AS (VALUES {values})
        SELECT chunk_id,
          (-{near} - m.along) / sqrt(greatest(1 + 2 * (n.embedding <#> m.mean) + m.squared, 1e-6)) AS score, {brought}
        FROM {embeddings} JOIN centres m ON m.language = CASE WHEN n.language = ANY(%s) THEN n.language ELSE '' END
        {order}"""
    along = centres.along(encoded.embedding)
    described = [
        value for row in zip(centres.names, centres.literals, along, centres.squares, strict=True) for value in row
    ]
    return scope.Statement(statement, [*described, asked, *where.params, *params, list(centres.names)])


def _literal(embedding: Embeddings) -> str:
    """An embedding as it is written in a statement. Five digits say all that half precision holds."""
    return ("[" + ",".join(["%.5g"] * len(embedding)) + "]") % tuple(embedding.tolist())
