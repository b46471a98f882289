"""The order of candidates: meaning and words brought together, and what their scores are worth."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

LEXICAL_WEIGHT = 0.3
"""How far a passage that covers every word of the query moves from its score by meaning towards 1 (measured:
docs/decisions.md)."""


CODED_WEIGHT = 0.5
"""The same for a passage that has the codes of the query, and hardly another has them (measured: docs/decisions.md)."""


@dataclass(frozen=True)
class Scale:
    """What a fused score is worth: the chance that the passage answers is 1 / (1 + exp(-slope * (fused - middle))).
    Fitted to the right and wrong passages among the first ten for XQuAD's questions (docs/decisions.md)."""

    slope: float
    middle: float

    def chance(self, fused: float) -> float:
        """Between 0 and 1; grows with the score, so it changes no order."""
        return 1.0 / (1.0 + math.exp(-self.slope * (fused - self.middle)))


CENTRED = Scale(21.0, 0.447)
RAW = Scale(26.0, 0.884)
"""For scores centred by language and for raw ones, both of the bundled encoder."""

WORDS = Scale(8.0, 0.5)
"""For the share of the words alone: half of their weight is an even chance. Set, not fitted."""

GOOD = 0.05
"""Where not even the best passage has this chance, nothing good was found: so it is for one in twenty of XQuAD's
questions, and for one in four when the right paragraph is taken away and others of its article stay."""


class Candidate(NamedTuple):
    """A chunk in the running. `semantic` is None where there is no embedding to compare, `lexical` is the share of the
    query's weight in words it covers, `matched` the telling words, `coded` the share of the query's codes it has, as
    far as they are rare, `nearness` how close together its words stand. `fused` is what the order is made by before a
    reranker has read it, `rerank` the chance that it answers in the reranker's eyes, `score` that chance or, without a
    reranker, the one that `fused` stands for."""

    chunk_id: UUID
    semantic: float | None = None
    lexical: float | None = None
    matched: tuple[str, ...] = ()
    coded: float = 0.0
    nearness: float = 0.0
    fused: float = 0.0
    score: float = 0.0
    rerank: float | None = None

    @property
    def order(self) -> float:
        """The higher, the earlier. What a reranker has read stands above all that it has not: fused scores end at 1."""
        return self.fused if self.rerank is None else 1.0 + self.rerank

    @property
    def key(self) -> tuple[float, float, int]:
        """What candidates are sorted by. No two have the same; what is alike to a reranker stays as it was."""
        return -self.order, -self.fused, self.chunk_id.int


def fuse(candidates: Sequence[Candidate], scale: Scale) -> Iterator[Candidate]:
    """Candidates with their fused score, 0 to 1, best first.

    The scores are joined as evidence, not by rank: 1 - (1 - semantic)(1 - w * lexical^3)(1 - c * coded). Across
    languages hardly a word of the query is covered, the cube makes little of little, and meaning alone decides; a name
    covers much and wins. A code says the same in every language, so it counts by itself, however many words stand
    beside it. Ranks of equal weight would let the first of a meaningless list of words win. Where there are only words,
    those that stand closer together win among equals.
    """
    joined = _worded if all(one.semantic is None for one in candidates) else _joined
    ordered = sorted((-joined(one), one.chunk_id.int, one) for one in candidates)
    return (one._replace(fused=-fused, score=scale.chance(-fused)) for fused, _id, one in ordered)


def reranked(one: Candidate, chance: float) -> Candidate:
    """A candidate that a reranker gives this chance."""
    return one._replace(rerank=chance, score=chance)


def below(one: Candidate, least: float) -> Candidate:
    """A candidate below those that were reranked, of which none has less than this chance: it has no more."""
    return one._replace(score=min(one.score, least))


def fused(semantic: float, lexical: float, coded: float) -> float:
    """The scores in one. Grows with each."""
    return 1.0 - (1.0 - max(0.0, semantic)) * (1.0 - LEXICAL_WEIGHT * lexical**3) * (1.0 - CODED_WEIGHT * coded)


def _worded(one: Candidate) -> float:
    """Nearness moves a score by less than any word does, so that no page has to know what stands on the next ones."""
    return (one.lexical or 0.0) * (0.9999 + 0.0001 * min(one.nearness, 1.0))


def _joined(one: Candidate) -> float:
    return fused(one.semantic or 0.0, one.lexical or 0.0, one.coded)
