"""From a query to hits: by meaning, by words, fused; permission inside each statement."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TypeVar
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.utils.translation import gettext as _

from kb.models import User
from search import beside, lexical, meaning, nearest, ranking, scope, shape, statements, syntax
from search.clock import Clock
from search.hits import Answer, BadQuery, Mode, Query
from search.meaning import Encoded
from search.nearest import Near
from search.ranking import Candidate
from search.reranking import Reranking
from search.statements import Statement

CANDIDATES = 200
"""So many chunks each of the two searches brings to the fusion; more where deep pages ask for them. The first ten pages
are of one ranking."""

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
    _check(query)
    clock = Clock()
    example = meaning.example_of(user, query)
    where = scope.of(user, query)
    if where is None:
        return Answer(query, [], query.mode, "", has_more=False, nothing_good=True)
    reranking = Reranking(query, seconds=patience)
    begin = beside.begin if _is_by_both(query) else _at_last
    wanted = cache(begin(partial(lexical.wanted, _words_of(query))))
    with clock.time("retrieve"):
        inside = scope.Inside.of(user, where, space_id)
        sought = _Sought(query, where, _rows_in_scope(inside, where, query), max(query.reach, reranking.depth))
        asked = cache(begin(lambda: lexical.ask(where, wanted(), sought.rows, inside.passages)))
    encoded, degraded = meaning.encode(user, query, example, inside, clock)
    page = _page(sought, encoded, _InWords(wanted, asked), reranking, clock)
    if reranking.seconds:
        clock.move(reranking.seconds, out_of="rank", to="rerank")
    with clock.time("cite"):
        hits = shape.hits(user, query, page)
    return Answer(
        query,
        hits,
        _mode(query, encoded, degraded),
        degraded,
        has_more=page.has_more,
        nothing_good=page.best < ranking.GOOD or not (page.shown or page.first_rank > 1),
        next=page.next,
        seen=meaning.seen(query, encoded),
        reranked=page.reranked,
        not_reranked=reranking.why_not,
        reranker_away=reranking.is_away,
        timings_ms=clock.milliseconds,
        took_ms=round((time.perf_counter() - started) * 1000, 1),
    )


def _check(query: Query) -> None:
    if query.like is not None:
        return
    if not query.text.strip():
        raise BadQuery(_("Type what you are looking for."))
    if not syntax.parse(query.text).wanted:
        raise BadQuery(_("A minus leaves passages out. Say what you are looking for, too, or put it in quotes."))


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


@dataclass(frozen=True)
class _InWords:
    """The words of the query, and what each weighs: that is being asked for, or will be."""

    wanted: Callable[[], list[lexical.Wanted]]
    asked: Callable[[], lexical.Asked]


@dataclass(frozen=True)
class _Found:
    """The candidates of both searches. `is_cut` says that there may be more."""

    candidates: list[Candidate]
    is_cut: bool


def _mode(query: Query, encoded: Sequence[Encoded], degraded: str) -> Mode:
    """How was searched: what is like a passage is found by meaning, whatever was asked for; words are what is left
    where no encoder answers."""
    if degraded and not encoded:
        return "lexical"
    return "semantic" if query.like is not None else query.mode


def _is_by_both(query: Query) -> bool:
    """Whether what is asked for the sake of words is asked while meaning is seen to."""
    return query.mode == "hybrid" and query.like is None


def _is_by_words_alone(query: Query) -> bool:
    return query.mode == "lexical" and query.like is None


def _words_of(query: Query) -> str:
    return query.text if query.like is None else ""


Answered = TypeVar("Answered")


def _at_last(ask: Callable[[], Answered]) -> Callable[[], Answered]:
    """Asked when it is wanted."""
    return ask


def _page(
    sought: _Sought, encoded: Sequence[Encoded], in_words: _InWords, reranking: Reranking, clock: Clock
) -> shape.Page:
    """One page of hits. Where it is not full, as many candidates say the same, more are fetched; where they are of few
    documents and hits are grouped, those of others."""
    wanted, where, before, documents = sought.first_wanted, sought.where, list[Candidate](), frozenset[UUID]()
    while True:
        with clock.time("retrieve"):
            found = _retrieve(replace(sought, where=where), encoded, in_words, wanted)
        with clock.time("rank"):
            candidates = [*before, *found.candidates]
            ranked = ranking.fuse(candidates, _scale(encoded, candidates))
            page = shape.page(sought.where, sought.query, ranked, reranking)
        if page.has_more or not found.is_cut or page.ends:
            return page
        if sought.query.group == "document" and page.documents - documents:
            documents |= page.documents
            before = [one for one in candidates if one.chunk_id in page.kept]
            wanted, where = sought.first_wanted, sought.where.without(documents)
        elif wanted < MOST_CANDIDATES:
            wanted *= 4
        else:
            return page


def _scale(encoded: Sequence[Encoded], candidates: Sequence[Candidate]) -> ranking.Scale:
    if all(one.semantic is None for one in candidates):
        return ranking.WORDS
    return ranking.CENTRED if any(one.centres for one in encoded) else ranking.RAW


def _rows_in_scope(inside: scope.Inside, where: scope.Scope, query: Query) -> int:
    """How many rows may be found, about: what every plan is chosen by, and how rare a word is. The collections know how
    many they have; rows are counted only where a part of many is left, and only as far as a plan depends on it.

    What is quoted or left out is no smaller world: where many rows have it, words are as rare as in all of them."""
    known = inside.passages
    if known and (known <= lexical.FEW_ROWS or not where.narrowed):
        return known
    by_phrase = known and not where.filtered
    enough = lexical.FEW_ROWS if by_phrase and _is_by_words_alone(query) else nearest.EXACT_ROWS
    statement = f"SELECT count(*) FROM (SELECT 1 {where.chunks()} LIMIT {enough + 1}) counted"
    [(count,)] = statements.rows(statement, where.params)
    return max(known, count) if by_phrase and count > enough else int(count)


def _retrieve(sought: _Sought, encoded: Sequence[Encoded], in_words: _InWords, wanted: int) -> _Found:
    """What either search finds, each passage with both scores. One looks for words while the other does for meaning."""
    if not encoded:
        return _by_words(sought.where, in_words.asked(), wanted)
    lookups = [] if sought.query.mode == "semantic" else lexical.lookups(in_words.wanted())
    if not lookups:
        return _by_meaning(sought, _near(sought, encoded, [], wanted), wanted)
    worded = beside.begin(partial(_worded, sought.where, encoded, in_words.asked, wanted))
    near = _near(sought, encoded, lookups, wanted)
    covered, scores = worded()
    asked = in_words.asked()
    if not asked.there:
        return _by_meaning(sought, near, wanted)
    candidates = [_candidate(chunk_id, scores.get(chunk_id), words) for chunk_id, words in covered.items()]
    for found in near:
        words = lexical.words(asked, ((one.chunk_id, one.has) for one in found))
        others = (one for one in found if one.chunk_id not in covered)
        candidates += [_candidate(one.chunk_id, one.score, words[one.chunk_id]) for one in others]
    return _Found(candidates, _is_cut(near, wanted) or len(covered) >= wanted)


def _by_words(where: scope.Scope, asked: lexical.Asked, wanted: int) -> _Found:
    covered = lexical.best_alone(where, asked, wanted)
    candidates = [_candidate(chunk_id, None, words) for chunk_id, words in covered.items()]
    return _Found(candidates, len(covered) >= min(wanted, lexical.DRIVERS))


def _by_meaning(sought: _Sought, near: Sequence[Sequence[Near]], wanted: int) -> _Found:
    scores = _scores(near)
    scores.pop(sought.query.like, None)  # type: ignore[arg-type]  # a passage resembles itself
    return _Found([Candidate(chunk_id, score) for chunk_id, score in scores.items()], _is_cut(near, wanted))


def _near(sought: _Sought, encoded: Sequence[Encoded], lookups: Sequence[str], wanted: int) -> list[list[Near]]:
    """The nearest in meaning, in each of the spaces, and which of the words each has."""
    plans = [nearest.plan(sought.where, one, sought.rows, wanted) for one in encoded]
    found = nearest.found([_flagged(plan.statement, lookups) for plan in plans])
    short = [place for place, plan in enumerate(plans) if plan.is_short(found[place])]
    exact = nearest.found([_flagged(plans[place].exact, lookups) for place in short])
    for place, whole in zip(short, exact, strict=True):
        found[place] = whole
    return found


def _flagged(finding: Statement, lookups: Sequence[str]) -> Statement:
    return lexical.with_words(lookups, finding) if lookups else finding


def _worded(
    where: scope.Scope, encoded: Sequence[Encoded], asked: Callable[[], lexical.Asked], wanted: int
) -> tuple[dict[UUID, lexical.Words], dict[UUID, float]]:
    """Those that cover most of the words, and how near they are in meaning."""
    covered = lexical.best(where, asked(), wanted)
    if not covered:
        return {}, {}
    return covered, _scores(nearest.found([nearest.scores_of(where, one, covered) for one in encoded]))


def _candidate(chunk_id: UUID, score: float | None, words: lexical.Words) -> Candidate:
    return Candidate(chunk_id, score, words.coverage, words.matched, words.coded, words.nearness)


def _scores(near: Sequence[Sequence[Near]]) -> dict[UUID, float]:
    return {one.chunk_id: one.score for found in near for one in found}


def _is_cut(near: Sequence[Sequence[Near]], wanted: int) -> bool:
    return any(len(found) >= wanted for found in near)
