"""Texts that programs want encoded, on their way to the process that holds the encoder, and their embeddings back.

They wait behind the queries and in a row with the passages. A request is encoded in pieces, and the pieces of several
requests take turns: a large one holds up nobody.
"""

import json
import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import redis

from embeddings import queries, serving
from embeddings.encoder import Embeddings, EncoderError, Role
from embeddings.models import Space
from embeddings.queries import EncoderAway

log = logging.getLogger(__name__)

TOKENS = 300_000
"""Most tokens of a request: OpenAI's own limit."""

PIECE_TOKENS = 4_096
"""Tokens encoded before it is another request's turn."""

TURNS = 8
"""Requests that take turns. As many more may wait."""

SILENCE_SECONDS = 30
"""So long after the last piece came is a request given up; so long is an answer nobody fetches kept."""

_OWN = uuid.uuid4().bytes
PULSE_SECONDS = 30
"""So long after its last sign of life is the process taken for gone: it may wait for a unit of passages."""

_NEWS, _ROWS = b"n", b"r"
"""What a message is, by its first byte: JSON, or float32 rows."""


class Refusal(Exception):
    """A request that is not encoded, for the reason in the sentence."""


class Crowded(Exception):
    """Too many requests wait already."""


@dataclass(frozen=True)
class Encoded:
    """The embeddings of a request, unit length, and what it took."""

    embeddings: Embeddings
    tokens: int


# --- Who asks ---


def encode(texts: Sequence[str], *, space: Space, role: Role, instruction: str = "") -> Encoded:
    """The embeddings of any texts, from the process that holds the encoder of the space.

    Raises Refusal, Crowded or EncoderAway.
    """
    try:
        return _ask(texts, space=space, role=role, instruction=instruction)
    except redis.RedisError as error:
        raise EncoderAway("Redis does not answer.") from error


def _ask(texts: Sequence[str], *, space: Space, role: Role, instruction: str) -> Encoded:
    connection = _client()
    if not connection.exists(_pulse_key(space.pk)):
        raise EncoderAway("No process serves the encoder just now.")
    if connection.llen(_queue_key(space.pk)) >= TURNS:
        raise Crowded("Too many requests wait for the encoder.")
    request_id = str(uuid.uuid4())
    request = {
        "id": request_id,
        "texts": texts,
        "role": role,
        "instruction": instruction,
        "longest": space.max_tokens,
        "expires": time.time() + SILENCE_SECONDS,
    }
    connection.rpush(_queue_key(space.pk), json.dumps(request))
    tokens: int = _read(connection, request_id, _NEWS)["tokens"]
    found = np.empty((len(texts), space.dimensions), dtype=np.float32)
    at = 0
    while at < len(texts):
        rows = _read(connection, request_id, _ROWS).reshape(-1, space.dimensions)
        found[at : at + len(rows)] = rows
        at += len(rows)
    return Encoded(found, tokens)


def _read(connection: redis.Redis, request_id: str, expected: bytes) -> Any:
    """What the next message says: rows, or news that are no bad news."""
    until = time.monotonic() + SILENCE_SECONDS
    while time.monotonic() < until:
        message: Any = connection.blpop([_answer_key(request_id)], timeout=min(5, SILENCE_SECONDS))
        if message is None:
            continue
        kind, content = message[1][:1], message[1][1:]
        if kind == _ROWS and kind == expected:
            return np.frombuffer(content, dtype=np.float32)
        news = json.loads(content)
        if "refused" in news:
            raise Refusal(news["refused"])
        if kind == expected and "tokens" in news:
            return news
        break
    raise EncoderAway("The encoder did not answer.")


# --- Who answers ---


