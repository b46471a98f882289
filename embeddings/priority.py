"""Who may use the device: queries first, then the passages that a reranker reads for one, then all other passages."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_FIRST, _SECOND, _AFTER = range(3)


class Priority:
    """A lock with three classes: whoever waits in `first()` gets it before whoever waits in `second()`, and both before
    the holder of `after()` takes it again."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._held = False
        self._waiting = [0, 0, 0]

    @contextmanager
    def first(self) -> Iterator[None]:
        with self._holding(_FIRST):
            yield

    @contextmanager
    def second(self) -> Iterator[None]:
        """For one micro-batch at a time: there is no giving way inside."""
        with self._holding(_SECOND):
            yield

    @contextmanager
    def after(self) -> Iterator[None]:
        with self._holding(_AFTER):
            yield

    def give_way(self) -> None:
        """Called by the holder of `after()` between two micro-batches."""
        with self._condition:
            if not any(self._waiting[:_AFTER]):
                return
        self._release()
        self._acquire(_AFTER)

    @contextmanager
    def _holding(self, which: int) -> Iterator[None]:
        self._acquire(which)
        try:
            yield
        finally:
            self._release()

    def _acquire(self, which: int) -> None:
        with self._condition:
            self._waiting[which] += 1
            self._condition.wait_for(lambda: not self._held and not any(self._waiting[:which]))
            self._waiting[which] -= 1
            self._held = True

    def _release(self) -> None:
        with self._condition:
            self._held = False
            self._condition.notify_all()
