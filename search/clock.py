"""What each step of a search took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Clock:
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