class Answering:
    """A thread that encodes requests until it is stopped, beside the thread that answers queries."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="requests", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        """An encoder that cannot be loaded now may be loaded in a minute, as in serving.Answering."""
        while not self._stop.is_set():
            try:
                Desk(serving.server()).serve(self._stop)
            except Exception:
                log.exception("Requests are not answered; trying again in a minute.")
                self._stop.wait(60)

    def stop(self) -> None:
        """Take no more requests, and leave those under way. Waits up to two seconds for the piece in hand."""
        self._stop.set()
        self._thread.join(2)


class Desk:
    """The requests that take turns at one encoder."""

    def __init__(self, server: serving.Server) -> None:
        self._server = server
        self._pulse = _pulse_key(server.space_id)
        self._queue = _queue_key(server.space_id)
        self._turns: deque[Iterator[None]] = deque()
        self._connection = queries.connect()

    def serve(self, stop: threading.Event) -> None:
        """Encode requests until `stop` is set. Outlives an outage of Redis."""
        while not stop.is_set():
            try:
                self._connection.set(self._pulse, _OWN, ex=PULSE_SECONDS)
                self._take()
                self._take_turn()
            except redis.RedisError as error:
                log.warning("Requests wait: Redis does not answer (%s).", error)
                self._turns.clear()
                stop.wait(1)
        with suppress(redis.RedisError):
            if self._connection.get(self._pulse) == _OWN:  # not another's
                self._connection.delete(self._pulse)

    def _take(self) -> None:
        """Add what waits to those that take turns; where there is neither, wait for a second."""
        raw: Any = self._connection.lpop(self._queue) if len(self._turns) < TURNS else None
        if raw is None and not self._turns:
            waited: Any = self._connection.blpop([self._queue], timeout=1)
            raw = waited and waited[1]
        if raw:
            self._turns.append(self._answer(json.loads(raw)))

    def _take_turn(self) -> None:
        if not self._turns:
            return
        turn = self._turns.popleft()
        with suppress(StopIteration):
            next(turn)
            self._turns.append(turn)

    def _answer(self, request: dict[str, Any]) -> Iterator[None]:
        """Encode a request piece by piece; a step is one piece. Whatever happens, who asked hears of it."""
        if request["expires"] < time.time():
            return
        try:
            yield from self._encode(request)
        except redis.RedisError:
            raise
        except (Refusal, EncoderError) as error:
            self._send(request, _NEWS, json.dumps({"refused": str(error)}).encode())
        except Exception:
            log.exception("A request of %s texts could not be encoded.", len(request["texts"]))
            self._send(request, _NEWS, json.dumps({"failed": True}).encode())

    def _encode(self, request: dict[str, Any]) -> Iterator[None]:
        texts = request["texts"]
        prompt = self._server.encoder.prompt_for(request["role"], request["instruction"])
        counts = self._server.encoder.count_prompted(texts, prompt=prompt)
        _check_sizes(counts, longest=request["longest"])
        self._send(request, _NEWS, json.dumps({"tokens": sum(counts)}).encode())
        for start, end in _pieces(counts):
            yield
            found = self._server.encode_prompted(texts[start:end], prompt=prompt)
            self._send(request, _ROWS, found.tobytes())

    def _send(self, request: dict[str, Any], kind: bytes, content: bytes) -> None:
        key = _answer_key(request["id"])
        with self._connection.pipeline() as pipeline:
            pipeline.rpush(key, kind + content)
            pipeline.expire(key, SILENCE_SECONDS)
            pipeline.execute()


def _check_sizes(counts: Sequence[int], *, longest: int) -> None:
    """Raises Refusal: nothing is ever cut off a text silently."""
    for place, count in enumerate(counts):
        if count > longest:
            raise Refusal(f"Text {place} of the input has {count} tokens, prompt included; the model reads {longest}.")
    if sum(counts) > TOKENS:
        raise Refusal(f"The input has {sum(counts)} tokens in all; a request may have {TOKENS}.")


def _pieces(counts: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Ranges of texts in order, each of at most PIECE_TOKENS unless one text has more."""
    start = tokens = 0
    for place, count in enumerate(counts):
        if place > start and tokens + count > PIECE_TOKENS:
            yield start, place
            start, tokens = place, 0
        tokens += count
    yield start, len(counts)


# --- The line between ---


@cache
def _client() -> redis.Redis:
    return queries.connect()


def _queue_key(space_id: uuid.UUID) -> str:
    return f"concordance:{space_id}:requests"


def _pulse_key(space_id: uuid.UUID) -> str:
    return f"concordance:{space_id}:requests-pulse"


def _answer_key(request_id: str) -> str:
    return f"concordance:request:{request_id}"
