"""Signs of life in Redis: who serves something says so again and again, and is taken for gone after a silence.

Several processes may serve the same; each sign says whose it is, so that nobody takes another's away.
"""

import uuid

import redis

LEAVE_MILLISECONDS = 1_500
"""So long after it took its leave is a process taken for one that serves: mostly another that does has said so by then,
and there is no gap between the two."""

_OWN = uuid.uuid4().bytes

_LEAVE = "return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('PEXPIRE', KEYS[1], ARGV[2])"
"""In one step: between two of them another process may say that it serves."""


def show(connection: redis.Redis, key: str, *, seconds: int) -> None:
    """Say that this process serves, for so many seconds."""
    connection.set(key, _OWN, ex=seconds)


def leave(connection: redis.Redis, key: str) -> None:
    """Say that it will soon do so no longer."""
    connection.eval(_LEAVE, 1, key, _OWN, LEAVE_MILLISECONDS)
