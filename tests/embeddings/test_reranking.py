"""The way of a query and its passages to the process that reranks, and back."""

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pytest
from sentence_transformers import CrossEncoder

from embeddings import queries, reranking
from embeddings.local_reranker import LocalReranker
from embeddings.priority import Priority
from embeddings.reranker import LARGEST, QueryTooLong, Reranker, RerankerError, chances, odds_of
from embeddings.reranking import Answering, RerankerAway, RerankerLate
from tests.embeddings import rerankers, scripted
from tests.embeddings.rerankers import WordReranker
from tests.kb.running import waiting

QUERY = "tide moon"
PASSAGES = ["The tide.", "The moon and the tide.", "Boats."]
EXPECTED = [1 - rerankers.chance(QUERY, passage) for passage in PASSAGES]
BOX = 20.0


@pytest.fixture(autouse=True)
def _own(settings, request) -> None:
    """A reranker of its own for each test, so that nothing is remembered from another."""
    settings.RERANKER_MODEL = f"words-{request.node.name}-{time.time_ns()}"
    settings.RERANKER_URL = ""
    reranking._on_server.cache_clear()


@contextmanager
def served(reranker: Reranker, device: Priority | None = None) -> Iterator[None]:
    answering = Answering(lambda: reranker, device or Priority())
    assert answering.is_ready(BOX)
    try:
        yield
    finally:
        answering.stop()


def ask(query: str = QUERY, passages: Sequence[str] = PASSAGES, *, seconds: float = BOX) -> list[float]:
    return [float(one) for one in reranking.rerank(query, passages, instructions=[""] * len(passages), seconds=seconds)]


def test_it_works():
    with served(WordReranker()):
        np.testing.assert_allclose(ask(), EXPECTED, atol=1e-6)


def test_each_passage_is_asked_for_with_its_own_instruction():
    reranker = WordReranker()
    with served(reranker):
        found = reranking.rerank(QUERY, PASSAGES, instructions=["law", "", "law"], seconds=BOX)
    np.testing.assert_allclose(found, EXPECTED, atol=1e-6)
    assert reranker.asked[1:] == [(QUERY, [PASSAGES[0], PASSAGES[2]], "law"), (QUERY, [PASSAGES[1]], "")]


def test_what_was_asked_before_is_remembered(settings):
    reranker = WordReranker()
    with served(reranker):
        first = ask()
        assert ask() == first
        assert len(reranker.asked) == 2  # "ready" is the other
        ask("tide")
        ask(passages=PASSAGES[:2])
        assert len(reranker.asked) == 4


def test_nobody_serves_it():
    with pytest.raises(RerankerAway, match="No process serves"):
        ask()


def test_it_is_gone_once_it_is_stopped():
    with served(WordReranker()):
        ask()
    waiting.until(lambda: not queries.connect().exists(reranking._pulse_key()), seconds=5)
    with pytest.raises(RerankerAway, match="No process serves"):
        ask("another")


def test_it_serves_the_model_it_was_made_for_whatever_is_set_later(settings):
    with served(WordReranker()):
        ask()
        shown = reranking._pulse_key()
        settings.RERANKER_MODEL = "another"
        queries.connect().delete(shown)
        waiting.until(lambda: bool(queries.connect().exists(shown)), seconds=5)
        with pytest.raises(RerankerAway, match="No process serves"):
            ask()


def test_one_that_is_late_is_not_waited_for_and_computes_no_more():
    held = threading.Event()
    computed: list[Sequence[str]] = []

    def before(passages: Sequence[str]) -> None:
        computed.append(passages)
        held.wait(BOX)

    with served(WordReranker(before)):
        with pytest.raises(RerankerLate):
            ask(seconds=0.3)
        held.set()
        np.testing.assert_allclose(ask("tide", ["A tide."]), [0.01], atol=1e-6)
    # Of what was late the first micro-batch was under way; the second was left.
    assert computed == [PASSAGES[:2], ["A tide."]]


@pytest.mark.parametrize("error", [RerankerError("no"), ValueError("no")])
def test_one_that_fails_says_so_and_goes_on(error):
    def before(passages: Sequence[str]) -> None:
        if "Boats." in passages:
            raise error

    with served(WordReranker(before)):
        with pytest.raises(RerankerAway, match="failed"):
            ask()
        assert len(ask("tide", ["A tide."])) == 1


def test_a_query_without_room_for_a_passage_is_refused():
    with served(WordReranker()), pytest.raises(QueryTooLong):
        ask("tide " * 1_000)


def test_queries_go_first_between_its_micro_batches():
    device = Priority()
    order: list[object] = []
    begun, waits = threading.Event(), threading.Event()

    def before(passages: Sequence[str]) -> None:
        order.append(len(passages))
        begun.set()
        waits.wait(BOX)

    def query() -> None:
        with device.first():
            order.append("query")

    with served(WordReranker(before), device):
        asking = threading.Thread(target=ask)
        asking.start()
        begun.wait(BOX)
        querying = threading.Thread(target=query)
        querying.start()
        waiting.until(lambda: device._waiting[0], seconds=BOX)
        waits.set()
        querying.join(BOX)
        asking.join(BOX)
    assert order == [2, "query", 1]


