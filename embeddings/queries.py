"""A query's way to the process that holds the encoder and back: Redis lists, so that no web process loads a model."""

import json
import time
import uuid
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import redis
from django.conf import settings

from embeddings.encoder import Embeddings

TOGETHER = 32
"""Queries encoded in one go."""

PULSE_SECONDS = 10
"""So long after its last sign of life is the serving process taken for gone."""

ANSWER_SECONDS = 30
"""So long an answer nobody fetches is kept."""


class EncoderAway(Exception):
    """No process answers for this space just now: it is starting, stopped or overloaded. Search by words goes on."""


# --- Who asks ---


def encode_query(text: str, *, space_id: uuid.UUID, instruction: str = "", timeout: float = 5.0) -> Embeddings:
    """The embedding of a query, float32 [dimensions], from whichever process serves this space.

    Raises EncoderAway at once when none does, or after `timeout` seconds without an answer.
    """
    try:
        return _ask(text, space_id=space_id, instruction=instruction, timeout=timeout)
    except redis.RedisError as error:
        raise EncoderAway("Redis does not answer.") from error


def encode_together(texts: Sequence[str], *, space_id: uuid.UUID, until: float, instruction: str = "") -> Embeddings:
    """The embeddings of several texts as queries, float32 [n, dimensions], in their order. Whoever asks waits for as
    many micro-batches as they take, at most until time.monotonic() is `until`. Raises EncoderAway."""
    connection = _client()
    try:
        if not connection.exists(_pulse_key(space_id)):
            raise EncoderAway("No process serves the encoder of this space.")
        left = until - time.monotonic()
        requests = [_request(text, instruction, left) for text in texts]
        connection.rpush(_queue_key(space_id), *(json.dumps(request) for request in requests))
        return np.stack([_answer_by(connection, request["id"], until) for request in requests])
    except redis.RedisError as error:
        raise EncoderAway("Redis does not answer.") from error


def is_answering(space_id: uuid.UUID) -> bool:
    """Whether a process has lately shown that it serves this space. Raises redis.RedisError."""
    return bool(_client().exists(_pulse_key(space_id)))


def _ask(text: str, *, space_id: uuid.UUID, instruction: str, timeout: float) -> Embeddings:
    connection = _client()
    if not connection.exists(_pulse_key(space_id)):
        raise EncoderAway("No process serves the encoder of this space.")
    until = time.monotonic() + timeout
    request = _request(text, instruction, timeout)
    connection.rpush(_queue_key(space_id), json.dumps(request))
    return _answer_by(connection, request["id"], until)


def _request(text: str, instruction: str, timeout: float) -> dict[str, Any]:
    return {"id": str(uuid.uuid4()), "text": text, "instruction": instruction, "expires": time.time() + timeout}


def _answer_by(connection: redis.Redis, request_id: str, until: float) -> Embeddings:
    left = until - time.monotonic()
    answer: Any = connection.blpop([_answer_key(request_id)], timeout=left) if left > 0 else None
    if answer is None:
        raise EncoderAway("The encoder did not answer in time.")
    return np.frombuffer(answer[1], dtype=np.float32)


# --- Who answers ---


def show_life(connection: redis.Redis, space_id: uuid.UUID) -> None:
    """Say that this process serves the space, for PULSE_SECONDS."""
    connection.set(_pulse_key(space_id), "1", ex=PULSE_SECONDS)


def take_leave(connection: redis.Redis, space_id: uuid.UUID) -> None:
    """Say that it does so no longer."""
    connection.delete(_pulse_key(space_id))


def take_waiting(connection: redis.Redis, space_id: uuid.UUID) -> list[dict[str, Any]]:
    """All queries that wait now, up to TOGETHER, those left out whose asker has given up; none after a second."""
    first: Any = connection.blpop([_queue_key(space_id)], timeout=1)
    if first is None:
        return []
    more: Any = connection.lpop(_queue_key(space_id), TOGETHER - 1) or []
    requests = [json.loads(raw) for raw in (first[1], *more)]
    return [request for request in requests if request["expires"] > time.time()]


def answer(connection: redis.Redis, request: dict[str, Any], embedding: Embeddings) -> None:
    """Hand the embedding to whoever asked."""
    key = _answer_key(request["id"])
    with connection.pipeline() as pipeline:
        pipeline.rpush(key, embedding.tobytes())
        pipeline.expire(key, ANSWER_SECONDS)
        pipeline.execute()


# --- The line between ---


@cache
def _client() -> redis.Redis:
    return connect()


def connect() -> redis.Redis:
    """A connection of its own to the server where queries wait."""
    # Longer than any blocking call of ours, so that only a server that hangs runs into it.
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_connect_timeout=2, socket_timeout=10, health_check_interval=25
    )


def _queue_key(space_id: uuid.UUID) -> str:
    return f"concordance:{space_id}:queries"


def _pulse_key(space_id: uuid.UUID) -> str:
    return f"concordance:{space_id}:pulse"


def _answer_key(request_id: str) -> str:
    return f"concordance:answer:{request_id}"
