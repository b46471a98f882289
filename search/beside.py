"""Questions to the database beside those that this thread asks, so that one does not wait for the other."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import close_old_connections, connection

THREADS = 8
"""As many as a web process has: each search needs one at most."""

Found = TypeVar("Found")

_threads = ThreadPoolExecutor(THREADS, thread_name_prefix="beside")


def begin(ask: Callable[[], Found]) -> Callable[[], Found]:
    """Begin to ask in another thread, on a connection of its own; what is given waits for the answer, or raises what
    asking raised. Within a transaction nothing is begun: another connection would not see what stands in it."""
    if connection.in_atomic_block:
        return ask
    return _threads.submit(_alone, ask).result


def _alone(ask: Callable[[], Found]) -> Found:
    """Django closes connections that broke or are old only around requests."""
    close_old_connections()
    try:
        return ask()
    finally:
        close_old_connections()
