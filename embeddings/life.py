"""Signs of life in Redis: who serves something says so again and again, and is taken for gone after a silence.

Several processes may serve the same; each sign says whose it is, so that nobody takes another's away.
"""

import uuid

import redis

LEAVE_MILLISECONDS = 1_500
"""So long after it took its leave is a process taken for one that serves: within a second another that does has said
so, and there is no gap between the two."""

_OWN = uuid.uuid4().bytes


def show(connection: redis.Redis, key: str, *, seconds: int) -> None:
    """Say that this process serves, for so many seconds."""
    connection.set(key, _OWN, ex=seconds)


def leave(connection: redis.Redis, key: str) -> None:
    """Say that it will soon do so no longer."""
    if connection.get(key) == _OWN:
        connection.pexpire(key, LEAVE_MILLISECONDS)
