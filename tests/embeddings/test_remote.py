"""An encoder on a server, also on one that misbehaves."""

import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embeddings import endpoint, offer, probe, prompts, remote
from embeddings.encoder import EncoderError, EncoderUnavailable
from embeddings.endpoint import Patience
from embeddings.hashing import HashingEncoder, HashingTokenizer
from embeddings.remote import RemoteEncoder
from tests.embeddings import scripted

TEXTS = [f"passage {number} of the {'long ' * (number % 5)}manual" for number in range(100)]


@pytest.fixture
def server() -> Iterator[scripted.Server]:
    with scripted.Server().running() as server:
        yield server


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch) -> None:
    monkeypatch.setattr(endpoint, "_FIRST_PAUSE", 0.001)


def encoder_of(server: scripted.Server, *, dimensions: int | None = None, name: str = scripted.MODEL) -> RemoteEncoder:
    """The encoder as a process has it that finds the space there."""
    about = offer.describe(server.endpoint(), name, prompts_of=prompts.of_model, dimensions=dimensions, max_tokens=512)
    known = RemoteEncoder(server.endpoint(), about, tokenizer=HashingTokenizer()).probe()
    return RemoteEncoder(server.endpoint(), about, tokenizer=HashingTokenizer(), known=known)


def test_it_works(server):
    encoder = encoder_of(server)
    found = encoder.encode_passages(TEXTS)
    np.testing.assert_allclose(found, HashingEncoder(64).encode_passages(TEXTS), atol=1e-6)
    np.testing.assert_allclose(encoder.encode_queries(["tide"]), HashingEncoder(64).encode_queries(["tide"]), atol=1e-6)
    encoder.verify()
    assert encoder.answers()


def test_nothing_is_nothing(server):
    assert encoder_of(server).encode_passages([]).shape == (0, 64)


def test_requests_are_bounded_and_under_way_together(server):
    encoder = encoder_of(server)
    del server.asked[:]
    together = threading.Barrier(4)

    def meeting(call: scripted.Call, body: scripted.Body) -> None:
        together.wait(10)
        scripted.well(call, body)

    encoder.encode_queries(["ready"])  # what the server takes is found out before
    server.script.extend([meeting] * 4)
    encoder.encode_passages(TEXTS)
    sizes = [len(texts) for texts in server.texts[-4:]]
    assert sorted(sizes) == [len(TEXTS) % remote.TEXTS + 1, *[remote.TEXTS + 1] * 3]


def test_others_may_go_first_while_requests_are_under_way(server, monkeypatch):
    monkeypatch.setattr(remote, "LOOK_SECONDS", 60)
    encoder = encoder_of(server)
    encoder.encode_queries(["ready"])
    gone_first = threading.Event()

    def late(call: scripted.Call, body: scripted.Body) -> None:
        gone_first.wait(10)
        scripted.well(call, body)

    server.script.extend([scripted.well, late, late, late])
    encoder.encode_passages(TEXTS, between=gone_first.set)
    assert gone_first.is_set()


def test_after_the_last_answer_nobody_is_asked_whether_to_go_on(server, monkeypatch):
    monkeypatch.setattr(remote, "LOOK_SECONDS", 60)
    encoder_of(server).encode_passages(TEXTS[:3], between=lambda: pytest.fail("it was asked"))


class Unwanted(Exception):
    """Whoever asked wants no answer any more."""


def unwanted() -> None:
    raise Unwanted


def test_a_silent_server_is_not_waited_for_when_nobody_wants_its_answer(server):
    encoder = encoder_of(server)
    encoder.encode_queries(["ready"])
    server.usually = scripted.hanging
    begun = time.monotonic()
    with pytest.raises(Unwanted):
        encoder.encode_passages(TEXTS, between=unwanted)
    assert time.monotonic() - begun < remote.PASSAGES.answer_seconds / 2


def test_a_silent_server_keeps_no_process_from_ending(server):
    server.usually = scripted.hanging
    ended = subprocess.run(
        [sys.executable, "-c", _ENDING, server.url], timeout=remote.PASSAGES.answer_seconds / 2, check=False
    )
    assert ended.returncode == 7


