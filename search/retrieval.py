"""From a query to hits: by meaning, by words, fused; permission inside each statement."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.utils.translation import gettext as _

from kb.models import User
from search import beside, lexical, meaning, nearest, ranking, scope, shape, statements
from search.clock import Clock
from search.hits import Answer, BadQuery, Mode, Query
from search.meaning import Encoded
from search.ranking import Candidate
from search.reranking import Reranking

CANDIDATES = 200
"""So many chunks each of the two searches brings to the fusion; more where deep pages ask for them. The first ten pages
are of one ranking."""

CERTAIN = 20
"""So many hits more than twice those of a page are brought into their exact order."""

MOST_CANDIDATES = 3_200
"""So many at most: where more passages than this say the same, what stands below them is not found."""


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
    clock = Clock()
    example = meaning.example_of(user, query)
    where = scope.of(user, query)
    if where is None:
        return Answer(query, [], query.mode, "", has_more=False, nothing_good=True)
    reranking = Reranking(query, seconds=patience)
    with clock.time("retrieve"):
        inside = scope.Inside.of(user, where, space_id)
        sought = _Sought(query, where, _rows_in_scope(inside, where), max(query.reach, reranking.depth))
        words = _begin_words(sought, sought.first_wanted)
    encoded, degraded = meaning.encode(user, query, example, inside, clock)
    page = _page(sought, encoded, words, reranking, clock)
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
        seen=meaning.seen(query, encoded),
        reranked=page.reranked,
        not_reranked=reranking.why_not,
        reranker_away=reranking.is_away,
        timings_ms=clock.milliseconds,
        took_ms=round((time.perf_counter() - started) * 1000, 1),
    )


@dataclass(frozen=True)
class _Sought:
    """What is looked for, where, in how many rows, about, and how deep: as many of the best have to be found."""

    query: Query
    where: scope.Scope
    rows: int
    reach: int

    @property
    def first_wanted(self) -> int:
        """How many candidates each of the two searches brings at first."""
        return max(CANDIDATES, 2 * self.reach)

    def sure(self, wanted: int) -> int:
        """How many of the first are certain to be the first: more than are shown or reranked, as some will be folded.
        All, where that was not enough, or where a document may have many."""
        everything = wanted > self.first_wanted or self.query.group == "document"
        return MOST_CANDIDATES if everything else 2 * self.reach + CERTAIN


_Words = Callable[[], lexical.Found]


@dataclass(frozen=True)
class _Found:
    """The candidates of both searches. `is_cut` says that there may be more; behind the first `sure` ones others may
    be missing."""

    candidates: list[Candidate]
    is_cut: bool
    sure: int = MOST_CANDIDATES


def _begin_words(sought: _Sought, wanted: int) -> _Words:
    """In a search by both, the words are looked for while the query is encoded and its neighbours are."""
    is_by_both = sought.query.mode == "hybrid" and sought.query.like is None
    find = partial(_find_words, sought, wanted, alone=not is_by_both)
    return beside.begin(find) if is_by_both else find


def _find_words(sought: _Sought, wanted: int, *, alone: bool) -> lexical.Found:
    return lexical.find(sought.where, sought.query, rows=sought.rows, limit=wanted, alone=alone)


def _page(sought: _Sought, encoded: Sequence[Encoded], words: _Words, reranking: Reranking, clock: Clock) -> shape.Page:
    """One page of hits. Where so many candidates say the same that the page is not full, more are fetched."""
    wanted = sought.first_wanted
    while True:
        with clock.time("retrieve"):
            found = _retrieve(sought, encoded, words, wanted)
        with clock.time("rank"):
            ranked = ranking.fuse(found.candidates, _scale(encoded, found.candidates))[: found.sure]
            page = shape.page(sought.where, sought.query, ranked, reranking)
        if page.has_more or not found.is_cut or page.ends or wanted >= MOST_CANDIDATES:
            return page
        wanted *= 4
        words = _begin_words(sought, wanted)


def _scale(encoded: Sequence[Encoded], candidates: Sequence[Candidate]) -> ranking.Scale:
    if all(one.semantic is None for one in candidates):
        return ranking.WORDS
    return ranking.CENTRED if any(one.centres for one in encoded) else ranking.RAW


def _rows_in_scope(inside: scope.Inside, where: scope.Scope) -> int:
    """How many rows may be found, about: what every plan is chosen by. The collections know how many they have; rows
    are counted only where filters leave a part of many."""
    known = inside.passages
    if known and (known <= lexical.FEW_ROWS or not where.narrowed):
        return known
    statement = f"SELECT count(*) FROM (SELECT 1 {where.chunks()} LIMIT {nearest.EXACT_ROWS + 1}) counted"
    [(count,)] = statements.rows(statement, where.params)
    return int(count)


def _retrieve(sought: _Sought, encoded: Sequence[Encoded], words: _Words, wanted: int) -> _Found:
    if not encoded:
        return _Found([], is_cut=False) if sought.query.like else _by_words(sought, words(), wanted)
    plans = [nearest.plan(sought.where, one, sought.rows, wanted) for one in encoded]
    near = nearest.completed(sought.where, plans, statements.together([plan.statement for plan in plans]), wanted)
    if sought.query.like is not None or sought.query.mode == "semantic":
        return _by_meaning(sought, near, wanted)
    found = words()
    if not found.asked.terms:
        return _by_meaning(sought, near, wanted)
    return _by_both(sought, encoded, near, found, wanted)


def _by_meaning(sought: _Sought, near: Sequence[Sequence[statements.Row]], wanted: int) -> _Found:
    scores = _scores(near)
    scores.pop(sought.query.like, None)  # type: ignore[arg-type]  # a passage resembles itself
    return _Found([Candidate(chunk_id, score) for chunk_id, score in scores.items()], _is_cut(near, wanted))


def _by_words(sought: _Sought, found: lexical.Found, wanted: int) -> _Found:
    """Where there are words alone, those that cover little are better than none."""
    if not found.asked.alone:  # meaning was to be asked for too, and then nobody encoded the query
        found = _find_words(sought, wanted, alone=True)
    covered = lexical.completed(sought.where, found, rows=sought.rows, limit=wanted)
    candidates = [
        Candidate(chunk_id, None, words.coverage, words.matched, words.nearness) for chunk_id, words in covered.items()
    ]
    return _Found(candidates, len(covered) >= wanted)


def _by_both(
    sought: _Sought,
    encoded: Sequence[Encoded],
    brought: Sequence[Sequence[statements.Row]],
    found: lexical.Found,
    wanted: int,
) -> _Found:
    """Found by either search, each passage is scored by meaning and by words in the same way, as far as it may come to
    stand among the first, which are certain."""
    near, covered, sure = _scores(brought), found.best, sought.sure(wanted)
    either = _either(near, covered)
    chosen = ranking.contenders(
        either,
        sure,
        farther=max((rows[-1][1] for rows in brought if len(rows) >= wanted), default=0.0),
        uncovered=lexical.uncovered(found.asked, covered, rows=sought.rows, limit=wanted),
    )
    is_cut = _is_cut(brought, wanted) or len(covered) >= wanted or len(either) > min(len(chosen), sure)
    return _Found(_by_each(sought.where, encoded, found.asked, chosen), is_cut, sure)


def _either(near: Mapping[UUID, float], covered: Mapping[UUID, lexical.Words]) -> list[Candidate]:
    """What either search found, each with the scores that are known so far."""
    found = [_candidate(chunk_id, score, covered.get(chunk_id)) for chunk_id, score in near.items()]
    return found + [_candidate(chunk_id, None, words) for chunk_id, words in covered.items() if chunk_id not in near]


def _by_each(
    where: scope.Scope, encoded: Sequence[Encoded], asked: lexical.Asked, found: Sequence[Candidate]
) -> list[Candidate]:
    """The same with both scores: by meaning also what was found by words alone, by words what was found by meaning."""
    unscored = [one.chunk_id for one in found if one.semantic is None]
    uncovered = [one.chunk_id for one in found if one.lexical is None]
    scoring = [nearest.scores_of(where, one, unscored) for one in encoded] if unscored else []
    covering = [lexical.cover(where, asked, uncovered)] if uncovered else []
    rows = statements.together([*scoring, *covering])
    scores = _scores(rows[: len(scoring)])
    words = lexical.words(asked, rows[-1] if covering else [])
    whole = [one for one in found if one.semantic is not None and one.lexical is not None]
    whole += [one._replace(semantic=scores.get(one.chunk_id)) for one in found if one.semantic is None]
    return whole + [
        _candidate(one.chunk_id, one.semantic, words.get(one.chunk_id, lexical.NOTHING))
        for one in found
        if one.lexical is None
    ]


def _candidate(chunk_id: UUID, score: float | None, words: lexical.Words | None) -> Candidate:
    if words is None:
        return Candidate(chunk_id, score)
    return Candidate(chunk_id, score, words.coverage, words.matched, words.nearness)


def _scores(found: Sequence[Sequence[statements.Row]]) -> dict[UUID, float]:
    return {row[0]: row[1] for rows in found for row in rows}


def _is_cut(found: Sequence[Sequence[statements.Row]], wanted: int) -> bool:
    return any(len(rows) >= wanted for rows in found)
