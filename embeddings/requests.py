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
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import redis

from embeddings import life, queries, serving
from embeddings.encoder import Embeddings, EncoderError, EncoderUnavailable, Role
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

PULSE_SECONDS = 30
"""So long after its last sign of life is the process taken for gone."""

_LOOK_SECONDS = 0.2
"""So often is looked which spaces are there to be served."""

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


def served(space_ids: Sequence[uuid.UUID]) -> set[uuid.UUID]:
    """Those of these spaces for which a process answers requests just now."""
    if not space_ids:
        return set()
    try:
        pulses: Any = _client().mget([_pulse_key(space_id) for space_id in space_ids])
    except redis.RedisError:
        return set()
    return {space_id for space_id, pulse in zip(space_ids, pulses, strict=True) if pulse}


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
    tokens: int = _read(connection, space.pk, request_id, _NEWS)["tokens"]
    found = np.empty((len(texts), space.dimensions), dtype=np.float32)
    at = 0
    while at < len(texts):
        rows = _read(connection, space.pk, request_id, _ROWS).reshape(-1, space.dimensions)
        found[at : at + len(rows)] = rows
        at += len(rows)
    return Encoded(found, tokens)


def _read(connection: redis.Redis, space_id: uuid.UUID, request_id: str, expected: bytes) -> Any:
    """What the next message says: rows, or news that are no bad news. Waited for as long as the space is served."""
    until = time.monotonic() + SILENCE_SECONDS
    while time.monotonic() < until:
        message: Any = connection.blpop([_answer_key(request_id)], timeout=min(5, SILENCE_SECONDS))
        if message is None and not connection.exists(_pulse_key(space_id)):
            raise EncoderAway("The process that served the encoder is gone.")
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


Held = Callable[[], Mapping[uuid.UUID, serving.Server]]
"""Gives the servers there are just now, by space."""


class Answering:
    """Three threads, beside the one that answers queries: one encodes the requests of the spaces that compute here, one
    those of spaces on other servers, which may be slow, and one says that this process serves them."""

    def __init__(self, held: Held = serving.held) -> None:
        """By default each space that serving.Answering has loaded."""
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=[work], name=name, daemon=True)
            for name, work in [
                ("requests", lambda: Desk(_of_kind(held, remote=False)).serve(self._stop)),
                ("requests-remote", lambda: Desk(_of_kind(held, remote=True)).serve(self._stop)),
                ("requests-pulse", lambda: Pulse(held).show(self._stop)),
            ]
        ]
        for thread in self._threads:
            thread.start()

    def _run(self, work: Callable[[], None]) -> None:
        while not self._stop.is_set():
            try:
                work()
            except Exception:
                log.exception("Requests are not answered; trying again in a minute.")
                self._stop.wait(60)

    def end(self) -> None:
        """Take no more requests, and leave those under way."""
        self._stop.set()

    def stop(self) -> None:
        """End, and wait up to two seconds for the pieces in hand."""
        self.end()
        until = time.monotonic() + 2
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))


def _of_kind(held: Held, *, remote: bool) -> Held:
    return lambda: {space_id: server for space_id, server in held().items() if server.is_remote == remote}


class Pulse:
    """The sign of life of each space that is served, however long the requests in hand take."""

    def __init__(self, held: Held) -> None:
        self._held = held
        self._shown: set[uuid.UUID] = set()
        self._connection = queries.connect()

    def show(self, stop: threading.Event) -> None:
        """Until `stop` is set. Outlives an outage of Redis."""
        while not stop.is_set():
            try:
                self._show(self._held().keys())
            except redis.RedisError as error:
                log.warning("Requests are not announced: Redis does not answer (%s).", error)
                stop.wait(1)
            stop.wait(_LOOK_SECONDS)
        with suppress(redis.RedisError):
            self._show(set())

    def _show(self, served: Set[uuid.UUID]) -> None:
        for space_id in served:
            life.show(self._connection, _pulse_key(space_id), seconds=PULSE_SECONDS)
        for space_id in self._shown - served:
            life.leave(self._connection, _pulse_key(space_id))
        self._shown = set(served)


class Desk:
    """The requests that take turns, whichever space they are for."""

    def __init__(self, held: Held) -> None:
        self._held = held
        self._turns: deque[Iterator[None]] = deque()
        self._connection = queries.connect()

    def serve(self, stop: threading.Event) -> None:
        """Encode requests until `stop` is set. Outlives an outage of Redis."""
        while not stop.is_set():
            try:
                servers = self._held()
                if servers:
                    self._take(servers)
                    self._take_turn()
                else:
                    stop.wait(_LOOK_SECONDS)
            except redis.RedisError as error:
                log.warning("Requests wait: Redis does not answer (%s).", error)
                self._turns.clear()
                stop.wait(1)

    def _take(self, servers: Mapping[uuid.UUID, serving.Server]) -> None:
        """Add what waits, one for each space, to those that take turns; where there is neither, wait for a second."""
        for space_id, server in servers.items():
            raw: Any = self._connection.lpop(_queue_key(space_id)) if len(self._turns) < TURNS else None
            if raw:
                self._turns.append(self._answer(server, json.loads(raw)))
        if not self._turns:
            by_queue = {_queue_key(space_id).encode(): server for space_id, server in servers.items()}
            waited: Any = self._connection.blpop(list(by_queue), timeout=1)
            if waited:
                self._turns.append(self._answer(by_queue[waited[0]], json.loads(waited[1])))

    def _take_turn(self) -> None:
        if not self._turns:
            return
        turn = self._turns.popleft()
        with suppress(StopIteration):
            next(turn)
            self._turns.append(turn)

    def _answer(self, server: serving.Server, request: dict[str, Any]) -> Iterator[None]:
        """Encode a request piece by piece; a step is one piece. Whatever happens, who asked hears of it."""
        if request["expires"] < time.time():
            return
        try:
            yield from self._encode(server, request)
        except redis.RedisError:
            raise
        except (Refusal, EncoderError) as error:
            self._send(request, _NEWS, json.dumps({"refused": str(error)}).encode())
        except EncoderUnavailable as error:
            log.warning("A request of %s texts is given back: %s", len(request["texts"]), error)
            self._send(request, _NEWS, json.dumps({"failed": True}).encode())
        except Exception:
            log.exception("A request of %s texts could not be encoded.", len(request["texts"]))
            self._send(request, _NEWS, json.dumps({"failed": True}).encode())

    def _encode(self, server: serving.Server, request: dict[str, Any]) -> Iterator[None]:
        _check_there(server)
        texts = request["texts"]
        prompt = server.encoder.prompt_for(request["role"], request["instruction"])
        counts = server.encoder.count_prompted(texts, prompt=prompt)
        _check_sizes(counts, longest=request["longest"])
        self._send(request, _NEWS, json.dumps({"tokens": sum(counts)}).encode())
        for start, end in _pieces(counts):
            yield
            _check_there(server)
            found = server.encode_prompted(texts[start:end], prompt=prompt)
            self._send(request, _ROWS, found.tobytes())

    def _send(self, request: dict[str, Any], kind: bytes, content: bytes) -> None:
        key = _answer_key(request["id"])
        with self._connection.pipeline() as pipeline:
            pipeline.rpush(key, kind + content)
            pipeline.expire(key, SILENCE_SECONDS)
            pipeline.execute()


def _check_there(server: serving.Server) -> None:
    """Raises EncoderUnavailable: a server that did not answer a moment ago is not to be waited for."""
    if server.is_remote and server.rests:
        raise EncoderUnavailable("Its server did not answer a moment ago.")


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
