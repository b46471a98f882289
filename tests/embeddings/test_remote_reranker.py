"""A reranker on a server, of either shape, also on one that misbehaves."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import numpy as np
import pytest

from embeddings import endpoint
from embeddings.encoder import EncoderUnavailable
from embeddings.endpoint import Endpoint
from embeddings.remote_reranker import RemoteReranker
from embeddings.reranker import RerankerError, chances
from tests.embeddings import rerankers, scripted
from tests.embeddings.rerankers import changed
from tests.embeddings.scripted import Body, Call

QUERY = "tide moon harbour"
PASSAGES = ["The tide.", "The moon and the tide.", "Boats.", "A harbour, a moon and a tide."]
EXPECTED = [1 - rerankers.chance(QUERY, passage) for passage in PASSAGES]

BOX = 20.0
"""Seconds that nothing here takes, unless it is waited for in vain."""


@pytest.fixture
def server() -> Iterator[rerankers.Server]:
    with rerankers.Server().running() as server:
        yield server


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch) -> None:
    monkeypatch.setattr(endpoint, "_FIRST_PAUSE", 0.001)


def ask(reranker: RemoteReranker, *, seconds: float = BOX) -> list[float]:
    return [float(one) for one in chances(reranker.score(QUERY, PASSAGES, until=time.monotonic() + seconds))]


def known(server: rerankers.Server) -> RemoteReranker:
    """One that has learnt already how the server is asked."""
    reranker = RemoteReranker(server.endpoint())
    reranker.probe()
    return reranker


@pytest.mark.parametrize("shape", [rerankers.cohere, rerankers.text_embeddings_inference, rerankers.in_log_odds])
def test_every_shape_is_told_by_what_the_server_answers(server, shape):
    server.usually = shape
    reranker = RemoteReranker(server.endpoint("secret"), "words")
    np.testing.assert_allclose(ask(reranker), EXPECTED, atol=1e-6)
    learning = len(server.asked) - 1
    np.testing.assert_allclose(ask(reranker), EXPECTED, atol=1e-6)
    assert len(server.asked) == learning + 2
    headers, body = server.asked[-1]
    assert headers["Authorization"] == "Bearer secret"
    if shape is rerankers.text_embeddings_inference:
        assert body == {"query": QUERY, "texts": PASSAGES, "truncate": True}
    else:
        assert body == {"model": "words", "query": QUERY, "documents": PASSAGES, "top_n": len(PASSAGES)}


def test_a_server_with_one_model_is_asked_for_none(server):
    ask(RemoteReranker(server.endpoint()))
    assert "model" not in server.asked[-1][1]


def test_scores_that_are_no_chances_after_all_are_log_odds(server):
    reranker = known(server)
    server.usually = rerankers.in_log_odds
    np.testing.assert_allclose(ask(reranker), EXPECTED, atol=1e-6)
    # Chances all of them by chance: they are read as before.
    server.usually = changed(lambda rows: [row.update(relevance_score=0.5) for row in rows])
    assert ask(reranker) == pytest.approx([1 / (1 + np.exp(-0.5))] * len(PASSAGES))


def test_certainty_has_an_end(server):
    reranker = known(server)
    server.usually = changed(lambda rows: [row.update(relevance_score=row["index"] % 2) for row in rows])
    none, all_, *others = ask(reranker)
    assert others == [none, all_]
    assert 0 < none < 1e-9
    assert 1 - 1e-9 < all_ < 1


def replacing(**fields: object) -> Callable[[list[Body]], object]:
    return lambda rows: rows[0].update(fields)


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows.pop(),
        lambda rows: rows.append(dict(rows[0])),
        lambda rows: rows.append({"index": len(rows), "relevance_score": 0.5}),
        replacing(index=1),
        replacing(index=-1),
        replacing(index=99),
        replacing(index="0"),
        replacing(index=True),
        replacing(relevance_score=float("nan")),
        replacing(relevance_score=float("inf")),
        replacing(relevance_score=None),
        replacing(relevance_score="0.5"),
        lambda rows: rows[0].pop("relevance_score"),
        lambda rows: rows.__setitem__(0, 0.5),
    ],
)
def test_an_answer_that_is_none_is_refused_whole(server, change):
    server.usually = changed(lambda rows: change(sorted_in_place(rows)))
    with pytest.raises(RerankerError, match="cannot be used"):
        ask(RemoteReranker(server.endpoint()))


def sorted_in_place(rows: list[Body]) -> list[Body]:
    rows.sort(key=lambda row: row["index"])
    return rows


@pytest.mark.parametrize("body", [b"[]", b"{}", b"null", b"7", b'{"results": 3}', b'{"results": {"index": 0}}'])
def test_another_shape_altogether_is_refused(server, body):
    server.usually = lambda call, asked: call.answer(200, body)
    with pytest.raises(RerankerError, match="cannot be used"):
        ask(RemoteReranker(server.endpoint()))


@pytest.mark.parametrize(
    "step", [scripted.refusing(500), scripted.refusing(429), scripted.refusing(503), scripted.dying]
)
def test_a_failure_is_tried_again_within_the_time(server, step):
    reranker = known(server)
    server.script.append(step)
    np.testing.assert_allclose(ask(reranker), EXPECTED, atol=1e-6)


@pytest.mark.parametrize(
    "step", [scripted.refusing(500), scripted.refusing(429, Retry_After="60"), scripted.speaking_html, scripted.dying]
)
def test_one_that_does_not_pass_is_an_absence(server, step):
    reranker = known(server)
    server.usually = step
    with pytest.raises(EncoderUnavailable):
        ask(reranker)


def test_a_server_that_was_away_is_left_alone_for_a_moment(server):
    reranker = known(server)
    server.usually = scripted.refusing(500)
    with pytest.raises(EncoderUnavailable, match="500"):
        ask(reranker)
    del server.asked[:]
    with pytest.raises(EncoderUnavailable, match="a moment ago"):
        ask(reranker)
    assert server.asked == []


def test_a_search_without_any_time_left_asks_nothing_and_silences_nobody(server):
    reranker = known(server)
    del server.asked[:]
    with pytest.raises(TimeoutError):
        ask(reranker, seconds=0)
    assert server.asked == []
    np.testing.assert_allclose(ask(reranker), EXPECTED, atol=1e-6)


def test_a_server_that_had_little_time_is_asked_again(server):
    reranker = known(server)
    server.script.append(scripted.hanging)
    with pytest.raises((TimeoutError, EncoderUnavailable)):
        ask(reranker, seconds=0.3)
    np.testing.assert_allclose(ask(reranker), EXPECTED, atol=1e-6)


def test_a_server_that_had_its_time_is_left_alone_for_a_moment(server):
    reranker = RemoteReranker(server.endpoint(), fair_seconds=0.1)
    reranker.probe()
    server.script.append(scripted.hanging)
    with pytest.raises((TimeoutError, EncoderUnavailable)):
        ask(reranker, seconds=0.3)
    with pytest.raises(EncoderUnavailable, match="a moment ago"):
        ask(reranker)


def dripping(call: Call, body: Body) -> None:
    """A byte now and then, for as long as somebody reads."""
    call.send_response(200)
    call.send_header("Content-Length", "1000000")
    call.end_headers()
    while not call.scripted.released.wait(0.02):
        call.wfile.write(b" ")
        call.wfile.flush()


@pytest.mark.parametrize("step", [scripted.hanging, dripping])
def test_a_late_server_is_not_waited_for(server, step):
    reranker = known(server)
    server.usually = step
    with pytest.raises((TimeoutError, EncoderUnavailable)):
        ask(reranker, seconds=0.3)


def flooding(call: Call, body: Body) -> None:
    """More and more, until nobody reads it."""
    call.send_response(200)
    call.end_headers()
    with suppress(OSError):
        while not call.scripted.released.is_set():
            call.wfile.write(b" " * 100_000)


def test_an_answer_without_an_end_is_not_read_to_it(server, monkeypatch):
    monkeypatch.setattr(endpoint, "LARGEST_ANSWER", 1_000_000)
    reranker = known(server)
    server.usually = flooding
    with pytest.raises(EncoderUnavailable, match="more than it was asked for"):
        ask(reranker)


def test_it_is_not_sent_elsewhere(server):
    with rerankers.Server().running() as elsewhere:
        server.usually = scripted.refusing(307, Location=f"{elsewhere.url}/rerank")
        with pytest.raises(RerankerError, match="answered 307"):
            ask(RemoteReranker(server.endpoint("secret")))
        assert elsewhere.asked == []


@pytest.mark.parametrize(
    ("status", "key", "says"),
    [
        (401, "", "asks for a key (401): set RERANKER_API_KEY"),
        (403, "secret", "does not accept RERANKER_API_KEY (403)"),
        (404, "", "answered 404"),
        (413, "", "answered 413"),
    ],
)
def test_a_refusal_says_what_to_change(server, status, key, says):
    server.usually = scripted.refusing(status, "we do not know secret")
    with pytest.raises(RerankerError) as refused:
        ask(RemoteReranker(server.endpoint(key)))
    assert says in str(refused.value)
    if key:
        assert key not in str(refused.value)
    assert len(server.asked) == 1


def test_nobody_there_is_an_absence():
    with pytest.raises(EncoderUnavailable, match="cannot be reached"):
        ask(RemoteReranker(Endpoint("http://127.0.0.1:9")), seconds=2)