def test_a_request_has_few_tokens_or_one_text(server):
    encoder = encoder_of(server)
    encoder.encode_queries(["ready"])
    del server.asked[:]
    encoder.encode_passages(["word " * 3_000, "word " * 5_000, "word " * 1_000, "word"])
    assert sorted(sum(HashingTokenizer().count(texts[1:])) for texts in server.texts) == [4_001, 5_000]


@given(st.lists(st.text(max_size=30), max_size=70))
def test_every_text_is_in_one_request(texts):
    encoder = RemoteEncoder(endpoint.Endpoint("http://localhost"), _ABOUT, tokenizer=HashingTokenizer())
    requests = encoder._cut(texts, "")
    assert sorted(itertools.chain.from_iterable(requests)) == list(range(len(texts)))
    assert all(0 < len(places) <= remote.TEXTS for places in requests)


@pytest.mark.parametrize(
    ("step", "fields"),
    [
        (scripted.well, {"encoding_format", "dimensions"}),
        (scripted.refusing_fields("encoding_format"), {"dimensions"}),
        (scripted.refusing_fields("dimensions"), {"encoding_format"}),
        (scripted.refusing_fields("dimensions", "encoding_format"), set()),
    ],
)
def test_what_a_server_takes_is_asked_for_and_the_rest_done_here(server, step, fields):
    server.usually = step
    encoder = encoder_of(server, dimensions=16)
    found = encoder.encode_passages(TEXTS[:3])
    assert set(server.asked[-1][1]) - {"model", "input"} == fields
    if "dimensions" in fields:
        expected = HashingEncoder(16).encode_passages(TEXTS[:3])
    else:
        whole = HashingEncoder(64).encode_passages(TEXTS[:3])[:, :16]
        expected = whole / np.linalg.norm(whole, axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_server_that_ignores_dimensions_is_cut_here(server):
    def ignoring(call: scripted.Call, body: scripted.Body) -> None:
        scripted.well(call, {name: value for name, value in body.items() if name != "dimensions"})

    server.usually = ignoring
    assert encoder_of(server, dimensions=16).encode_passages(TEXTS[:3]).shape == (3, 16)
    assert "dimensions" not in server.asked[-1][1]


def test_lengths_other_than_one_are_mended(server):
    def stretch(answer: scripted.Body) -> None:
        for item in answer["data"]:
            item["embedding"] = [7.0 * number for number in item["embedding"]]

    server.usually = scripted.changed(stretch)
    found = encoder_of(server).encode_passages(TEXTS[:3])
    np.testing.assert_allclose(found, HashingEncoder(64).encode_passages(TEXTS[:3]), atol=1e-6)


def test_order_is_that_of_the_index(server):
    server.usually = scripted.changed(lambda answer: answer["data"].reverse())
    found = encoder_of(server).encode_passages(TEXTS[:9])
    np.testing.assert_allclose(found, HashingEncoder(64).encode_passages(TEXTS[:9]), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "query", "passage"),
    [
        (
            "Qwen/Qwen3-Embedding-4B",
            "Instruct: Given a legal question\nQuery:tide",
            "tide",
        ),
        ("intfloat/multilingual-e5-small", "query: tide", "passage: tide"),
        ("words", "tide", "tide"),
    ],
)
def test_prompts_are_written_here(server, name, query, passage):
    server.pages["/v1/models"] = (200, scripted.models({"id": name}))
    encoder = encoder_of(server, name=name)
    encoder.encode_queries(["tide"], instruction="Given a legal question")
    assert server.texts[-1][-1] == query
    encoder.encode_passages(["tide"])
    assert server.texts[-1][-1] == passage
    assert "instruction" not in server.asked[-1][1]


def test_the_key_goes_along_and_is_not_repeated(server):
    server.usually = scripted.refusing(401, "Incorrect API key provided: secret-key")
    encoder = RemoteEncoder(server.endpoint("secret-key"), _ABOUT, tokenizer=HashingTokenizer(), known=_KNOWN)
    with pytest.raises(EncoderUnavailable, match="Incorrect API key provided: …") as refused:
        encoder.encode_passages(["tide"])
    assert server.asked[-1][0]["Authorization"] == "Bearer secret-key"
    assert "secret-key" not in str(refused.value)


