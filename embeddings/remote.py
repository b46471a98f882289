"""An encoder on a server: SGLang, vLLM, Text Embeddings Inference, llama.cpp, Ollama, or another Concordance.

Each request carries one text more, of which the space knows the embedding: whatever answers, behind however many
balancers, is the space's model, or nothing of what it says is used.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from embeddings import cutting, endpoint, probe, prompts
from embeddings.encoder import Embeddings, EncoderError, EncoderUnavailable, Role, Tokenizer, check
from embeddings.endpoint import Endpoint, Failed, Patience, Refused, Silent
from embeddings.fingerprint import Description

TEXTS = 31
"""Most texts of a request beside the one it is known by: Text Embeddings Inference takes 32 unless told otherwise."""

TOKENS = 4_096
"""Most tokens of a request, unless one text has more: a server answers so much in seconds, even without a GPU."""

MOST_UNIT_TOKENS = 2 * endpoint.AT_ONCE * TOKENS
"""So many tokens keep every connection busy but for a moment at the end."""

UNIT_SECONDS = 5.0
"""A unit that is done sooner is followed by one of twice its size, one that takes twice as long by one of half."""

PASSAGES = Patience(attempts=6, answer_seconds=30, total_seconds=45)
"""Longer than a server takes for a request, shorter than a device may hang."""

QUERY = Patience(attempts=2, answer_seconds=4, total_seconds=5)
"""A person waits."""

REST_SECONDS = 3.0
"""So long after a query that got no answer no other is sent: they are answered by words at once meanwhile."""

LOOK_SECONDS = 0.5
"""So often is looked, while answers are waited for, whether they are still wanted."""

_TEXT_REFUSED = (400, 413, 422)
"""What servers answer to a text, or to several together, that they do not take."""


class RemoteEncoder:
    """See encoder.Encoder. Cheap to make; several threads may use it. It says EncoderUnavailable where a local encoder
    cannot."""

    def __init__(
        self, server: Endpoint, about: Description, *, tokenizer: Tokenizer, known: Embeddings | None = None
    ) -> None:
        """`known` are the embeddings of `probe.TEXTS` that the space keeps; without them only `probe` may be called."""
        self.description = about
        self.dimensions = about.dimensions
        self.fingerprint = about.fingerprint
        self.max_tokens = about.max_tokens
        self.tokenizer = tokenizer
        self._server = server
        self._known = known
        self._taken: Mapping[str, Any] | None = None
        self._texts_at_once = TEXTS
        self._rests_until = 0.0
        self.unit_tokens = TOKENS

    def encode_queries(self, texts: Sequence[str], *, instruction: str = "") -> Embeddings:
        """See encoder.Encoder. Gives up soon, and for the next few seconds at once."""
        if time.monotonic() < self._rests_until:
            raise EncoderUnavailable("The server did not answer a moment ago.")
        prompt = self.prompt_for("query", instruction)
        try:
            return self._encode_together([prompt + text for text in texts], QUERY)
        except EncoderUnavailable:
            self._rests_until = time.monotonic() + REST_SECONDS
            raise

    def encode_queries_by(self, texts: Sequence[str], *, instruction: str, until: float) -> Embeddings:
        """Several texts as queries, waiting at most until time.monotonic() is `until`. Others may ask meanwhile."""
        left = until - time.monotonic()
        if left <= 0:
            raise EncoderUnavailable("The time is over.")
        prompt = self.prompt_for("query", instruction)
        return self._encode([prompt + text for text in texts], self._cut(texts, prompt), Patience(1, left, left))

    def encode_passages(self, texts: Sequence[str], between: Callable[[], None] | None = None) -> Embeddings:
        """See encoder.Encoder."""
        return self.encode_prompted(texts, prompt=self.description.passage_prompt, between=between)

    def encode_prompted(
        self, texts: Sequence[str], *, prompt: str, between: Callable[[], None] | None = None
    ) -> Embeddings:
        """See encoder.Encoder. All requests are answered, or none of their embeddings returned. `between` is called
        also while a server is silent."""
        started = time.monotonic()
        found = self._encode([prompt + text for text in texts], self._cut(texts, prompt), PASSAGES, between)
        self._fit_unit(time.monotonic() - started)
        return found

    def _fit_unit(self, seconds: float) -> None:
        """Nobody but the server knows how fast it is."""
        if seconds < UNIT_SECONDS:
            self.unit_tokens = min(MOST_UNIT_TOKENS, 2 * self.unit_tokens)
        elif seconds > 2 * UNIT_SECONDS:
            self.unit_tokens = max(TOKENS, self.unit_tokens // 2)

    def prompt_for(self, role: Role, instruction: str = "") -> str:
        """See encoder.Encoder."""
        if role == "query":
            return prompts.with_instruction(self.description.query_prompt, instruction)
        return self.description.passage_prompt if role == "passage" else ""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """See encoder.Encoder. By a tokenizer of this side, which may be an estimate."""
        return self.tokenizer.count(texts)

    def count_prompted(self, texts: Sequence[str], *, prompt: str) -> list[int]:
        """See encoder.Encoder, and `count_tokens`."""
        return self.tokenizer.count([prompt + text for text in texts])

    def probe(self) -> Embeddings:
        """The embeddings of `probe.TEXTS` as the server gives them now."""
        return check(self._embed(probe.TEXTS, endpoint.START), rows=len(probe.TEXTS), dimensions=self.dimensions)

    def verify(self) -> None:
        """Raises EncoderUnavailable where the server's model is not the space's, or does not answer."""
        self._compare(self.probe(), self._known_rows(len(probe.TEXTS)), least=probe.SAME)

    def answers(self) -> bool:
        """Whether the server gives embeddings of this space just now."""
        try:
            self._encode_together([], QUERY)
        except (EncoderUnavailable, EncoderError):
            return False
        return True

    # --- Several requests at once ---

    def _cut(self, texts: Sequence[str], prompt: str) -> list[list[int]]:
        """The places of the texts by request, texts of like length together: not every server sorts what it pads."""
        lengths = self.count_prompted(texts, prompt=prompt)
        requests: list[list[int]] = []
        tokens = 0
        for place in sorted(range(len(texts)), key=lambda place: -lengths[place]):
            tokens += lengths[place]
            if not requests or len(requests[-1]) >= self._texts_at_once or tokens > TOKENS:
                requests.append([])
                tokens = lengths[place]
            requests[-1].append(place)
        return requests

    def _encode(
        self,
        texts: Sequence[str],
        requests: Sequence[list[int]],
        patience: Patience,
        between: Callable[[], None] | None = None,
    ) -> Embeddings:
        found = np.empty((len(texts), self.dimensions), dtype=np.float32)
        for places, embeddings in self._answers(texts, requests, patience, between):
            found[places] = embeddings
        return found

    def _answers(
        self,
        texts: Sequence[str],
        requests: Sequence[list[int]],
        patience: Patience,
        between: Callable[[], None] | None,
    ) -> Iterator[tuple[list[int], Embeddings]]:
        """Each request's places with its embeddings, as they come; `between` is called while others are waited for.
        After one that fails no other is tried again."""
        given_up = threading.Event()
        asks = [
            partial(self._encode_some, [texts[place] for place in places], patience, given_up) for places in requests
        ]
        try:
            waiting = dict(zip(_begin(asks, given_up), requests, strict=True))
            while waiting:
                for done in wait(waiting, LOOK_SECONDS, FIRST_COMPLETED).done:
                    yield waiting.pop(done), done.result()
                if waiting and between is not None:
                    between()
        finally:
            given_up.set()  # and nobody waits for those under way: the caller is to give the work back

    # --- One request ---

    def _encode_some(self, texts: Sequence[str], patience: Patience, given_up: threading.Event) -> Embeddings:
        try:
            return self._encode_together(texts, patience, given_up)
        except Silent:
            # Perhaps it was too much at once for a server without a GPU: next time less.
            self._texts_at_once = max(1, len(texts) // 2)
            raise

    def _encode_together(
        self, texts: Sequence[str], patience: Patience, given_up: threading.Event | None = None
    ) -> Embeddings:
        """The embeddings of texts that go in one request, or in more where the server does not take them together.

        Raises EncoderError where it does not take one of them even alone.
        """
        try:
            return self._embed_with_probe(texts, patience, given_up)
        except Refused as error:
            if error.status not in _TEXT_REFUSED:
                raise EncoderUnavailable(str(error)) from error
            refusal: Exception = error
        except Failed as error:
            # Some servers fail (500) at a text that is too long. Is it the text, or the server?
            if not texts or not self._is_well():
                raise
            refusal = error
        if len(texts) < 2:
            raise EncoderError(str(refusal)) from refusal
        middle = len(texts) // 2
        patience = replace(patience, attempts=2)  # it has just been shown that waiting does not help
        halves = [self._encode_together(half, patience, given_up) for half in (texts[:middle], texts[middle:])]
        self._texts_at_once = min(self._texts_at_once, middle)
        return np.concatenate(halves)

    def _is_well(self) -> bool:
        try:
            self._embed_with_probe([], QUERY)
        except (EncoderUnavailable, Refused):
            return False
        return True

    def _embed_with_probe(
        self, texts: Sequence[str], patience: Patience, given_up: threading.Event | None = None
    ) -> Embeddings:
        found = self._embed([probe.TEXTS[0], *texts], patience, given_up)
        self._compare(found[:1], self._known_rows(1), least=probe.SAME_IN_BATCH)
        return check(found[1:], rows=len(texts), dimensions=self.dimensions)

    def _known_rows(self, count: int) -> Embeddings:
        if self._known is None:
            raise EncoderUnavailable("The space has kept no embeddings to know the server by: run `manage.py prepare`.")
        return self._known[:count]

    def _compare(self, found: Embeddings, known: Embeddings, *, least: float) -> None:
        near = probe.nearness(found, known)
        if near < least:
            raise EncoderUnavailable(
                f"The model {self.description.name} at {self._server.url} is not the one that the space was made with "
                f"(cosine {near:.4f} to what it gave then): nothing is encoded with it. Serve the former model again, "
                "or give this one another name."
            )

    def _embed(self, texts: Sequence[str], patience: Patience, given_up: threading.Event | None = None) -> Embeddings:
        """Embeddings cut to the space's dimensions and brought to unit length, not checked."""
        found = self._server.embed(self.description.name, texts, self._fields(patience), patience, given_up)
        if found.shape[1] < self.dimensions:
            raise EncoderUnavailable(
                f"The server at {self._server.url} gives {found.shape[1]} dimensions, not {self.dimensions}."
            )
        return cutting.cut(found, self.dimensions)  # not every server does it

    def _fields(self, patience: Patience) -> Mapping[str, Any]:
        """What this server takes beside model and input, found out once."""
        if self._taken is None:
            taken: dict[str, Any] = {}
            for wish in ({"encoding_format": "base64"}, {"dimensions": self.dimensions}):
                if self._takes(taken | wish, patience):
                    taken |= wish
            self._taken = taken
        return self._taken

    def _takes(self, fields: Mapping[str, Any], patience: Patience) -> bool:
        """Tried with a text that cannot be at fault."""
        try:
            found = self._server.embed(self.description.name, probe.TEXTS[:1], fields, patience)
        except Refused as error:
            if error.status not in (*_TEXT_REFUSED, 501):
                raise EncoderUnavailable(str(error)) from error
            return False
        return bool(found.shape[1] == fields.get("dimensions", found.shape[1]))


def _begin(asks: Sequence[Callable[[], Embeddings]], given_up: threading.Event) -> list[Future[Embeddings]]:
    """What is asked for, so much of it under way at once as a server is sent; what is given up is not begun.

    By threads that no ending process waits for, as it does for an executor's: a server may be silent.
    """
    answers: list[Future[Embeddings]] = [Future() for _ask in asks]
    left = deque(zip(answers, asks, strict=True))

    def work() -> None:
        with suppress(IndexError):  # nothing is left
            while not given_up.is_set():
                _settle(*left.popleft())

    for _number in range(min(endpoint.AT_ONCE, len(asks))):
        threading.Thread(target=work, name="embeddings", daemon=True).start()
    return answers


def _settle(answer: Future[Embeddings], ask: Callable[[], Embeddings]) -> None:
    try:
        answer.set_result(ask())
    except BaseException as error:
        answer.set_exception(error)
