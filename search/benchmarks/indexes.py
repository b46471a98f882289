"""`manage.py bench index`: what each kind of index of a space takes to build, how large it is, and what it finds."""

import json
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any
from uuid import UUID

import numpy as np
from django.core.management.base import CommandError
from django.db import connection, transaction
from pgvector import HalfVector

from embeddings.models import Space, Storage
from kb import spaces
from kb.benchmarks import registry
from search import retrieval
from search.benchmarks import measure as searching
from search.benchmarks.corpus import Asked, Corpus
from search.hits import Query

BREADTHS = (100, 200, 400, 800)
"""Values of `hnsw.ef_search`; the index gives as many rows, which are then compared in all their numbers."""

FOUND = 10
"""Passages of which the recall is counted."""


@dataclass(frozen=True)
class Figures:
    """Recall, the middle of the milliseconds, and the middle of what each query took beside the plain index."""

    recall: float
    milliseconds: float
    times_halfvec: float

    def __str__(self) -> str:
        times = f"{self.times_halfvec:.2f} times halfvec"
        return f"recall@{FOUND} {self.recall:.3f}  {self.milliseconds:7.2f} ms, {times}"


@dataclass(frozen=True)
class Kind:
    """An index: seconds it took, bytes it has; how it answers alone at each breadth, and in a search by meaning."""

    kind: str
    seconds: float
    size: int
    alone: dict[int, Figures]
    in_search: Figures

    def lines(self) -> Iterator[str]:
        """What is printed."""
        yield f"{self.kind}: built in {self.seconds:.1f} s, {self.size / 1024**2:.1f} MiB"
        for breadth, figures in self.alone.items():
            yield f"  ef_search {breadth:4}  {figures}"
        yield f"  in a search     {self.in_search}"


def register() -> None:
    registry.add(registry.Measure("index", "Each kind of index: building, size, recall, time.", _add_arguments, _run))


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--dimensions", type=int, default=2_560)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--json", action="store_true", help="Print all figures as JSON.")


def _run(options: Mapping[str, Any], write: Callable[[str], object]) -> None:
    with spaces.alone() as is_free:
        if not is_free:
            raise CommandError("Another process builds an index just now: stop the embed workers first.")
        with _Unindexed(options["rows"], options["dimensions"]) as corpus:
            kinds = measure(corpus, options["queries"])
    if options["json"]:
        write(json.dumps([asdict(one) for one in kinds], indent=2))
        return
    write(f"{options['rows']:,} embeddings of {options['dimensions']:,} numbers")
    for one in kinds:
        for line in one.lines():
            write(line)


class _Unindexed(Corpus):
    """Each kind of index is built, and timed, when it is measured."""

    def index(self) -> None:
        """None yet."""


def measure(corpus: Corpus, count: int) -> list[Kind]:
    """Build an index of each kind and ask them in turn, query by query, so that a busy machine holds all of them up
    alike."""
    asked = corpus.queries(count)
    try:
        built = {kind: _build(corpus.space, kind) for kind in Storage.values}
        alone = _alone(corpus.space, [HalfVector(one.embedding).to_text() for one in asked])
        with searching.answering(corpus, asked):
            in_search = _in_search(corpus, asked)
    finally:
        for kind in Storage.values:
            spaces.drop(corpus.space, kind)
    return [Kind(kind, *built[kind], alone[kind], in_search[kind]) for kind in Storage.values]


def _build(space: Space, kind: str) -> tuple[float, int]:
    """Seconds and bytes."""
    space.storage = kind
    started = time.perf_counter()
    spaces.build(space)
    seconds = time.perf_counter() - started
    return seconds, next(index.size for index in spaces.indexes(space) if index.kind == kind)


# --- An index alone ---


def _alone(space: Space, queries: Sequence[str]) -> dict[str, dict[int, Figures]]:
    """Nothing but the space in scope, and raw embeddings compared."""
    ways = [(kind, breadth) for kind in Storage.values for breadth in BREADTHS]
    spent: dict[tuple[str, int], list[float]] = {way: [] for way in ways}
    found = dict.fromkeys(ways, 0)
    for kind in Storage.values:  # once for the cache
        _nearest(space, queries[0], kind, BREADTHS[-1])
    for query in queries:
        right = _exactly(space, query)
        for way in ways:
            ids, milliseconds = _nearest(space, query, *way)
            spent[way].append(milliseconds)
            found[way] += len(ids & right)
    return {
        kind: {
            breadth: _figures(
                found[kind, breadth] / (FOUND * len(queries)), spent[kind, breadth], spent[Storage.HALFVEC, breadth]
            )
            for breadth in BREADTHS
        }
        for kind in Storage.values
    }


def _figures(recall: float, spent: Sequence[float], by_halfvec: Sequence[float]) -> Figures:
    return Figures(round(recall, 4), median(spent), float(np.median(np.divide(spent, by_halfvec))))


def _exactly(space: Space, query: str) -> set[UUID]:
    settings = "SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off"
    return _first(space, query, settings, "")[0]


def _nearest(space: Space, query: str, kind: str, breadth: int) -> tuple[set[UUID], float]:
    settings = f"SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off; SET LOCAL hnsw.ef_search = {breadth}"
    return _first(space, query, settings, f"ORDER BY {spaces.distance(space, kind)} LIMIT {breadth}")


def _first(space: Space, query: str, settings: str, candidates: str) -> tuple[set[UUID], float]:
    """The ids of the nearest among the candidates, and the milliseconds that took."""
    statement = f"""SELECT chunk_id FROM (
        SELECT e.chunk_id, e.embedding FROM kb_embedding e WHERE e.space_id = '{space.pk}' {candidates} OFFSET 0
      ) n ORDER BY n.embedding <#> %s::halfvec({space.dimensions}) LIMIT {FOUND}"""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(settings)
        started = time.perf_counter()
        cursor.execute(statement, [query] * statement.count("%s"))
        ids = {chunk_id for (chunk_id,) in cursor.fetchall()}
        return ids, (time.perf_counter() - started) * 1000


# --- An index in a search ---


def _in_search(corpus: Corpus, asked: Sequence[Asked]) -> dict[str, Figures]:
    """As people's searches ask it: centred by language, at the product's own breadth."""
    spent: dict[str, list[float]] = {kind: [] for kind in Storage.values}
    for one in asked:
        for kind in Storage.values:
            spent[kind].append(_milliseconds(corpus, one, kind))
    recall = {}
    for kind in Storage.values:
        _use(corpus, kind)
        recall[kind] = searching.recall(corpus, asked)
    return {kind: _figures(recall[kind], spent[kind], spent[Storage.HALFVEC]) for kind in Storage.values}


def _use(corpus: Corpus, kind: str) -> None:
    Space.objects.filter(pk=corpus.space.pk).update(indexed=kind)


def _milliseconds(corpus: Corpus, one: Asked, kind: str) -> float:
    _use(corpus, kind)
    answer = retrieval.search(corpus.user, Query(one.text, mode="semantic", folding=False))
    return answer.timings_ms["retrieve"]
