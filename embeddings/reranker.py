"""What a reranker is: a query and passages in, for each passage the chance that it answers out."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Odds = NDArray[np.float32]
"""float32 [n]: the log-odds that each passage answers; 0 is an even chance. Unlike chances near 0 and 1, two of them
are told apart."""

Chances = NDArray[np.float64]
"""float64 [n], between 0 and 1."""

Turn = Callable[[], AbstractContextManager[None]]
"""Gives the device for one micro-batch."""

LARGEST = 30.0
"""Log-odds of what a reranker that gives chances is certain of."""


class Reranker(Protocol):
    """Reads a query and a passage together."""

    def score(
        self,
        query: str,
        passages: Sequence[str],
        *,
        instruction: str = "",
        turn: Turn = nullcontext,
    ) -> Odds:
        """The log-odds of each passage, in their order. `instruction` says what is looked for, for rerankers that take
        one; each micro-batch is computed within a `turn`. Raises RerankerError or QueryTooLong."""
        ...


class RerankerError(Exception):
    """The reranker cannot be had, or gave something that is no score."""


class QueryTooLong(Exception):
    """The query leaves no room for a passage."""


def check(odds: Odds, *, passages: int) -> Odds:
    """The same, where they are as many finite numbers as passages. Raises RerankerError."""
    if odds.shape != (passages,):
        raise RerankerError(f"The reranker gave {odds.shape} scores, not {passages}.")
    if not np.isfinite(odds).all():
        raise RerankerError("The reranker gave scores that are not finite.")
    return odds


def chances(odds: Odds) -> Chances:
    """What log-odds stand for."""
    found: Chances = 1.0 / (1.0 + np.exp(-np.clip(odds.astype(np.float64), -LARGEST, LARGEST)))
    return found


def odds_of(given: Chances) -> Odds:
    """The log-odds of chances."""
    with np.errstate(divide="ignore"):
        found: Odds = np.clip(np.log(given) - np.log1p(-given), -LARGEST, LARGEST).astype(np.float32)
    return found
