"""One process, one model: passages and queries share the encoder, and queries go first.

A solo Celery worker sits in its loop when idle and in a task when busy, so it cannot take queries from its queue at
once. A thread beside that loop blocks on a Redis list instead, takes what waits there together, and gets the model as
soon as the micro-batch under way is done.
"""

import json
import logging
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

import numpy as np
import redis
from django.conf import settings

from embeddings import spaces
from embeddings.encoder import Embeddings, Encoder, check

log = logging.getLogger(__name__)

TOGETHER = 32
"""Queries encoded in one go."""

PULSE_SECONDS = 10
"""So long after its last sign of life is the serving process taken for gone."""

ANSWER_SECONDS = 30
"""So long an answer nobody fetches is kept."""


class EncoderAway(Exception):
    """No process answers for this space just now: it is starting, stopped or overloaded. Search by words goes on."""


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


class Server:
    """The encoder of this process and the two ways to it."""

    def __init__(self, encoder: Encoder, space_id: uuid.UUID) -> None:
        self.encoder = encoder
        self.space_id = space_id
        self._priority = Priority()

    def encode_passages(self, texts: Sequence[str]) -> Embeddings:
        """Embeddings of passages, letting queries in between micro-batches."""
        with self._priority.after():
            found = self.encoder.encode_passages(texts, between=self._priority.give_way)
        return check(found, rows=len(texts), dimensions=self.encoder.dimensions)

    def serve_queries(self, stop: threading.Event) -> None:
        """Answer queries from Redis until `stop` is set. Outlives an outage of Redis."""
        connection = _connect()
        while not stop.is_set():
            try:
                connection.set(_pulse_key(self.space_id), "1", ex=PULSE_SECONDS)
                waiting = _take_waiting(connection, self.space_id)
                if waiting:
                    self._answer(connection, waiting)
            except redis.RedisError as error:
                log.warning("Queries wait: Redis does not answer (%s).", error)
                stop.wait(1)
        with suppress(redis.RedisError):
            connection.delete(_pulse_key(self.space_id))

    def _answer(self, connection: redis.Redis, waiting: list[dict[str, Any]]) -> None:
        for instruction in dict.fromkeys(request["instruction"] for request in waiting):
            together = [request for request in waiting if request["instruction"] == instruction]
            self._answer_alike(connection, together, instruction)

    def _answer_alike(self, connection: redis.Redis, requests: list[dict[str, Any]], instruction: str) -> None:
        try:
            with self._priority.first():
                found = self.encoder.encode_queries([r["text"] for r in requests], instruction=instruction)
            check(found, rows=len(requests), dimensions=self.encoder.dimensions)
        except Exception:
            log.exception("Queries could not be encoded.")
            return
        for request, embedding in zip(requests, found, strict=True):
            key = _answer_key(request["id"])
            with connection.pipeline() as pipeline:
                pipeline.rpush(key, embedding.tobytes())
                pipeline.expire(key, ANSWER_SECONDS)
                pipeline.execute()


_loading = threading.Lock()


def server() -> Server:
    """The server of this process; its model is loaded on the first call."""
    with _loading:
        return _server()


@cache
def _server() -> Server:
    started = time.monotonic()
    encoder = spaces.load_encoder()
    encoder.encode_queries(["ready"])
    log.info("The encoder %s is ready after %.1f s.", settings.EMBEDDING_MODEL, time.monotonic() - started)
    return Server(encoder, spaces.identity())


class Answering:
    """A thread that loads the encoder and answers queries until it is stopped."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="queries", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        """An encoder that cannot be loaded now, because memory is short, may be loaded in a minute."""
        while not self._stop.is_set():
            try:
                server().serve_queries(self._stop)
            except Exception:
                log.exception("Queries are not answered; trying again in a minute.")
                self._stop.wait(60)

    def stop(self) -> None:
        """Take no more queries; what is being answered still is. Waits up to two seconds."""
        self._stop.set()
        self._thread.join(2)


def encode_query(text: str, *, space_id: uuid.UUID, instruction: str = "", timeout: float = 5.0) -> Embeddings:
    """The embedding of a query, float32 [dimensions], from whichever process serves this space.

    Raises EncoderAway at once when none does, or after `timeout` seconds without an answer.
    """
    try:
        return _ask(text, space_id=space_id, instruction=instruction, timeout=timeout)
    except redis.RedisError as error:
        raise EncoderAway("Redis does not answer.") from error


def is_answering(space_id: uuid.UUID) -> bool:
    """Whether a process has lately shown that it serves this space. Raises redis.RedisError."""
    return bool(_client().exists(_pulse_key(space_id)))


def _ask(text: str, *, space_id: uuid.UUID, instruction: str, timeout: float) -> Embeddings:
    connection = _client()
    if not connection.exists(_pulse_key(space_id)):
        raise EncoderAway("No process serves the encoder of this space.")
    request_id = str(uuid.uuid4())
    request = {"id": request_id, "text": text, "instruction": instruction, "expires": time.time() + timeout}
    connection.rpush(_queue_key(space_id), json.dumps(request))
    answer: Any = connection.blpop([_answer_key(request_id)], timeout=timeout)
    if answer is None:
        raise EncoderAway("The encoder did not answer in time.")
    return np.frombuffer(answer[1], dtype=np.float32)


def _take_waiting(connection: redis.Redis, space_id: uuid.UUID) -> list[dict[str, Any]]:
    """All queries that wait now, up to TOGETHER, those left out whose asker has given up; none after a second."""
    first: Any = connection.blpop([_queue_key(space_id)], timeout=1)
    if first is None:
        return []
    more: Any = connection.lpop(_queue_key(space_id), TOGETHER - 1) or []
    requests = [json.loads(raw) for raw in (first[1], *more)]
    return [request for request in requests if request["expires"] > time.time()]


@cache
def _client() -> redis.Redis:
    return _connect()


def _connect() -> redis.Redis:
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