def test_a_quick_server_gets_more_at_a_time_and_a_slow_one_less(server, monkeypatch):
    encoder = encoder_of(server)
    sizes = [encoder.unit_tokens]
    for _ in range(9):
        encoder.encode_passages(TEXTS[:1])
        sizes.append(encoder.unit_tokens)
    assert sizes[:3] == [remote.TOKENS, 2 * remote.TOKENS, 4 * remote.TOKENS]
    assert sizes[-1] == remote.MOST_UNIT_TOKENS
    monkeypatch.setattr(remote, "UNIT_SECONDS", 0.0)
    for _ in range(9):
        encoder.encode_passages(TEXTS[:1])
    assert encoder.unit_tokens == remote.TOKENS


# --- Failures that pass ---


@pytest.mark.parametrize(
    "step",
    [
        scripted.refusing(429),
        scripted.refusing(429, Retry_After="0"),
        scripted.refusing(503, Retry_After="Wed, 21 Oct 2015 07:28:00 GMT"),
        scripted.refusing(500),
        scripted.refusing(502),
        scripted.dying,
        scripted.speaking_html,
        scripted.changed(lambda answer: answer["data"].pop()),
        scripted.changed(lambda answer: answer["data"].append(answer["data"][0])),
        scripted.changed(lambda answer: answer.pop("data")),
    ],
)
def test_a_request_is_tried_again(server, step):
    encoder = encoder_of(server)
    encoder.encode_queries(["ready"])
    server.script.extend([step, step])
    np.testing.assert_allclose(
        encoder.encode_passages(TEXTS[:3]), HashingEncoder(64).encode_passages(TEXTS[:3]), atol=1e-6
    )
    assert not server.script


def test_a_server_that_hangs_is_given_up(server, monkeypatch):
    monkeypatch.setattr(remote, "PASSAGES", Patience(attempts=2, answer_seconds=0.2, total_seconds=2))
    encoder = encoder_of(server)
    encoder.encode_queries(["ready"])
    server.usually = scripted.hanging
    with pytest.raises(EncoderUnavailable, match="did not answer within"):
        encoder.encode_passages(TEXTS[:8])
    server.usually = scripted.well
    del server.asked[:]
    encoder.encode_passages(TEXTS[:8])
    assert [len(texts) for texts in server.texts] == [1 + 4, 1 + 4]  # less at once from now on


def test_a_server_that_goes_away_is_no_text_s_fault(server, monkeypatch):
    monkeypatch.setattr(remote, "PASSAGES", Patience(attempts=2, answer_seconds=5, total_seconds=5))
    encoder = encoder_of(server)
    encoder.encode_queries(["ready"])
    answered = itertools.count()

    def last(call: scripted.Call, body: scripted.Body) -> None:
        (scripted.well if next(answered) < 2 else scripted.dying)(call, body)

    server.usually = last
    with pytest.raises(EncoderUnavailable, match="cannot be reached"):
        encoder.encode_passages(TEXTS)
    server.stop()
    with pytest.raises(EncoderUnavailable, match="cannot be reached"):  # refused, or cut off where one was still open
        encoder.encode_passages(TEXTS)
    assert not encoder.answers()


def test_a_long_retry_after_gives_the_work_back_with_it(server):
    encoder = encoder_of(server)
    encoder.encode_queries(["ready"])
    server.usually = scripted.refusing(429, Retry_After="3600")
    with pytest.raises(EncoderUnavailable) as crowded:
        encoder.encode_passages(TEXTS[:3])
    assert crowded.value.pause == 60


def test_queries_do_not_wait_for_a_server_that_is_gone(server):
    encoder = encoder_of(server)
    encoder.encode_queries(["ready"])
    server.usually = scripted.refusing(503)
    with pytest.raises(EncoderUnavailable, match="503"):
        encoder.encode_queries(["tide"])
    del server.asked[:]
    with pytest.raises(EncoderUnavailable, match="a moment ago"):
        encoder.encode_queries(["tide"])
    assert not server.asked
    server.usually = scripted.well
    encoder._rests_until = 0.0
    assert encoder.encode_queries(["tide"]).shape == (1, 64)


# --- Texts at fault ---


def refusing_long_texts(status: int) -> scripted.Step:
    def step(call: scripted.Call, body: scripted.Body) -> None:
        too_long = any(len(text) > 1_000 for text in body["input"])
        (scripted.refusing(status, "input is too long") if too_long else scripted.well)(call, body)

    return step


