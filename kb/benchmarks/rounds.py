"""Contenders that take turns, so that a slow minute of the machine counts on all sides."""

from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from time import perf_counter

Seconds = Mapping[str, Sequence[float]]
"""By contender, round by round."""


def run(contenders: Mapping[str, Callable[[], object]], rounds: int) -> Seconds:
    """The time each contender takes, another one first in each round."""
    seconds: dict[str, list[float]] = defaultdict(list)
    order = deque(contenders)
    for _number in range(rounds):
        for name in order:
            begun = perf_counter()
            contenders[name]()
            seconds[name].append(perf_counter() - begun)
        order.rotate(1)
    return dict(seconds)


def times_as_fast(seconds: Seconds, one: str, other: str) -> float:
    """How many times as fast as `other` `one` is: the median of the rounds."""
    return median(theirs / ours for ours, theirs in zip(seconds[one], seconds[other], strict=True))
