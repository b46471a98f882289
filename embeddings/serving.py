"""One process serves every space that is wanted and that it can load: passages and queries share the device, and
queries go first.

A solo Celery worker sits in its loop when idle and in a task when busy, so it cannot take queries from its queue at
once. A thread beside that loop blocks on Redis lists instead, takes what waits there together, and gets the device as
soon as the micro-batch under way is done. Another thread loads the models: an answer waits for none of them.
"""

import gc
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import redis

from embeddings import queries, spaces, watchdog
from embeddings.encoder import Embeddings, Encoder, EncoderError, EncoderUnavailable, check
from embeddings.models import Space
from embeddings.priority import Priority

log = logging.getLogger(__name__)

LOOK_SECONDS = 5
"""So often is looked which spaces are wanted."""

RETRY_SECONDS = 60
"""A model that cannot be loaded now, because memory is short, may be loaded in a minute."""

OUTAGE_SECONDS = 15
"""A server that does not answer now may sooner."""

DEVICE = Priority()
"""All that computes in this process shares the device."""


class Interrupted(Exception):
    """Whoever asked for passages wants them no more."""


def never() -> bool:
    """Whoever asks waits to the end."""
    return False


class Server:
    """The encoder of a space, and the two ways to it."""

    def __init__(self, encoder: Encoder, space_id: uuid.UUID, *, is_remote: bool = False) -> None:
        self.encoder = encoder
        self.space_id = space_id
        self.is_remote = is_remote
        # A server elsewhere uses nothing of this device: while it is slow or away, the other spaces are answered.
        self._device = Priority() if is_remote else DEVICE
        self._rests_until = 0.0

    @property
    def rests(self) -> bool:
        """Whether its passages are left alone for now: others are not to wait for them."""
        return time.monotonic() < self._rests_until

    def rest(self, seconds: float) -> None:
        """Leave its passages alone for so long, as its encoder does not answer."""
        self._rests_until = time.monotonic() + seconds

    def encode_passages(self, texts: Sequence[str], is_interrupted: Callable[[], bool] = never) -> Embeddings:
        """Embeddings of passages, letting queries in between micro-batches. Raises Interrupted there, or before the
        first: what is encoded to its end is returned."""

        def between() -> None:
            if is_interrupted():
                raise Interrupted
            self._device.give_way()

        with self._device.after(), watchdog.ending():
            if is_interrupted():
                raise Interrupted
            found = self.encoder.encode_passages(texts, between=between)
        return check(found, rows=len(texts), dimensions=self.encoder.dimensions)

    def encode_prompted(self, texts: Sequence[str], *, prompt: str) -> Embeddings:
        """Embeddings of texts behind any prompt, in a row with the passages: letting queries in as they do."""
        with self._device.after(), watchdog.ending():
            found = self.encoder.encode_prompted(texts, prompt=prompt, between=self._device.give_way)
        return check(found, rows=len(texts), dimensions=self.encoder.dimensions)

    def answer(self, connection: redis.Redis, waiting: list[dict[str, Any]]) -> None:
        """Encode queries, those with the same instruction together, and hand the answers out."""
        for instruction in dict.fromkeys(request["instruction"] for request in waiting):
            together = [request for request in waiting if request["instruction"] == instruction]
            self._answer_alike(connection, together, instruction)

    def _answer_alike(self, connection: redis.Redis, requests: list[dict[str, Any]], instruction: str) -> None:
        try:
            with self._device.first(), watchdog.ending():
                found = self.encoder.encode_queries([r["text"] for r in requests], instruction=instruction)
            check(found, rows=len(requests), dimensions=self.encoder.dimensions)
        except Exception:
            log.exception("Queries could not be encoded.")
            return
        for request, embedding in zip(requests, found, strict=True):
            queries.answer(connection, request, embedding)


# --- What this process has loaded ---

_changing = threading.Lock()
_held: dict[uuid.UUID, Server] = {}
"""By space. Replaced whole, never changed: whoever reads it needs no lock."""
_refused: dict[uuid.UUID, tuple[str, float]] = {}
"""By space: why it could not be loaded, and when it may be tried again."""


def server(space: Space | None = None) -> Server:
    """The server of a space, the configured one by default; its model is loaded on the first call. Raises what loading
    it raises."""
    space = space or spaces.configured()
    with _changing:
        return _held.get(space.pk) or _load(space)


