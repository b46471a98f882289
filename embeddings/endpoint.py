"""A model's server over HTTP: what is tried again, for how long, and what its failures mean."""

import email.utils
import json
import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import httpx2

from embeddings import openai
from embeddings.encoder import EncoderUnavailable

AT_ONCE = 8
"""Requests under way together: a server with a GPU makes one batch of them."""

LARGEST_ANSWER = 32 * 1024 * 1024
"""Bytes: some ten times what 32 embeddings of 4,096 numbers take as text."""

_CONNECT_SECONDS = 3.0
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 20.0
_LONGEST_RETRY_AFTER = 60.0
_MESSAGE_CHARS = 300

_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]*)?")
_PASSING = (408, 425, 429)
"""Statuses below 500 that say: later."""


Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Patience:
    """How long a caller waits: for one answer, and for all attempts with the pauses between them."""

    attempts: int
    answer_seconds: float
    total_seconds: float


START = Patience(attempts=3, answer_seconds=30, total_seconds=45)
"""Some servers load their model with the first request."""


class Refused(Exception):
    """The server says that the request is at fault."""

    def __init__(self, sentence: str, *, status: int) -> None:
        super().__init__(sentence)
        self.status = status


class Silent(EncoderUnavailable):
    """The server took the request and did not answer in time."""


class Failed(EncoderUnavailable):
    """The server answered that it failed."""


class _Endless(Exception):
    """The answer began in time and did not end in time."""


class Endpoint:
    """A server by its base address, as OpenAI's clients take it (`http://host:port/v1`). Safe to share by threads."""

    def __init__(self, url: str, key: str = "") -> None:
        self.url = url
        self._key = key
        self._client = httpx2.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {key}"} if key else {},
            limits=httpx2.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE),
        )

    @property
    def has_key(self) -> bool:
        """Whether requests carry a key."""
        return bool(self._key)

    @property
    def origin(self) -> str:
        """The address without its path."""
        return str(httpx2.URL(self.url).copy_with(path="/", query=None, fragment=None)).rstrip("/")

    def ask(self, path: str) -> Any:
        """The JSON at an address. Raises Refused or EncoderUnavailable."""
        return _patiently(lambda seconds: self._try(path, None, seconds), START)

    def post(self, path: str, body: Mapping[str, Any], patience: Patience) -> Any:
        """The JSON answered to a body. Raises Refused or EncoderUnavailable."""
        return _patiently(lambda seconds: self._try(path, body, seconds), patience)

    def close(self) -> None:
        """Give up the connections that are kept open."""
        self._client.close()

    def embed(
        self,
        model: str,
        texts: Sequence[str],
        fields: Mapping[str, Any],
        patience: Patience,
        given_up: threading.Event | None = None,
    ) -> openai.Numbers:
        """What the server gives for these texts, in their order and not checked.

        Raises Refused, or EncoderUnavailable when patience is at its end or the caller has `given_up`.
        """
        body = {"model": model, "input": list(texts), **fields}

        def attempt(seconds: float) -> openai.Numbers:
            answer = self._try("/embeddings", body, seconds)
            try:
                return openai.read_embeddings(answer, rows=len(texts))
            except openai.BadAnswer as error:
                raise EncoderUnavailable(f"The answer of the server at {self.url} cannot be used: {error}.") from error

        return _patiently(attempt, patience, given_up)

    def _try(self, path: str, body: Mapping[str, Any] | None, seconds: float) -> Any:
        method = "GET" if body is None else "POST"
        timeout = httpx2.Timeout(seconds, connect=min(seconds, _CONNECT_SECONDS))
        until = time.monotonic() + seconds
        try:
            with self._client.stream(method, path, json=body, timeout=timeout) as answer:
                content = b"".join(self._pieces(answer, until))
        except (httpx2.ReadTimeout, _Endless) as error:
            raise Silent(f"The server at {self.url} did not answer within {seconds:g} s.") from error
        except httpx2.RequestError as error:
            reason = str(error) or type(error).__name__
            raise EncoderUnavailable(f"The server at {self.url} cannot be reached: {reason}.") from error
        if answer.is_success:
            return self._decode(content)
        raise self._failure(answer, content)

    def _pieces(self, answer: httpx2.Response, until: float) -> Iterator[bytes]:
        """What the server sends, as long as it is neither too much nor too late: a piece now and then would never run
        into the timeout of one read."""
        size = 0
        for piece in answer.iter_bytes():
            size += len(piece)
            if size > LARGEST_ANSWER:
                raise EncoderUnavailable(f"The server at {self.url} answered with more than it was asked for.")
            if time.monotonic() > until:
                raise _Endless
            yield piece

    def _decode(self, content: bytes) -> Any:
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as error:
            raise EncoderUnavailable(f"The server at {self.url} answered with something that is not JSON.") from error

    def _failure(self, answer: httpx2.Response, content: bytes) -> Exception:
        sentence = f"The server at {self.url} answered {answer.status_code}: {self._message(answer, content)}"
        if answer.status_code in _PASSING or answer.status_code >= 500:
            return Failed(sentence, pause=retry_after(answer.headers.get("Retry-After", "")))
        return Refused(sentence, status=answer.status_code)

    def _message(self, answer: httpx2.Response, content: bytes) -> str:
        try:
            said = openai.read_error(json.loads(content))
        except (ValueError, RecursionError):
            said = ""
        said = (said or answer.reason_phrase)[:_MESSAGE_CHARS]
        # Some servers repeat the key that they do not accept.
        return said.replace(self._key, "…") if self._key else said


def _patiently(
    attempt: Callable[[float], Answer], patience: Patience, given_up: threading.Event | None = None
) -> Answer:
    """The outcome of the first attempt that has one; each is told how many seconds it may take."""
    until = time.monotonic() + patience.total_seconds
    stop = given_up or threading.Event()
    number = 1
    while True:
        try:
            return attempt(min(patience.answer_seconds, until - time.monotonic()))
        except EncoderUnavailable as error:
            pause = max(error.pause, pause_before(number + 1))
            if number == patience.attempts or time.monotonic() + pause >= until or stop.wait(pause):
                raise
            number += 1


def pause_before(attempt: int) -> float:
    """Seconds to wait before an attempt, the second being the first to wait for. Any share of a bound that doubles
    each time: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/ ("full jitter")."""
    bound = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** (attempt - 2))
    return random.uniform(0, bound)  # noqa: S311 - it spreads attempts, and guards nothing


def retry_after(header: str) -> float:
    """The seconds that a Retry-After header asks for, as a number or a date, a minute at most; 0 for nothing
    intelligible: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after"""
    seconds = float(header) if _SECONDS.fullmatch(header) else _seconds_until(header)
    return min(max(seconds, 0.0), _LONGEST_RETRY_AFTER)


def _seconds_until(date: str) -> float:
    try:
        then = email.utils.parsedate_to_datetime(date)
    except ValueError:
        return 0.0
    aware = then if then.tzinfo else then.replace(tzinfo=UTC)
    return (aware - datetime.now(UTC)).total_seconds()
