"""Who may use the device: queries before passages."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Priority:
    """A lock with two classes: whoever waits in `first()` gets it before the holder of `after()` takes it again."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._held = False
        self._first_waiting = 0

    @contextmanager
    def first(self) -> Iterator[None]:
        with self._condition:
            self._first_waiting += 1
            self._condition.wait_for(lambda: not self._held)
            self._first_waiting -= 1
            self._held = True
        try:
            yield
        finally:
            self._release()

    @contextmanager
    def after(self) -> Iterator[None]:
        self._acquire_after()
        try:
            yield
        finally:
            self._release()

    def give_way(self) -> None:
        """Called by the holder of `after()` between two micro-batches."""
        with self._condition:
            if not self._first_waiting:
                return
        self._release()
        self._acquire_after()

    def _acquire_after(self) -> None:
        with self._condition:
            self._condition.wait_for(lambda: not self._held and not self._first_waiting)
            self._held = True

    def _release(self) -> None:
        with self._condition:
            self._held = False
            self._condition.notify_all()
