"""A reranker on a server: Text Embeddings Inference, vLLM, llama.cpp, Infinity, Jina, Cohere.

They speak two shapes. Which one, and whether a server gives chances or log-odds, is told by what it answers to texts
that are known.
"""

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from embeddings import endpoint
from embeddings.encoder import EncoderUnavailable
from embeddings.endpoint import Endpoint, Patience, Refused, Silent
from embeddings.reranker import Odds, RerankerError, check, odds_of

REST_SECONDS = 3.0
"""So long after a query that got no scores no other is sent: a server that is away holds up one search, not each."""

FAIR_SECONDS = 1.0
"""A server that was asked for less time and did not answer is not away: the search had no time left."""

_SHAPE_REFUSED = (400, 415, 422)
"""What servers answer to a body of the other shape."""

_QUERY = "When does the tide turn?"
_PASSAGES = ("The tide turns twice a day.", "El contrato se rescinde por escrito.", "def area(r): return 3.14 * r**2")
"""Far apart for any reranker: where all three scores are between 0 and 1, they are chances."""

Body = Mapping[str, Any]
Shape = Callable[[str, str, Sequence[str]], Body]
"""The body that asks a model for the scores of passages."""


class RemoteReranker:
    """Cheap to make; several threads may use it."""

    def __init__(self, server: Endpoint, model: str = "", *, fair_seconds: float = FAIR_SECONDS) -> None:
        """`model` is its name there; a server with one model needs none. After `fair_seconds` without an answer it is
        taken for away."""
        self._server = server
        self._model = model
        self._fair_seconds = fair_seconds
        self._shape: Shape | None = None
        self._gives_chances = True
        self._rests_until = 0.0
        self._learning = threading.Lock()
        self._threads = ThreadPoolExecutor(endpoint.AT_ONCE, "reranking")

    def score(self, query: str, passages: Sequence[str], *, until: float) -> Odds:
        """The log-odds of each passage, waiting at most until time.monotonic() is `until`, whatever the server does.

        Raises TimeoutError, RerankerError, or EncoderUnavailable where it does not answer.
        """
        if time.monotonic() >= until:
            raise TimeoutError
        if time.monotonic() < self._rests_until:
            raise EncoderUnavailable(f"The server at {self._server.url} did not answer a moment ago.")
        begun = math.inf

        def ask() -> Odds:
            nonlocal begun
            begun = time.monotonic()
            return self._score(query, passages, until)

        # Neither the looking up of a name nor a connection through a proxy heeds a timeout of ours: a thread does.
        asked = self._threads.submit(ask)
        try:
            return asked.result(max(0.0, until - time.monotonic()))
        except (TimeoutError, EncoderUnavailable) as error:
            asked.cancel()
            self._rest_after(error, begun=begun, until=until)
            raise

    def _rest_after(self, error: Exception, *, begun: float, until: float) -> None:
        """Unless it was only that the time of one search was over."""
        now = time.monotonic()
        too_late = now >= until or isinstance(error, TimeoutError | Silent)
        if not too_late or now - begun >= self._fair_seconds:
            self._rests_until = now + REST_SECONDS

    def probe(self) -> None:
        """Find out how the server wants to be asked and what its scores are. Raises as `score` does."""
        self._learn(endpoint.START)

    def _score(self, query: str, passages: Sequence[str], until: float) -> Odds:
        with self._learning:
            shape = self._shape or self._learn(_patience(until))
        scores = self._ask(shape, query, passages, _patience(until))
        # A server that once gave what is no chance never gives chances.
        self._gives_chances = self._gives_chances and _are_chances(scores)
        return check(odds_of(scores) if self._gives_chances else scores.astype(np.float32), passages=len(passages))

    def _learn(self, patience: Patience) -> Shape:
        try:
            shape = _documents
            scores = self._ask(shape, _QUERY, _PASSAGES, patience)
        except RerankerError as error:
            if not isinstance(error.__cause__, Refused) or error.__cause__.status not in _SHAPE_REFUSED:
                raise
            shape = _texts
            scores = self._ask(shape, _QUERY, _PASSAGES, patience)
        self._shape, self._gives_chances = shape, _are_chances(scores)
        return shape

    def _ask(self, shape: Shape, query: str, passages: Sequence[str], patience: Patience) -> np.ndarray[Any, Any]:
        try:
            answer = self._server.post("/rerank", shape(self._model, query, passages), patience)
        except Refused as error:
            raise RerankerError(_why_refused(self._server, error)) from error
        try:
            return _read(answer, passages=len(passages))
        except (KeyError, TypeError, ValueError) as error:
            raise RerankerError(f"The answer of the server at {self._server.url} cannot be used: {error!r}.") from error


def _patience(until: float) -> Patience:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return Patience(attempts=3, answer_seconds=left, total_seconds=left)


def _documents(model: str, query: str, passages: Sequence[str]) -> Body:
    """Cohere's, Jina's and vLLM's: https://docs.cohere.com/reference/rerank"""
    named = {"model": model} if model else {}
    return {**named, "query": query, "documents": list(passages), "top_n": len(passages)}


def _texts(model: str, query: str, passages: Sequence[str]) -> Body:
    """Text Embeddings Inference's: https://huggingface.co/docs/text-embeddings-inference/quick_tour"""
    return {"query": query, "texts": list(passages), "truncate": True}


def _read(answer: Any, *, passages: int) -> np.ndarray[Any, Any]:
    """The scores in an answer of either shape, in the order of the passages. Raises KeyError, TypeError, ValueError."""
    name, rows = ("score", answer) if isinstance(answer, list) else ("relevance_score", answer["results"])
    found: dict[int, float] = {}
    for row in rows:
        index, score = row["index"], row[name]
        if type(index) is not int or type(score) not in (int, float) or not math.isfinite(score):
            raise ValueError("a score is no number")
        found[index] = float(score)
    if len(rows) != passages or set(found) != set(range(passages)):
        raise ValueError(f"it holds scores of other texts than the {passages} that were sent")
    return np.array([found[index] for index in range(passages)], dtype=np.float64)


def _are_chances(scores: np.ndarray[Any, Any]) -> bool:
    return bool(((scores >= 0) & (scores <= 1)).all())


def _why_refused(server: Endpoint, error: Refused) -> str:
    if error.status not in (401, 403):
        return str(error)
    if server.has_key:
        return f"The server at {server.url} does not accept RERANKER_API_KEY ({error.status})."
    return f"The server at {server.url} asks for a key ({error.status}): set RERANKER_API_KEY."
