"""The shape of a page: what says the same is folded, hits of one document are grouped, neighbours come along, and the
next page begins where this one ended."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from math import ceil
from uuid import UUID

import regex
from django.contrib.auth.models import AnonymousUser
from django.db.models import Q

from kb import lexemes
from kb.models import Chunk, User
from search import citations, passages, ranking
from search.hits import Cursor, Hit, Neighbour, Query, Scores, Twin
from search.passages import Passage
from search.ranking import Candidate
from search.reranking import Reranking
from search.scope import Scope

DEEPEST = 1_000
"""The last rank there is: nobody reads so far, and whoever wants all passages can list them."""

GROUPED = 3
"""Further hits that are shown of one document, where hits are grouped."""

_ALIKE = 0.8
"""The share of word triples that two passages which say the same have in common (Broder's resemblance)."""

_OVERLAP = 0.2
"""The share of the shorter of two passages of one revision that both have, when they overlap."""

_CLOSE = 0.05
"""Passages that say the same are this close in meaning: others need no comparing."""

_SPARE = 4
"""So many candidates are fetched beyond those shown, as some will be folded."""

_STRETCH = 500
"""Characters."""

_WORD = regex.compile(r"[\p{L}\p{M}\p{N}]+")
_NUMBER = regex.compile(r"\p{Nd}+")


@dataclass
class Shaped:
    """A candidate with its passage, others that said the same, and further ones of its document."""

    candidate: Candidate
    passage: Passage
    twins: list[Passage] = field(default_factory=list)
    more: list["Shaped"] = field(default_factory=list)


@dataclass(frozen=True)
class Page:
    """What one page shows. `documents` are those of all hits down to its end, and `kept` the chunks that they and their
    further hits are, where they are grouped; `best` is the highest score there is on any page; `ends`: what stands
    below all this has less than the least score asked for; `reranked`: the order is the reranker's."""

    shown: list[Shaped]
    documents: frozenset[UUID]
    kept: frozenset[UUID]
    first_rank: int
    has_more: bool
    best: float
    ends: bool
    reranked: bool
    next: Cursor | None


def page(where: Scope, query: Query, ranked: Iterator[Candidate], reranking: Reranking) -> Page:
    """The hits of the page asked for, of candidates in their order."""
    fetched = max(query.reach, reranking.depth) + _SPARE
    folded = _folded(_standing(where, ranked, fetched), folding=query.folding)
    first = list(islice(folded, reranking.depth))
    chances = reranking.chances([one.passage for one in first])
    heads = _Heads(query, reranked=bool(chances))
    for one in chain(_reordered(first, chances), _lowered(folded, chances)):
        if not heads.take(one):
            break
    return heads.page()


def hits(user: User | AnonymousUser, query: Query, shaped: Page) -> list[Hit]:
    """The hits of a page, cited, with their neighbours."""
    beside = _neighbours(user, shaped.shown, query.context) if query.context else {}
    cited = [_hit(rank, one) for rank, one in enumerate(shaped.shown, start=shaped.first_rank)]
    if not beside:
        return cited
    return [
        replace(
            hit,
            before=_beside(one.passage, range(-query.context, 0), beside),
            after=_beside(one.passage, range(1, query.context + 1), beside),
        )
        for hit, one in zip(cited, shaped.shown, strict=True)
    ]


# --- In which order ---


def _reordered(first: list[Shaped], chances: Mapping[UUID, float]) -> list[Shaped]:
    """Best first in the eyes of the reranker; as they stood where it has said nothing."""
    for one in first:
        if chances:
            one.candidate = ranking.reranked(one.candidate, chances[one.passage.id])
    return sorted(first, key=lambda one: one.candidate.key)


def _lowered(others: Iterator[Shaped], chances: Mapping[UUID, float]) -> Iterator[Shaped]:
    least = min(chances.values(), default=1.0)
    for one in others:
        one.candidate = ranking.below(one.candidate, least)
        yield one


# --- Which hits ---


class _Heads:
    """The hits of all pages down to the one asked for, where hits are grouped the first of each document."""

    def __init__(self, query: Query, *, reranked: bool) -> None:
        self._query = query
        self._reranked = reranked
        self._of_document: dict[UUID, Shaped] = {}
        self._heads = 0
        self._below: list[Shaped] = []  # those that stand below the pages before
        self._best = 0.0
        self._ends = False

    def take(self, one: Shaped) -> bool:
        """Whether another is wanted after this one."""
        query, document = self._query, one.passage.document_id
        self._best = max(self._best, one.candidate.score)
        if query.min_score is not None and one.candidate.score < query.min_score:
            self._ends = True
            return False
        if query.group == "document" and document in self._of_document:
            self._of_document[document].more.append(one)
        else:
            self._of_document[document] = one
            if self._is_below(one):
                self._below.append(one)
            self._heads += 1
        # One more than the page shows, so that it is known that there are more.
        return len(self._below) <= query.limit or (query.group == "document" and not _are_full(self._shown))

    def page(self) -> Page:
        query, shown = self._query, self._shown
        before = query.after.rank if query.after else query.offset
        has_more = len(self._below) > query.limit and before + query.limit < DEEPEST
        following = self._cursor(shown[-1].candidate, rank=before + len(shown)) if shown and has_more else None
        documents = frozenset(self._of_document)
        kept = frozenset(one.passage.id for head in self._of_document.values() for one in (head, *head.more[:GROUPED]))
        return Page(shown, documents, kept, before + 1, has_more, self._best, self._ends, self._reranked, following)

    @property
    def _shown(self) -> list[Shaped]:
        return self._below[: self._query.limit]

    def _cursor(self, last: Candidate, *, rank: int) -> Cursor:
        return Cursor(rank, last.order, last.fused, last.chunk_id, self._reranked)

    def _is_below(self, one: Shaped) -> bool:
        after = self._query.after
        if after is None:
            return self._heads >= self._query.offset
        if after.reranked != self._reranked:  # the reranker is away now: this page begins where that one ended
            return self._heads >= after.rank
        return one.candidate.key > after.key


def _are_full(heads: Sequence[Shaped]) -> bool:
    """Whether each has as many further hits of its document as are shown; they may stand anywhere below."""
    return all(len(one.more) >= GROUPED for one in heads)


def _standing(where: Scope, ranked: Iterator[Candidate], size: int) -> Iterator[Shaped]:
    """The candidates with their passages, fetched as they are needed, twice as many each time; one that was deleted or
    hidden meanwhile is left out."""
    while some := list(islice(ranked, size)):
        found = passages.of(where, [one.chunk_id for one in some])
        yield from (Shaped(one, found[one.chunk_id]) for one in some if one.chunk_id in found)
        size *= 2


def _folded(standing: Iterator[Shaped], *, folding: bool) -> Iterator[Shaped]:
    """Those that say something else than all before them; the others are counted where they were said first."""
    kept: list[tuple[Shaped, _Said]] = []
    marked: dict[object, list[int]] = {}
    for one in standing:
        said = _Said(one.passage.text)
        marks = _marks(one, said) if folding else set()
        met = sorted({place for mark in marks for place in marked.get(mark, ())})
        same = next((kept[place][0] for place in met if _is_same(one, said, *kept[place])), None)
        if same is not None:
            same.twins.append(one.passage)
            continue
        for mark in marks:
            marked.setdefault(mark, []).append(len(kept))
        kept.append((one, said))
        yield one


def _marks(one: Shaped, said: "_Said") -> set[object]:
    """What two passages have one of in common, at least, when they are the same by `_is_same`: a stretch of their
    revision, or all numbers and one of the first few triples in an order that is the same for all (prefix filtering,
    Bayardo and others, WWW 2007). It spares the comparing of each with each, also where each row of a table is worded
    like the others."""
    passage, size = one.passage, len(said.triples)
    places = (*range(passage.start, passage.end, _STRETCH), passage.end - 1)
    stretches = {(passage.revision_id, at // _STRETCH) for at in places}
    decisive = sorted(map(hash, said.triples))[: size - ceil(_ALIKE * size) + 1] if size else [0]
    return {*stretches, *((said.numbers, triple) for triple in decisive)}


class _Said:
    """What a passage says, for comparing: its numbers, and the triples of its words."""

    def __init__(self, text: str) -> None:
        self.numbers = frozenset(_NUMBER.findall(text))
        words = _WORD.findall(text.casefold())
        if len(words) < len(text) / 20:  # few spaces, as in Chinese: characters do
            words = list("".join(words))
        followed = [*words, "", ""]
        self.triples = frozenset(zip(words, followed[1:], followed[2:], strict=False))


def _is_same(one: Shaped, said: _Said, first: Shaped, other: _Said) -> bool:
    if one.passage.revision_id == first.passage.revision_id:
        shared = min(one.passage.end, first.passage.end) - max(one.passage.start, first.passage.start)
        if shared > _OVERLAP * min(len(one.passage.text), len(first.passage.text)):
            return True
    if _apart(one.candidate, first.candidate) > _CLOSE or said.numbers != other.numbers:
        return False  # where a number is another, something else is said
    return len(said.triples & other.triples) >= _ALIKE * len(said.triples | other.triples)


def _apart(one: Candidate, other: Candidate) -> float:
    return abs((one.semantic or 0.0) - (other.semantic or 0.0))


# --- What a hit shows ---


def _hit(rank: int, one: Shaped) -> Hit:
    candidate, passage = one.candidate, one.passage
    return Hit(
        rank=rank,
        score=round(candidate.score, 4),
        scores=Scores(
            _rounded(candidate.semantic),
            _rounded(candidate.lexical),
            round(candidate.fused, 6),
            _rounded(candidate.rerank),
        ),
        text=passage.text,
        highlights=lexemes.spans(passage.text, set(candidate.matched), passage.language),
        language=passage.language,
        citation=citations.cite(passage),
        twins=tuple(Twin(other.document_id, (other.start, other.end)) for other in one.twins),
        more=tuple(_hit(rank, other) for other in one.more[:GROUPED]),
    )


def _neighbours(user: User | AnonymousUser, shown: Sequence[Shaped], context: int) -> dict[tuple[UUID, int], Neighbour]:
    """The passages beside these hits, by revision and ordinal, as far as this person may see them still."""
    wanted = Q(pk__in=[])
    for one in shown:
        passage = one.passage
        around = (passage.ordinal - context, passage.ordinal + context)
        wanted |= Q(revision=passage.revision_id, ordinal__range=around)
    rows = Chunk.objects.visible_to(user).filter(wanted).only("revision_id", "ordinal", "text", "start", "end")
    return {(row.revision_id, row.ordinal): Neighbour(row.pk, row.text, (row.start, row.end)) for row in rows}


def _beside(passage: Passage, steps: range, known: dict[tuple[UUID, int], Neighbour]) -> tuple[Neighbour, ...]:
    found = (known.get((passage.revision_id, passage.ordinal + step)) for step in steps)
    return tuple(neighbour for neighbour in found if neighbour)


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(score, 4)
