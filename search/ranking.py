"""The order of candidates: meaning and words brought together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

LEXICAL_WEIGHT = 0.3
"""How far a passage that covers every word of the query moves from its score by meaning towards 1 (measured:
docs/decisions.md)."""


@dataclass(frozen=True)
class Candidate:
    """A chunk in the running. `semantic` is None where there is no embedding to compare, `lexical` is the share of the
    query's weight in words it covers, `matched` the telling words."""

    chunk_id: UUID
    semantic: float | None = None
    lexical: float | None = None
    matched: tuple[str, ...] = ()
    fused: float = 0.0


def fuse(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Candidates with their fused score, 0 to 1, best first.

    The two scores are joined as evidence, not by rank: 1 - (1 - semantic)(1 - w * lexical^3). Across languages hardly
    a word of the query is covered, the cube makes little of little, and meaning alone decides; an exact code or
    name covers much and wins. Ranks of equal weight would let the first of a meaningless list of words win.
    """
    if all(one.semantic is None for one in candidates):
        fused = [replace(one, fused=one.lexical or 0.0) for one in candidates]
    else:
        fused = [replace(one, fused=_joined(one)) for one in candidates]
    return sorted(fused, key=lambda one: (-one.fused, str(one.chunk_id)))


def _joined(one: Candidate) -> float:
    words = (one.lexical or 0.0) ** 3
    return 1.0 - (1.0 - max(0.0, one.semantic or 0.0)) * (1.0 - LEXICAL_WEIGHT * words)
