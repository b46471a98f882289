"""A query's way to the process that holds the encoder and back: Redis lists, so that no web process loads a model."""

import json
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

import numpy as np
import redis
from django.conf import settings

from embeddings import cache as kept
from embeddings import life, spaces
from embeddings.encoder import Embeddings, EncoderError, EncoderUnavailable
from embeddings.models import Space

TOGETHER = 32
"""Queries encoded in one go."""

PULSE_SECONDS = 10
"""So long after its last sign of life is the serving process taken for gone."""

ANSWER_SECONDS = 30
"""So long an answer nobody fetches is kept."""


class EncoderAway(Exception):
    """No process answers for this space just now: it is starting, stopped or overloaded. Search by words goes on."""


# --- Who asks ---


def encode_query(text: str, *, space: Space, instruction: str = "", timeout: float = 5.0) -> Embeddings:
    """The embedding of a query, float32 [dimensions], as it was given when it was asked before, else from whichever
    process serves this space, or from its server.

    Raises EncoderAway at once when none does, or after `timeout` seconds without an answer.
    """
    on_server = spaces.direct(space.pk)

    def ask(left: float) -> Embeddings:
        if on_server is not None:
            with _as_absence():
                found: Embeddings = on_server.encode_queries([text], instruction=instruction)[0]
                return found
        if not is_answering(space.pk):
            raise EncoderAway("No process serves the encoder of this space.")
        return _ask(text, space_id=space.pk, instruction=instruction, timeout=left)

    try:
        return kept.remembered(ask, fingerprint=space.query_fingerprint(instruction), text=text, timeout=timeout)
    except redis.RedisError as error:
        raise EncoderAway("Redis does not answer.") from error


def encode_together(texts: Sequence[str], *, space_id: uuid.UUID, until: float, instruction: str = "") -> Embeddings:
    """The embeddings of several texts as queries, float32 [n, dimensions], in their order: of all, or of the first
    ones, where the others are not done when time.monotonic() is `until`. Raises EncoderAway where none is."""
    on_server = spaces.direct(space_id)
    if on_server is not None:
        with _as_absence():
            return on_server.encode_queries_by(texts, instruction=instruction, until=until)
    connection = _client()
    try:
        if not is_answering(space_id):
            raise EncoderAway("No process serves the encoder of this space.")
        left = until - time.monotonic()
        requests = [_request(text, instruction, left) for text in texts]
        connection.rpush(_queue_key(space_id), *(json.dumps(request) for request in requests))
        first = _answer_by(connection, requests[0]["id"], until)
        return np.stack([first, *_in_time(connection, requests[1:], until)])
    except redis.RedisError as error:
        raise EncoderAway("Redis does not answer.") from error


def is_answering(space_id: uuid.UUID) -> bool:
    """Whether a process has lately shown that it serves this space, or its server answers. Raises redis.RedisError."""
    on_server = spaces.direct(space_id)
    if on_server is not None:
        return on_server.answers()
    return bool(_client().exists(_pulse_key(space_id)))


@contextmanager
def _as_absence() -> Iterator[None]:
    """Whatever is wrong with an encoder's server, for a query it is away."""
    try:
        yield
    except (EncoderUnavailable, EncoderError) as error:
        raise EncoderAway(str(error)) from error


def _ask(text: str, *, space_id: uuid.UUID, instruction: str, timeout: float) -> Embeddings:
    connection = _client()
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


def _in_time(connection: redis.Redis, requests: Sequence[dict[str, Any]], until: float) -> Iterator[Embeddings]:
    """The answers until the time is up: they come in the order of the requests."""
    with suppress(EncoderAway):
        for request in requests:
            yield _answer_by(connection, request["id"], until)


# --- Who answers ---


def show_life(connection: redis.Redis, space_id: uuid.UUID) -> None:
    """Say that this process serves the space, for PULSE_SECONDS."""
    life.show(connection, _pulse_key(space_id), seconds=PULSE_SECONDS)


def take_leave(connection: redis.Redis, space_id: uuid.UUID) -> None:
    """Say that it will soon do so no longer."""
    life.leave(connection, _pulse_key(space_id))


def take_waiting(
    connection: redis.Redis, space_ids: Sequence[uuid.UUID]
) -> list[tuple[uuid.UUID, list[dict[str, Any]]]]:
    """The queries that wait now, of each of these spaces up to TOGETHER, those left out whose asker has given up; none
    after a second."""
    first: Any = connection.blpop([_queue_key(space_id) for space_id in space_ids], timeout=1)
    if first is None:
        return []
    found = []
    for space_id in space_ids:
        key = _queue_key(space_id)
        raw: Any = [first[1]] if first[0] == key.encode() else []
        raw += connection.lpop(key, TOGETHER - len(raw)) or []
        requests = [json.loads(one) for one in raw]
        found.append((space_id, [request for request in requests if request["expires"] > time.time()]))
    return found


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
