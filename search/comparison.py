"""Two spaces of one collection side by side, before it is switched: do the same passages come, and the right ones?

Golden queries say it best. Where there are none, the questions are the collection's own headings and sentences, chosen
at random: the document that each was taken from is known to answer it. What share of the first ten passages is the same
says how much people will see change.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from uuid import UUID

from django.contrib.auth.models import AnonymousUser

from embeddings.models import Space
from embeddings.queries import EncoderAway
from kb import boundaries
from kb.models import Chunk, Collection, Reembedding, User
from search import retrieval, runs
from search.hits import BadQuery, Hit, Query
from search.models import EvaluationRun, RunState

QUESTIONS = 20
DEPTH = 10

_LONGEST = 300
"""Characters of a sentence that is asked."""


@dataclass(frozen=True)
class Asked:
    """A question, what share of the first ten passages is the same, and whether each space found the document."""

    question: str
    overlap: float
    before: bool
    after: bool


@dataclass(frozen=True)
class Comparison:
    """What was asked, the one that changed most first."""

    asked: list[Asked]

    @property
    def overlap(self) -> float:
        """The mean share of the first ten passages that is the same."""
        return fmean(one.overlap for one in self.asked)

    @property
    def before(self) -> float:
        """The share of questions for which the source found the document."""
        return fmean(one.before for one in self.asked)

    @property
    def after(self) -> float:
        """The share of questions for which the target found the document."""
        return fmean(one.after for one in self.asked)


def golden(user: User, reembedding: Reembedding) -> tuple[EvaluationRun, EvaluationRun] | None:
    """Source and target measured by the collection's golden queries since the target was complete: runs that may still
    be under way. None where no golden query says what answers it."""
    try:
        return _run(user, reembedding, reembedding.source_id), _run(user, reembedding, reembedding.target_id)
    except runs.Unmeasurable:
        return None


def _run(user: User, reembedding: Reembedding, space_id: UUID) -> EvaluationRun:
    measured = EvaluationRun.objects.filter(collection=reembedding.collection_id, space=space_id, reranker="")
    known = (
        measured.exclude(state=RunState.FAILED)
        .filter(created_at__gte=reembedding.embedded_at or reembedding.created_at)
        .first()
    )
    return known or runs.start(user, reembedding.collection, space_id=space_id)


def compare(user: User | AnonymousUser, reembedding: Reembedding) -> Comparison | None:
    """Source and target of a re-embedding side by side; None where there is nothing to ask. Raises EncoderAway when one
    of them is not served."""
    collection = reembedding.collection
    live = Chunk.objects.filter(revision__live_for__collection=collection).select_related("revision")
    asked = [_ask(user, reembedding, chunk) for chunk in live.defer("lexemes").order_by("?")[:QUESTIONS]]
    return Comparison(sorted(asked, key=lambda one: one.overlap)) if asked else None


def _ask(user: User | AnonymousUser, reembedding: Reembedding, chunk: Chunk) -> Asked:
    question = _question(chunk)
    before = _hits(user, reembedding.collection, reembedding.source, question)
    after = _hits(user, reembedding.collection, reembedding.target, question)
    same = {hit.citation.id for hit in before} & {hit.citation.id for hit in after}
    return Asked(
        question,
        len(same) / max(1, len(before), len(after)),
        _has_document(before, chunk),
        _has_document(after, chunk),
    )


def _question(chunk: Chunk) -> str:
    """The heading a passage stands under, or its first sentence."""
    if chunk.heading_path:
        return chunk.heading_path[-1][:_LONGEST]
    whole = (0, len(chunk.text))
    start, end = next(boundaries.sentences(chunk.text, *whole, language=chunk.language), whole)
    return chunk.text[start:end].strip()[:_LONGEST]


def _hits(user: User | AnonymousUser, collection: Collection, space: Space, question: str) -> Sequence[Hit]:
    query = Query(question, collections=(str(collection.pk),), limit=DEPTH, mode="semantic", rerank=False)
    try:
        answer = retrieval.search(user, query, space_id=space.pk)
    except BadQuery:
        return []  # a sentence that is no question: a minus and a word
    if answer.degraded:
        raise EncoderAway(answer.degraded)
    return answer.hits


def _has_document(hits: Sequence[Hit], chunk: Chunk) -> bool:
    return any(hit.citation.document_id == chunk.revision.document_id for hit in hits)
