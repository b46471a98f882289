"""One process, one model: passages and queries share the encoder, and queries go first.

A solo Celery worker sits in its loop when idle and in a task when busy, so it cannot take queries from its queue at
once. A thread beside that loop blocks on a Redis list instead, takes what waits there together, and gets the model as
soon as the micro-batch under way is done.
"""

import logging
import threading
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from typing import Any

import redis
from django.conf import settings

from embeddings import queries, spaces
from embeddings.encoder import Embeddings, Encoder, check
from embeddings.priority import Priority

log = logging.getLogger(__name__)


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

    def encode_prompted(self, texts: Sequence[str], *, prompt: str) -> Embeddings:
        """Embeddings of texts behind any prompt, in a row with the passages: letting queries in as they do."""
        with self._priority.after():
            found = self.encoder.encode_prompted(texts, prompt=prompt, between=self._priority.give_way)
        return check(found, rows=len(texts), dimensions=self.encoder.dimensions)

    def serve_queries(self, stop: threading.Event) -> None:
        """Answer queries from Redis until `stop` is set. Outlives an outage of Redis."""
        connection = queries.connect()
        while not stop.is_set():
            try:
                queries.show_life(connection, self.space_id)
                waiting = queries.take_waiting(connection, self.space_id)
                if waiting:
                    self._answer(connection, waiting)
            except redis.RedisError as error:
                log.warning("Queries wait: Redis does not answer (%s).", error)
                stop.wait(1)
        with suppress(redis.RedisError):
            queries.take_leave(connection, self.space_id)

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
            queries.answer(connection, request, embedding)


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
    log.info("The encoder %s is ready after %.1f s.", _name(), time.monotonic() - started)
    return Server(encoder, spaces.identity())


def _name() -> str:
    return " on ".join(filter(None, (settings.EMBEDDING_MODEL, settings.EMBEDDING_URL)))


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