def held() -> Mapping[uuid.UUID, Server]:
    """What is loaded already, by space."""
    return _held


def servers(wanted: Sequence[Space]) -> list[Server]:
    """The servers of those of these spaces that this process can load, in their order. Others stay with other machines.

    Models that are no longer wanted are let go. While another thread loads, what is there already is returned.
    """
    # Only somebody with nothing to do may wait for a model.
    if _changing.acquire(blocking=not _held):
        try:
            _let_go(keep={space.pk for space in wanted})
            for space in wanted:
                _try_to_load(space)
        finally:
            _changing.release()
    return [_held[space.pk] for space in wanted if space.pk in _held]


def _load(space: Space) -> Server:
    global _held
    started = time.monotonic()
    with watchdog.ending():
        encoder = spaces.load_encoder(space)
        encoder.encode_queries(["ready"])
    log.info("The encoder of %s is ready after %.1f s.", space.name, time.monotonic() - started)
    loaded = Server(encoder, space.pk, is_remote=bool(space.url))
    _held = {**_held, space.pk: loaded}
    _refused.pop(space.pk, None)
    return loaded


def _try_to_load(space: Space) -> None:
    why, again = _refused.get(space.pk, ("", 0.0))
    if space.pk in _held or time.monotonic() < again:
        return
    try:
        _load(space)
    except Exception as error:  # whatever it is, the other spaces are served
        if str(error) != why:
            unforeseen = not isinstance(error, EncoderError | EncoderUnavailable)
            log.warning("The space %s is not served here: %s", space.name, error, exc_info=unforeseen)
        pause = OUTAGE_SECONDS if isinstance(error, EncoderUnavailable) else RETRY_SECONDS
        _refused[space.pk] = (str(error), time.monotonic() + pause)


def _let_go(*, keep: set[uuid.UUID]) -> None:
    global _held
    for space_id in _refused.keys() - keep:
        del _refused[space_id]
    gone = _held.keys() - keep
    if not gone:
        return
    _held = {space_id: held for space_id, held in _held.items() if space_id in keep}
    gc.collect()  # a model holds rings of references, and its memory is needed now
    log.info("No longer served: %s.", ", ".join(map(str, gone)))


# --- Answering ---


def _configured_alone() -> Sequence[Space]:
    return [spaces.configured()]


class Answering:
    """Two threads: one loads the encoders that are wanted, the other answers queries for all that are there."""

    def __init__(self, wanted: Callable[[], Sequence[Space]] = _configured_alone) -> None:
        """`wanted` gives the spaces to be served, most important first; by default the configured one alone."""
        self._wanted = wanted
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._load, name="loading", daemon=True),
            threading.Thread(target=self._answer, name="queries", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Take no more queries; what is being answered still is."""
        self._stop.set()

    def stop(self) -> None:
        """End, and wait for it up to two seconds."""
        self.end()
        self._threads[1].join(2)

    def _load(self) -> None:
        while not self._stop.is_set():
            try:
                servers(self._wanted())
            except Exception:
                log.exception("Which spaces are wanted cannot be told just now.")
            self._stop.wait(LOOK_SECONDS)

    def _answer(self) -> None:
        """Answer queries from Redis until stopped. Outlives an outage of Redis."""
        connection = queries.connect()
        shown: set[uuid.UUID] = set()
        while not self._stop.is_set():
            served = _held  # whichever thread has loaded it
            try:
                _show_life(connection, served, shown - served.keys())
                shown = set(served)
                self._take_and_answer(connection, served)
            except redis.RedisError as error:
                log.warning("Queries wait: Redis does not answer (%s).", error)
                self._stop.wait(1)
            except Exception:
                log.exception("Queries could not be taken.")
                self._stop.wait(1)
        with suppress(redis.RedisError):
            _show_life(connection, (), shown)

    def _take_and_answer(self, connection: redis.Redis, served: dict[uuid.UUID, Server]) -> None:
        if not served:
            self._stop.wait(0.2)
            return
        for space_id, waiting in queries.take_waiting(connection, list(served)):
            served[space_id].answer(connection, waiting)


def _show_life(connection: redis.Redis, served: Iterable[uuid.UUID], gone: Iterable[uuid.UUID]) -> None:
    for space_id in served:
        queries.show_life(connection, space_id)
    for space_id in gone:
        queries.take_leave(connection, space_id)
