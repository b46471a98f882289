"""Waiting for something to become true, with a limit."""

import time
from collections.abc import Callable

SECONDS = 20.0


def until(holds: Callable[[], object], *, seconds: float = SECONDS) -> None:
    """Return as soon as it holds; fail when it does not within the limit."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"it did not come true within {seconds:g} s"
        time.sleep(0.02)
