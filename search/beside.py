"""Questions to the database beside those that this thread asks, so that one does not wait for the other."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

from django.db import OperationalError, close_old_connections, connection

THREADS = 8
"""As many as a web process has; each has a connection of its own, once it was needed."""

Found = TypeVar("Found")


class _NoConnection(Exception):
    """The database takes no more of them."""


def begin(ask: Callable[[], Found]) -> Callable[[], Found]:
    """Begin to ask in another thread, on a connection of its own; what is given waits for the answer, or raises what
    asking raised. Within a transaction nothing is begun, as another connection would not see what stands in it; where
    there is none to be had, it is asked on this one."""
    if connection.in_atomic_block:
        return ask
    begun = threads(os.getpid()).submit(_alone, ask)

    def answer() -> Found:
        try:
            return begun.result()
        except _NoConnection:
            return ask()

    return answer


@cache
def threads(process: int) -> ThreadPoolExecutor:
    """Those of a process: they do not come along into a forked one."""
    return ThreadPoolExecutor(THREADS, thread_name_prefix=f"beside-{process}")


def _alone(ask: Callable[[], Found]) -> Found:
    """Django closes connections that broke or are old only around requests."""
    close_old_connections()
    try:
        connection.ensure_connection()
    except OperationalError as error:
        raise _NoConnection from error
    try:
        return ask()
    finally:
        close_old_connections()
