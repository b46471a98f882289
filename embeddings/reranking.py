"""The reranker that the settings name: a query and passages on their way to it, and what it makes of them back.

One in this installation computes in the process that has the encoder, behind the queries and before the passages of
documents; the way there is a Redis list, as for queries. One on a server is asked directly.
"""

import json
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import redis
from django.conf import settings

from embeddings import cache as kept
from embeddings import life, queries, serving, tokens, watchdog
from embeddings.encoder import EncoderError, EncoderOutOfMemory, EncoderUnavailable
from embeddings.endpoint import Endpoint, Silent
from embeddings.priority import Priority
from embeddings.remote_reranker import FAIR_SECONDS, RemoteReranker
from embeddings.reranker import Chances, Odds, QueryTooLong, Reranker, RerankerError, chances, check

log = logging.getLogger(__name__)

PULSE_SECONDS = 10
"""So long after its last sign of life is the process taken for gone."""

ANSWER_SECONDS = 30
"""So long an answer nobody fetches is kept."""

LONGEST_SECONDS = 120
"""So long a caller may wait at most."""

RETRY_SECONDS = 60
"""A model that cannot be loaded now, because memory is short, may be loaded in a minute."""

_NAMESPACE = uuid.UUID("0c1ad2a6-64cb-4a83-9f6f-5d2b3a7a2f51")

_ODDS, _TOO_LONG, _FAILED = b"o", b"t", b"f"
"""What an answer is, by its first byte: float32 numbers, or that there are none."""


class RerankerAway(Exception):
    """There are no scores: the reranker is away, or what it gave cannot be used."""


class RerankerLate(RerankerAway):
    """There are no scores yet, and the time is over."""


# --- Which one ---


def is_configured() -> bool:
    """Whether there is a reranker at all."""
    return bool(settings.RERANKER_MODEL or settings.RERANKER_URL)


def name() -> str:
    """What people call it; empty where there is none."""
    model: str = settings.RERANKER_MODEL
    if settings.RERANKER_URL:
        return model or urlsplit(settings.RERANKER_URL).hostname or ""
    return model if tokens.is_hub_name(model) else Path(model).name


def prepare() -> None:
    """Get the files of the model here, or ask the server once. Raises RerankerError; EncoderUnavailable where a server
    only does not answer now."""
    if settings.RERANKER_URL:
        _on_server().probe()
    elif settings.RERANKER_MODEL:
        folder()


def folder() -> Path:
    """The local folder of the model, downloaded if it must be. Raises RerankerError."""
    try:
        found = tokens.prepare(settings.RERANKER_MODEL, settings.DATA_DIR)
    except EncoderError as error:
        raise RerankerError(f"RERANKER_MODEL: {error}") from error
    if not _is_reranker(found):
        raise RerankerError(f"RERANKER_MODEL: there is no cross-encoder in {found}.")
    return found


def _is_reranker(found: Path) -> bool:
    """As far as its files tell: an encoder, or a model that was never taught to score, is a likely mistake."""
    if (found / "modules.json").is_file():
        return bool(_read(found / "config_sentence_transformers.json").get("model_type") == "CrossEncoder")
    made: list[str] = _read(found / "config.json").get("architectures") or [""]
    return made[0].endswith(("ForSequenceClassification", "ForCausalLM"))


def _read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8")) if path.is_file() else {}


@cache
def _on_server() -> RemoteReranker:
    half = settings.RERANKER_TIMEOUT_MS / 2_000
    server = Endpoint(settings.RERANKER_URL, settings.RERANKER_API_KEY)
    return RemoteReranker(server, settings.RERANKER_MODEL, fair_seconds=min(half, FAIR_SECONDS))


def _identity() -> uuid.UUID:
    return uuid.uuid5(_NAMESPACE, json.dumps([settings.RERANKER_URL, settings.RERANKER_MODEL]))


# --- Who asks ---


def rerank(query: str, passages: Sequence[str], *, instructions: Sequence[str], seconds: float) -> Chances:
    """The chance that each passage answers, in their order; what was asked before is remembered. `instructions` says
    for each passage what is looked for where it stands. Waits for `seconds` at most.

    Raises QueryTooLong or RerankerAway.
    """
    seconds = min(seconds, LONGEST_SECONDS)
    until = time.monotonic() + seconds
    asked = [query, list(passages), list(instructions)]

    def ask(left: float) -> Odds:
        return _of_server(query, passages, until) if settings.RERANKER_URL else _ask(asked, until)

    try:
        odds = kept.remembered(ask, fingerprint=str(_identity()), text=json.dumps(asked), timeout=seconds)
        return chances(check(odds, passages=len(passages)))
    except redis.RedisError as error:
        raise RerankerAway("Redis does not answer.") from error
    except (TimeoutError, Silent) as error:
        raise RerankerLate("The reranker did not answer in time.") from error
    except (EncoderUnavailable, RerankerError) as error:
        raise RerankerAway(str(error)) from error


def _of_server(query: str, passages: Sequence[str], until: float) -> Odds:
    return _on_server().score(query, passages, until=until)