def test_a_model_that_cannot_be_loaded_is_tried_again(monkeypatch):
    monkeypatch.setattr(reranking, "RETRY_SECONDS", 0.01)
    attempts: list[int] = []

    def load() -> Reranker:
        attempts.append(1)
        if len(attempts) < 3:
            raise RerankerError("no memory")
        return WordReranker()

    answering = Answering(load, Priority())
    assert answering.is_ready(BOX)
    answering.stop()
    assert len(attempts) == 3


def test_nothing_is_loaded_where_none_is_configured(settings):
    settings.RERANKER_MODEL = ""
    answering = Answering()
    assert answering.is_ready(0)
    assert not answering._thread.is_alive()
    answering.stop()
    assert not reranking.is_configured()


def test_what_waits_from_before_is_dropped():
    late = {"id": "late", "asked": [QUERY, PASSAGES, [""] * 3], "expires": time.time() - 1}
    computed: list[Sequence[str]] = []
    reranker = WordReranker(computed.append)
    queries.connect().rpush(reranking._queue_key(), json.dumps(late))
    with served(reranker):
        ask("tide", ["A tide."])
    assert computed == [["A tide."]]


class TestOnAServer:
    @pytest.fixture
    def server(self, settings) -> Iterator[rerankers.Server]:
        with rerankers.Server().running() as server:
            settings.RERANKER_URL, settings.RERANKER_API_KEY = server.url, "secret"
            yield server

    def test_it_is_asked_directly_and_remembered(self, server):
        np.testing.assert_allclose(ask(), EXPECTED, atol=1e-6)
        asked = len(server.asked)
        np.testing.assert_allclose(ask(), EXPECTED, atol=1e-6)
        assert len(server.asked) == asked

    @pytest.mark.parametrize(
        ("step", "raised"),
        [(scripted.hanging, RerankerLate), (scripted.refusing(404), RerankerAway), (scripted.dying, RerankerAway)],
    )
    def test_what_is_wrong_with_it_is_an_absence(self, server, step, raised):
        server.usually = step
        with pytest.raises(raised):
            ask(seconds=0.5 if step is scripted.hanging else BOX)

    def test_it_is_asked_once_before_anything_starts(self, server):
        reranking.prepare()
        assert len(server.asked) == 1
        server.usually = scripted.refusing(401)
        reranking._on_server.cache_clear()
        with pytest.raises(RerankerError, match="RERANKER_API_KEY"):
            reranking.prepare()


def test_a_folder_is_loaded_and_served(settings, tmp_path):
    folder = rerankers.write_bert(tmp_path)
    settings.RERANKER_MODEL = str(folder)
    answering = Answering()
    assert answering.is_ready(60)
    found = ask()
    answering.stop()
    np.testing.assert_allclose(found, chances(LocalReranker(folder).score(QUERY, PASSAGES)), atol=1e-4)


class TestItsFolder:
    def test_it_works(self, settings, tmp_path):
        for write in (rerankers.write_bert, rerankers.write_qwen):
            folder = tmp_path / write.__name__
            settings.RERANKER_MODEL = str(write(folder))
            reranking.prepare()
        CrossEncoder(str(folder), device="cpu").save_pretrained(str(tmp_path / "saved"))
        settings.RERANKER_MODEL = str(tmp_path / "saved")
        reranking.prepare()

    @pytest.mark.parametrize("model", ["empty", "no such folder", "an encoder"])
    def test_one_that_is_none_is_said_before_anything_starts(self, settings, tmp_path, qwen_folder, model):
        given = {"empty": str(tmp_path), "an encoder": str(qwen_folder)}
        settings.RERANKER_MODEL = given.get(model, model)
        with pytest.raises(RerankerError, match="RERANKER_MODEL"):
            reranking.prepare()


@pytest.mark.parametrize(
    ("model", "url", "name"),
    [("", "", ""), ("BAAI/bge-reranker-v2-m3", "", "BAAI/bge-reranker-v2-m3"), ("/models/own", "", "own"),
     ("rerank-1", "http://gpu:1", "rerank-1"), ("", "http://gpu:1/v1", "gpu")],
)  # fmt: skip
def test_it_has_a_name(settings, model, url, name):
    settings.RERANKER_MODEL, settings.RERANKER_URL = model, url
    assert reranking.name() == name


def test_odds_and_chances_are_one_another():
    odds = np.array([-LARGEST, -3, 0, 0.5, LARGEST], dtype=np.float32)
    np.testing.assert_allclose(odds_of(chances(odds)), odds, atol=1e-2)
    assert (np.diff(chances(odds)) > 0).all()
    assert odds_of(np.array([0.0, 1.0])).tolist() == [-LARGEST, LARGEST]
