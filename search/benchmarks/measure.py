"""`manage.py bench search`: how long a search takes beside the bare index, and its recall."""

import json
import threading
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

import redis
from django.db import connection, transaction
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from pgvector import HalfVector
from rest_framework.test import force_authenticate

from embeddings import centring, queries
from embeddings.encoder import Embeddings
from kb import language
from kb.benchmarks import goals, registry
from kb.models import LanguageMean
from search import nearest, retrieval
from search.api import SearchView
from search.benchmarks.corpus import SHARES, Asked, Corpus
from search.hits import Mode, Query

MODES: tuple[Mode, ...] = ("semantic", "hybrid", "lexical")

WARM = 20
"""Queries asked before the clock runs."""

TIMES_BARE = 2.0
"""What a search may take at p50, beside the bare index; and at the most chunks, beside the fewest."""

MILLISECONDS = 50.0
"""What it may take at p95, on two cores, at GOAL_CHUNKS."""

GOAL_CHUNKS = 100_000

RECALL = 0.98
RECALL_FILTERED = 0.95


@dataclass(frozen=True)
class Figures:
    """Milliseconds at the middle and at 95 %."""

    p50: float
    p95: float

    @classmethod
    def of(cls, milliseconds: Sequence[float]) -> "Figures":
        return cls(round(median(milliseconds), 2), round(quantiles(milliseconds, n=20)[-1], 2))


def register() -> None:
    registry.add(
        registry.Measure(
            "search", "Milliseconds of a search without encoding, beside the bare index.", _add_arguments, _run
        )
    )


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--chunks", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--dimensions", type=int, default=2_560, help="By default those of Qwen3-Embedding-4B.")
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--json", action="store_true", help="Print all figures as JSON.")


def _run(options: Mapping[str, Any], write: Callable[[str], object]) -> None:
    figures: dict[int, dict[str, Any]] = {}
    for chunks in options["chunks"]:
        with Corpus(chunks, options["dimensions"]) as corpus:
            figures[chunks] = measure(corpus, options["queries"])
        if not options["json"]:
            for name, value in figures[chunks].items():
                said = _beside_its_goal(name, value, chunks)
                write(f"{chunks:>8,} chunks of {options['dimensions']:,} numbers  {name:32} {said}")
    if options["json"]:
        write(json.dumps(figures, indent=2, default=vars))
    elif len(figures) > 1:
        fewest, *_between, most = sorted(figures)
        for mode in MODES:
            times = goals.at_most(figures[most][mode].p50 / figures[fewest][mode].p50, TIMES_BARE)
            write(f"{most:>8,} chunks beside {fewest:,}, {mode}, times at p50  {times}")


def _beside_its_goal(name: str, value: Any, chunks: int) -> str:
    if name in MODES:
        return f"p50 {value.p50:.1f}, p95 {goals.at_most(value.p95, MILLISECONDS if chunks == GOAL_CHUNKS else None)}"
    if isinstance(value, Figures):
        return f"p50 {value.p50:.1f}, p95 {value.p95:.1f}"
    if name.endswith(_TIMES):
        return goals.at_most(value, TIMES_BARE)
    if name.startswith(_RECALL):
        return goals.at_least(value, RECALL if name == _RECALL_OF.format("100 %") else RECALL_FILTERED, digits=4)
    return str(value)