def _ask(asked: Sequence[Any], until: float) -> Odds:
    connection = _client()
    if not connection.exists(_pulse_key()):
        raise RerankerAway("No process serves the reranker just now.")
    left = until - time.monotonic()
    if left <= 0:
        raise RerankerLate("The time is over.")
    request_id = str(uuid.uuid4())
    request = {"id": request_id, "asked": asked, "expires": time.time() + left}
    connection.rpush(_queue_key(), json.dumps(request))
    answer: Any = connection.blpop([_answer_key(request_id)], timeout=left)
    if answer is None:
        raise RerankerLate("The reranker did not answer in time.")
    kind, content = answer[1][:1], answer[1][1:]
    if kind == _TOO_LONG:
        raise QueryTooLong
    if kind == _FAILED:
        raise RerankerAway("The reranker failed: the log of the process that has it says why.")
    return np.frombuffer(content, dtype=np.float32)


# --- Who answers ---


class Answering:
    """A thread that reranks until it is stopped, where the settings name a model for this installation to load."""

    def __init__(self, load: Callable[[], Reranker] | None = None, device: Priority = serving.DEVICE) -> None:
        self._load = load or _load
        self._device = device
        self._pulse, self._queue = _pulse_key(), _queue_key()  # those of the model it loads, whatever is set later
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reranking", daemon=True)
        if load or (settings.RERANKER_MODEL and not settings.RERANKER_URL):
            self._thread.start()
        else:
            self._ready.set()  # there is nothing to load

    def is_ready(self, seconds: float) -> bool:
        """Whether its model is loaded, or will be within so many seconds."""
        return self._ready.wait(seconds)

    def end(self) -> None:
        """Take no more."""
        self._stop.set()

    def stop(self) -> None:
        """End, and wait up to two seconds for the micro-batch in hand."""
        self.end()
        if self._thread.is_alive():
            self._thread.join(2)

    def _run(self) -> None:
        connection = queries.connect()
        while not self._stop.is_set():
            try:
                reranker = self._load()
                reranker.score("ready", ["ready"], turn=self._device.second)
                self._show_life(connection)
            except Exception:  # whatever it is, searches go on without
                log.exception("The reranker %s is not served here; trying again in a minute.", name())
                self._stop.wait(RETRY_SECONDS)
                continue
            log.info("The reranker %s is ready.", name())
            self._ready.set()
            self._serve(connection, reranker)
        with suppress(redis.RedisError):
            life.leave(connection, self._pulse)

    def _show_life(self, connection: redis.Redis) -> None:
        life.show(connection, self._pulse, seconds=PULSE_SECONDS)

    def _serve(self, connection: redis.Redis, reranker: Reranker) -> None:
        """Outlives an outage of Redis."""
        while not self._stop.is_set():
            try:
                self._show_life(connection)
                taken: Any = connection.blpop([self._queue], timeout=1)
                if taken is not None:
                    self._answer(connection, reranker, json.loads(taken[1]))
            except redis.RedisError as error:
                log.warning("Nothing is reranked: Redis does not answer (%s).", error)
                self._stop.wait(1)

    def _answer(self, connection: redis.Redis, reranker: Reranker, request: dict[str, Any]) -> None:
        """Whatever happens, who asked hears of it, unless it has given up: then the rest is not computed."""
        try:
            answer = _ODDS + self._score(connection, reranker, request).tobytes()
        except _Expired:
            return
        except QueryTooLong:
            answer = _TOO_LONG
        except (RerankerError, EncoderOutOfMemory) as error:
            log.warning("A query could not be reranked: %s", error)
            answer = _FAILED
        except redis.RedisError:
            raise
        except Exception:
            log.exception("A query could not be reranked.")
            answer = _FAILED
        with connection.pipeline() as pipeline:
            pipeline.rpush(_answer_key(request["id"]), answer)
            pipeline.expire(_answer_key(request["id"]), ANSWER_SECONDS)
            pipeline.execute()

    def _score(self, connection: redis.Redis, reranker: Reranker, request: dict[str, Any]) -> Odds:
        query, passages, instructions = request["asked"]

        @contextmanager
        def turn() -> Iterator[None]:
            self._show_life(connection)
            with self._device.second(), watchdog.ending():
                if time.time() > request["expires"]:
                    raise _Expired
                yield

        found = np.empty(len(passages), dtype=np.float32)
        for instruction in dict.fromkeys(instructions):
            places = [place for place, given in enumerate(instructions) if given == instruction]
            texts = [passages[place] for place in places]
            found[places] = reranker.score(query, texts, instruction=instruction, turn=turn)
        return found


class _Expired(Exception):
    """Whoever asked waits no longer."""


def _load() -> Reranker:
    from embeddings.local_reranker import LocalReranker  # imports torch

    return LocalReranker(folder())


# --- The line between ---


@cache
def _client() -> redis.Redis:
    # A time box may be longer than any other call of ours that blocks.
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_connect_timeout=2, socket_timeout=LONGEST_SECONDS + 5, health_check_interval=25
    )


def _queue_key() -> str:
    return f"concordance:reranker:{_identity()}:queue"


def _pulse_key() -> str:
    return f"concordance:reranker:{_identity()}:pulse"


def _answer_key(request_id: str) -> str:
    return f"concordance:reranked:{request_id}"
