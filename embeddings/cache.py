"""Embeddings of queries that were asked before, kept in Redis for a while; and one asker at a time for each.

They are kept in a Redis of their own where CACHE_URL names one, which may evict. The broker's must not evict, and must
not fill up either: there they share a fixed number of places, each of which holds the embedding written last.
"""

import hashlib
import json
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any

import numpy as np
import redis
from django.conf import settings

from embeddings.encoder import Embeddings

PLACES = 2_048
"""In the broker's Redis: 21 MB, should each hold 2,560 numbers."""

_LOOK_SECONDS = 0.005

Ask = Callable[[float], Embeddings]
"""Gets the embedding from the encoder, in so many seconds at most."""


def remembered(ask: Ask, *, fingerprint: str, text: str, timeout: float) -> Embeddings:
    """The embedding kept for this query fingerprint and text, else the one `ask` gets. Of several askers at once one
    asks, and the others wait for what it gets. A cache that does not answer is done without."""
    if not settings.QUERY_CACHE_SECONDS:
        return ask(timeout)
    name = hashlib.sha256(json.dumps([fingerprint, text]).encode()).digest()
    until = time.monotonic() + timeout
    while (found := _look(name)) is None:
        left = until - time.monotonic()
        if left <= 0 or _take_turn(name, left):
            return _ask(ask, name, max(left, _LOOK_SECONDS))
        time.sleep(_LOOK_SECONDS)
    return found


def _ask(ask: Ask, name: bytes, left: float) -> Embeddings:
    try:
        found = _look(name)  # whoever had the turn before may have ended just now
        if found is None:
            found = ask(left)
            with suppress(redis.RedisError):
                _client().set(_key(name), name + found.tobytes(), ex=settings.QUERY_CACHE_SECONDS)
    finally:
        with suppress(redis.RedisError):
            _client().delete(_turn_key(name))
    return found


def _look(name: bytes) -> Embeddings | None:
    try:
        kept: Any = _client().get(_key(name))
    except redis.RedisError:
        return None
    if kept is None or kept[: len(name)] != name:
        return None
    return np.frombuffer(kept[len(name) :], dtype=np.float32)


def _take_turn(name: bytes, left: float) -> bool:
    try:
        return bool(_client().set(_turn_key(name), b"", nx=True, px=max(1, int(left * 1000))))
    except redis.RedisError:
        return True


@cache
def _client() -> redis.Redis:
    # A cache slower than this is none.
    url = settings.CACHE_URL or settings.REDIS_URL
    return redis.Redis.from_url(url, socket_connect_timeout=0.5, socket_timeout=0.5, health_check_interval=25)


def _key(name: bytes) -> bytes:
    place = name.hex() if settings.CACHE_URL else str(int.from_bytes(name[:8], "big") % PLACES)
    return f"concordance:query:{place}".encode()


def _turn_key(name: bytes) -> bytes:
    return f"concordance:asking:{name.hex()}".encode()