@pytest.mark.parametrize("status", [400, 413, 422, 500])
def test_a_text_that_is_refused_is_at_fault_alone(server, status):
    encoder = encoder_of(server)
    server.usually = refusing_long_texts(status)
    with pytest.raises(EncoderError, match="input is too long"):
        encoder.encode_passages([*TEXTS[:5], "long " * 1_000])
    assert encoder.encode_passages(TEXTS[:5]).shape == (5, 64)


@pytest.mark.parametrize("status", [413, 422])
def test_texts_refused_together_are_sent_in_smaller_requests_from_then_on(server, status):
    encoder = encoder_of(server)

    def small_only(call: scripted.Call, body: scripted.Body) -> None:
        (scripted.refusing(status, "batch too large") if len(body["input"]) > 9 else scripted.well)(call, body)

    server.usually = small_only
    found = encoder.encode_passages(TEXTS)
    np.testing.assert_allclose(found, HashingEncoder(64).encode_passages(TEXTS), atol=1e-6)
    del server.asked[:]
    encoder.encode_passages(TEXTS)
    assert max(len(texts) for texts in server.texts) <= 9


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), None])
def test_numbers_that_are_none_are_refused(server, bad):
    encoder = encoder_of(server)

    def spoil(answer: scripted.Body) -> None:
        answer["data"][-1]["embedding"][3] = bad

    server.usually = scripted.changed(spoil)
    with pytest.raises(EncoderError, match="not finite"):
        encoder.encode_passages(TEXTS[:3])


# --- Another model ---


@pytest.mark.parametrize(
    "step",
    [
        scripted.another_model,
        scripted.changed(lambda answer: [item.update(embedding=item["embedding"][:32]) for item in answer["data"]]),
        scripted.changed(lambda answer: [item.update(embedding=[float("nan")] * 64) for item in answer["data"]]),
        scripted.changed(lambda answer: [item.update(embedding=[0.0] * 64) for item in answer["data"]]),
    ],
)
def test_another_model_writes_nothing(server, step):
    encoder = encoder_of(server)
    encoder.encode_queries(["ready"])
    server.usually = step
    for encode in (encoder.encode_passages, encoder.encode_queries):
        with pytest.raises(EncoderUnavailable):
            encode(TEXTS[:3])
    assert not encoder.answers()


def test_a_model_that_has_changed_a_little_is_refused_at_the_start(server):
    encoder = encoder_of(server)

    def lean(answer: scripted.Body) -> None:
        answer["data"][-1]["embedding"][0] += 0.1  # cosine 0.995

    server.usually = scripted.changed(lean)
    with pytest.raises(EncoderUnavailable, match="is not the one that the space was made with"):
        encoder.verify()


def test_noise_is_not_another_model(server):
    encoder = encoder_of(server)
    noise = np.random.default_rng(7)

    def shake(answer: scripted.Body) -> None:
        for item in answer["data"]:
            item["embedding"] = [number + noise.normal(scale=0.003) for number in item["embedding"]]

    server.usually = scripted.changed(shake)
    encoder.verify()
    assert encoder.encode_passages(TEXTS[:3]).shape == (3, 64)


def test_without_what_it_is_known_by_nothing_is_encoded(server):
    encoder = encoder_of(server)
    stranger = RemoteEncoder(server.endpoint(), encoder.description, tokenizer=HashingTokenizer())
    with pytest.raises(EncoderUnavailable, match=r"manage\.py prepare"):
        stranger.encode_passages(["tide"])


_ABOUT = replace(HashingEncoder(64).description, name=scripted.MODEL)
_KNOWN = HashingEncoder(64).encode_passages(probe.TEXTS)

_ENDING = """
import sys
from embeddings.endpoint import Endpoint
from embeddings.hashing import HashingTokenizer
from embeddings.remote import RemoteEncoder
from tests.embeddings.test_remote import _ABOUT, _KNOWN
encoder = RemoteEncoder(Endpoint(sys.argv[1]), _ABOUT, tokenizer=HashingTokenizer(), known=_KNOWN)
encoder.encode_passages(["tide"], between=lambda: sys.exit(7))
"""
"""A process that ends while it waits for an answer."""