def measure(corpus: Corpus, count: int) -> dict[str, Any]:
    """The bare index and the three modes in turn, query by query, so that a busy machine holds up all of them alike;
    then recall."""
    asked = corpus.queries(count + WARM)
    means = centring.means(
        list(LanguageMean.objects.filter(space=corpus.space).values_list("language", "passages", "mean"))
    )
    if means is None:
        raise RuntimeError("The corpus has no means.")
    with answering(corpus, asked):
        spent: dict[str, list[float]] = {"bare index": [], **{mode: [] for mode in MODES}}
        steps: dict[str, list[float]] = {}
        for place, one in enumerate(asked):
            bare = _bare(corpus, means.centre(one.embedding, language.chances(one.text)))
            times, timings = _in_each_mode(corpus, one)
            if place < WARM:
                continue
            for name, milliseconds in {"bare index": bare, **times}.items():
                spent[name].append(milliseconds)
            for step, milliseconds in timings.items():
                steps.setdefault(step, []).append(milliseconds)
        figures: dict[str, Any] = {name: Figures.of(milliseconds) for name, milliseconds in spent.items()}
        for mode in MODES:
            figures[mode + _TIMES] = round(figures[mode].p50 / figures["bare index"].p50, 2)
            with transaction.atomic(), CaptureQueriesContext(connection) as statements:
                _posted(corpus, asked[-1], mode)
            figures[f"{mode}, round trips to the database"] = len(statements)
        figures |= {f"hybrid: {step}": Figures.of(milliseconds) for step, milliseconds in steps.items()}
        for share in (None, *SHARES):
            figures[_RECALL_OF.format(share or "100 %")] = recall(corpus, asked[: max(50, count // 4)], share)
    return figures


_TIMES = ", times the bare index"
_RECALL = "recall@10"
_RECALL_OF = _RECALL + ", {} in scope"


@contextmanager
def answering(corpus: Corpus, asked: Sequence[Asked]) -> Iterator[None]:
    """A thread that answers for the encoder with the embeddings that were made up."""
    known = {one.text: one.embedding for one in asked}
    stop = threading.Event()
    waiting = queries.connect()
    queries.show_life(waiting, corpus.space.pk)
    thread = threading.Thread(target=_answer, args=(waiting, corpus, known, stop), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _in_each_mode(corpus: Corpus, one: Asked) -> tuple[dict[str, float], dict[str, float]]:
    """Milliseconds of a search in each mode without encoding; and of the steps of one by both. There the words are
    looked for meanwhile: how long encoding takes is known from the search by meaning alone."""
    queries.encode_query(one.text, space=corpus.space)  # remembered by all that follow
    posted = {str(mode): _posted(corpus, one, mode) for mode in MODES}
    encoding = posted["semantic"][1]["encode"]
    times = {mode: spent - (0.0 if mode == "lexical" else encoding) for mode, (spent, _steps) in posted.items()}
    return times, posted["hybrid"][1]


def _posted(corpus: Corpus, one: Asked, mode: str) -> tuple[float, dict[str, float]]:
    """Milliseconds of the request through the API view, and those of its steps."""
    body = json.dumps({"query": one.text, "mode": mode})
    request = RequestFactory().post("/api/v1/search/", body, content_type="application/json")
    force_authenticate(request, user=corpus.user)
    started = time.perf_counter()
    response = _VIEW(request)
    response.render()
    spent = (time.perf_counter() - started) * 1000
    if response.status_code != 200:
        raise RuntimeError(response.content.decode())
    timings = response.data["timings_ms"]
    return spent, timings


class _Unthrottled(SearchView):
    """What is measured is a search, not how often one may be made."""

    def get_throttles(self) -> list[Any]:
        return []


_VIEW = _Unthrottled.as_view()


def _bare(corpus: Corpus, embedding: Embeddings) -> float:
    """Milliseconds of the same index scan in one statement: the same query, as it is compared, the same breadth, the
    same number of rows."""
    size = corpus.space.dimensions
    fetched = nearest.CENTRED_CANDIDATES
    statement = f"""SELECT chunk_id FROM kb_embedding WHERE space_id = '{corpus.space.pk}'
        ORDER BY embedding::halfvec({size}) <#> %s::halfvec({size}) LIMIT {fetched}"""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f"SET LOCAL hnsw.ef_search = {nearest.centred_breadth(corpus.space)};"
            " SET LOCAL hnsw.iterative_scan = relaxed_order"
        )
        started = time.perf_counter()
        cursor.execute(statement, [HalfVector(embedding).to_text()])
        cursor.fetchall()
        return (time.perf_counter() - started) * 1000


def recall(corpus: Corpus, asked: Sequence[Asked], share: str | None = None) -> float:
    """The part of the exact first ten that a search by meaning finds; a short answer counts what it lacks."""
    inside = (corpus.collections[share].slug,) if share else ()
    found = expected = 0
    for one in asked:
        query = Query(one.text, inside, mode="semantic", folding=False)
        hits = [hit.citation.id for hit in retrieval.search(corpus.user, query).hits]
        with _exactly():
            exact = [hit.citation.id for hit in retrieval.search(corpus.user, query).hits]
        found += len({*hits} & {*exact})
        expected += len(exact)
    return round(found / expected, 4)


@contextmanager
def _exactly() -> Iterator[None]:
    """Every row is compared inside."""
    before = nearest.ALWAYS_EXACT_ROWS
    nearest.ALWAYS_EXACT_ROWS = 1 << 31
    yield
    nearest.ALWAYS_EXACT_ROWS = before


def _answer(waiting: redis.Redis, corpus: Corpus, known: Mapping[str, Any], stop: threading.Event) -> None:
    while not stop.is_set():
        queries.show_life(waiting, corpus.space.pk)
        for _space, requests in queries.take_waiting(waiting, [corpus.space.pk]):
            for request in requests:
                queries.answer(waiting, request, known[request["text"]])
