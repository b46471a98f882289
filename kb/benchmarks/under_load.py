"""How long a query waits for its embedding while passages are encoded without a pause."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import pairwise
from statistics import median
from typing import Any

from django.test import override_settings

from embeddings import queries, serving, spaces
from embeddings.models import Space
from kb.benchmarks import goals, texts
from kb.benchmarks.pipeline import Occupied

GOAL = 2
"""Micro-batches that a query may wait for at most, at the 95th percentile."""

_PAUSE = 0.05


@dataclass(frozen=True)
class Result:
    """Seconds: of a whole micro-batch of passages, of a query on an idle encoder, and of queries under load."""

    micro_batch: float
    idle: float
    under_load: list[float]

    @property
    def p50(self) -> float:
        return median(self.under_load)

    @property
    def p95(self) -> float:
        return sorted(self.under_load)[int(0.95 * (len(self.under_load) - 1))]

    @property
    def waited(self) -> float:
        """What the 95th percentile has beyond a query of its own, in micro-batches."""
        return (self.p95 - self.idle) / self.micro_batch

    def figures(self) -> dict[str, Any]:
        """All of them, as JSON takes them."""
        return asdict(self) | {"p50": self.p50, "p95": self.p95, "waited": self.waited, "goals": {"waited": GOAL}}

    def lines(self) -> list[str]:
        """What is printed."""
        return [
            f"A micro-batch {self.micro_batch * 1000:.0f} ms; a query alone {self.idle * 1000:.0f} ms",
            f"{len(self.under_load)} queries under load: p50 {self.p50 * 1000:.0f} ms, p95 {self.p95 * 1000:.0f} ms",
            f"At p95 a query waits for {goals.at_most(self.waited, GOAL)} micro-batches.",
        ]


def measure(*, count: int, least: int, most: int, asked: int = 40) -> Result:
    """Ask `asked` queries on an idle encoder and as many under load, on their usual way through Redis. Raises
    Occupied."""
    server, space = serving.server(), spaces.current()
    if queries.is_answering(space.pk):
        raise Occupied("Stop `manage.py up` and the embed workers: their encoder would answer.")
    passages = texts.mixed(count, spaces.tokenizer(), least=least, most=most)
    micro_batch = _micro_batch(server, passages)
    answering = serving.Answering()
    try:
        with override_settings(QUERY_CACHE_SECONDS=0):
            idle = median(_ask(space, number) for number in range(asked))
            with _load(server, passages):
                under_load = [_ask(space, asked + number) for number in range(asked)]
    finally:
        answering.stop()
    return Result(micro_batch, idle, under_load)


def _micro_batch(server: serving.Server, passages: list[str]) -> float:
    """Of passages alone, before any query is asked."""
    server.encode_passages(passages[:8])
    ended = [time.perf_counter()]
    server.encoder.encode_passages(passages, between=lambda: ended.append(time.perf_counter()))
    ended.append(time.perf_counter())
    return median(after - before for before, after in pairwise(ended))


def _ask(space: Space, number: int) -> float:
    time.sleep(_PAUSE)
    begun = time.perf_counter()
    queries.encode_query(f"Where does the text with the number {number} stand?", space=space, timeout=60)
    return time.perf_counter() - begun


@contextmanager
def _load(server: serving.Server, passages: list[str]) -> Iterator[None]:
    """Passages are encoded, again and again."""
    done = threading.Event()

    def encode() -> None:
        while not done.is_set():
            server.encode_passages(passages)

    thread = threading.Thread(target=encode, name="load")
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
