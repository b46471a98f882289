"""Requests of other programs and the process that holds the encoder."""

import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embeddings import queries, requests, serving
from embeddings.encoder import Embeddings, Encoder, EncoderError
from embeddings.hashing import HashingEncoder
from embeddings.local import LocalEncoder
from embeddings.models import Space
from embeddings.queries import EncoderAway
from embeddings.requests import Answering, Crowded, Refusal
from tests.kb.running import waiting

TEXTS = ["the tide turns", "twice a day", "潮水每天涨落"]


class Watched(HashingEncoder):
    """Does something before it encodes."""

    def __init__(self, before: Callable[[Sequence[str]], None]) -> None:
        super().__init__()
        self.before = before

    def encode_prompted(
        self, texts: Sequence[str], *, prompt: str, between: Callable[[], None] | None = None
    ) -> Embeddings:
        self.before(texts)
        return super().encode_prompted(texts, prompt=prompt, between=between)


@contextmanager
def served(encoder: Encoder, *, max_tokens: int = 512) -> Iterator[Space]:
    """A space of its own whose encoder answers requests."""
    space = Space(pk=uuid.uuid4(), dimensions=encoder.dimensions, max_tokens=max_tokens)
    held = {space.pk: serving.Server(encoder, space.pk)}
    answering = Answering(lambda: held)
    waiting.until(lambda: bool(queries.connect().exists(requests._pulse_key(space.pk))), seconds=30)
    try:
        yield space
    finally:
        answering.stop()


def test_it_works():
    with served(HashingEncoder()) as space:
        encoded = requests.encode(TEXTS, space=space, role="bare")
    np.testing.assert_array_equal(encoded.embeddings, HashingEncoder().encode_passages(TEXTS))
    assert encoded.tokens == 3 + 3 + 6


def test_what_a_text_is_decides_its_prompt_and_its_tokens(qwen_folder: Path):
    local = LocalEncoder(qwen_folder, device="cpu", dtype="float32")
    legal = "Given a legal question, retrieve rulings"
    with served(local) as space:
        as_query = requests.encode(TEXTS, space=space, role="query", instruction=legal)
        as_passage = requests.encode(TEXTS, space=space, role="passage")
    np.testing.assert_allclose(as_query.embeddings, local.encode_queries(TEXTS, instruction=legal), atol=1e-5)
    np.testing.assert_allclose(as_passage.embeddings, local.encode_passages(TEXTS), atol=1e-5)
    # In this model a byte is a token, and one ends the text.
    length = sum(len(text.encode()) + 1 for text in TEXTS)
    assert as_passage.tokens == length
    assert as_query.tokens == length + len(TEXTS) * len(f"Instruct: {legal}\nQuery:")


def test_bare_texts_have_no_prompt(bundled_folder: Path):
    local = LocalEncoder(bundled_folder, device="cpu")
    with served(local) as space:
        bare = requests.encode(["passage: tide"], space=space, role="bare")
        passage = requests.encode(["tide"], space=space, role="passage")
    np.testing.assert_allclose(bare.embeddings, passage.embeddings, atol=1e-5)
    assert bare.tokens == passage.tokens


@given(st.lists(st.integers(min_value=0, max_value=6_000), min_size=1, max_size=40))
def test_pieces_hold_every_text_once_and_few_tokens(counts):
    pieces = list(requests._pieces(counts))
    assert [place for start, end in pieces for place in range(start, end)] == list(range(len(counts)))
    assert all(end - start == 1 or sum(counts[start:end]) <= requests.PIECE_TOKENS for start, end in pieces)


def test_a_large_request_holds_up_no_other(monkeypatch):
    monkeypatch.setattr(requests, "PIECE_TOKENS", 1)
    order: list[str] = []
    small_waits = threading.Event()

    def note(texts: Sequence[str]) -> None:
        order.extend(texts)
        if texts[0] == "large0":
            small_waits.wait(10)

    with served(Watched(note)) as space:
        large = threading.Thread(
            target=requests.encode, args=[[f"large{n}" for n in range(20)]], kwargs={"space": space, "role": "bare"}
        )
        large.start()
        waiting.until(lambda: bool(order), seconds=30)
        small = threading.Thread(target=requests.encode, args=[["small"]], kwargs={"space": space, "role": "bare"})
        small.start()
        waiting.until(lambda: bool(queries.connect().llen(requests._queue_key(space.pk))), seconds=30)
        small_waits.set()
        small.join()
        large.join()
    assert order.index("small") < 5
    assert sorted(order) == sorted(["small", *(f"large{n}" for n in range(20))])


def test_a_text_too_long_is_refused_and_not_cut():
    with (
        served(HashingEncoder(), max_tokens=5) as space,
        pytest.raises(Refusal, match="Text 1 of the input has 6 tokens, prompt included; the model reads 5"),
    ):
        requests.encode(["short", "six words are one too many"], space=space, role="bare")


def test_too_many_tokens_are_refused(monkeypatch):
    monkeypatch.setattr(requests, "TOKENS", 11)
    with served(HashingEncoder()) as space, pytest.raises(Refusal, match="has 12 tokens in all"):
        requests.encode(TEXTS, space=space, role="bare")


def test_texts_that_cannot_be_encoded_are_refused():
    def refuse(texts: Sequence[str]) -> None:
        raise EncoderError("The encoder returned numbers that are not finite.")

    with served(Watched(refuse)) as space, pytest.raises(Refusal, match="not finite"):
        requests.encode(TEXTS, space=space, role="bare")


def test_an_encoder_that_fails_is_away_and_goes_on():
    fails = iter([True, False])

    def fail(texts: Sequence[str]) -> None:
        if next(fails):
            raise RuntimeError("CUDA error")

    with served(Watched(fail)) as space:
        with pytest.raises(EncoderAway):
            requests.encode(TEXTS, space=space, role="bare")
        assert requests.encode(TEXTS, space=space, role="bare").tokens == 12


def test_nobody_waits_where_nobody_serves():
    space = Space(pk=uuid.uuid4(), dimensions=64, max_tokens=512)
    with pytest.raises(EncoderAway, match="No process"):
        requests.encode(TEXTS, space=space, role="bare")


def test_a_process_that_ends_says_so():
    with served(HashingEncoder()) as space:
        pass
    waiting.until(lambda: not requests.served([space.pk]), seconds=5)
    with pytest.raises(EncoderAway, match="No process"):
        requests.encode(TEXTS, space=space, role="bare")


@pytest.mark.parametrize(("shown_ms", "said"), [(30_000, "did not answer"), (300, "is gone")])
def test_a_process_that_is_silent_or_leaves_is_not_waited_for(monkeypatch, shown_ms, said):
    monkeypatch.setattr(requests, "SILENCE_SECONDS", 1)
    space = Space(pk=uuid.uuid4(), dimensions=64, max_tokens=512)
    queries.connect().set(requests._pulse_key(space.pk), "1", px=shown_ms)
    with pytest.raises(EncoderAway, match=said):
        requests.encode(TEXTS, space=space, role="bare")


def test_one_process_answers_for_every_space_that_is_loaded_and_for_no_other():
    small, large = (Space(pk=uuid.uuid4(), dimensions=size, max_tokens=512) for size in (64, 96))
    held = {space.pk: serving.Server(HashingEncoder(space.dimensions), space.pk) for space in (small, large)}
    answering = Answering(lambda: held)
    waiting.until(lambda: requests.served([small.pk, large.pk, uuid.uuid4()]) == {small.pk, large.pk}, seconds=30)
    for space in (large, small, large):
        found = requests.encode(TEXTS, space=space, role="bare").embeddings
        np.testing.assert_array_equal(found, HashingEncoder(space.dimensions).encode_passages(TEXTS))
    held = {small.pk: held[small.pk]}
    waiting.until(lambda: requests.served([small.pk, large.pk]) == {small.pk}, seconds=30)
    with pytest.raises(EncoderAway, match="No process"):
        requests.encode(TEXTS, space=large, role="bare")
    answering.stop()
    waiting.until(lambda: not requests.served([small.pk, large.pk]), seconds=5)


def test_a_server_elsewhere_that_is_slow_holds_up_nobody_here():
    asked, released = threading.Event(), threading.Event()

    def hang(texts: Sequence[str]) -> None:
        asked.set()
        released.wait()

    here, elsewhere = (Space(pk=uuid.uuid4(), dimensions=64, max_tokens=512) for _ in range(2))
    held = {
        elsewhere.pk: serving.Server(Watched(hang), elsewhere.pk, is_remote=True),
        here.pk: serving.Server(HashingEncoder(), here.pk),
    }
    answering = Answering(lambda: held)
    waiting.until(lambda: requests.served([here.pk, elsewhere.pk]) == {here.pk, elsewhere.pk}, seconds=30)
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(requests.encode, TEXTS, space=elsewhere, role="bare")
        try:
            assert asked.wait(30)
            assert requests.encode(TEXTS, space=here, role="bare").tokens == 12
            queries.connect().delete(*map(requests._pulse_key, held))
            waiting.until(lambda: requests.served([here.pk, elsewhere.pk]) == {here.pk, elsewhere.pk}, seconds=30)
            assert not slow.done()
        finally:
            released.set()
        assert slow.result().tokens == 12
    answering.stop()


def test_a_server_elsewhere_that_rests_is_not_asked():
    encoded: list[str] = []
    space = Space(pk=uuid.uuid4(), dimensions=64, max_tokens=512)
    server = serving.Server(Watched(encoded.extend), space.pk, is_remote=True)
    server.rest(600)
    answering = Answering(lambda: {space.pk: server})
    waiting.until(lambda: requests.served([space.pk]) == {space.pk}, seconds=30)
    with pytest.raises(EncoderAway):
        requests.encode(TEXTS, space=space, role="bare")
    assert encoded == []
    server.rest(0)
    assert requests.encode(TEXTS, space=space, role="bare").tokens == 12
    answering.stop()


def test_only_so_many_requests_wait():
    space = Space(pk=uuid.uuid4(), dimensions=64, max_tokens=512)
    connection = queries.connect()
    connection.set(requests._pulse_key(space.pk), "1", ex=30)
    connection.rpush(requests._queue_key(space.pk), *["{}"] * requests.TURNS)
    with pytest.raises(Crowded):
        requests.encode(TEXTS, space=space, role="bare")


def test_what_nobody_waits_for_any_longer_is_not_encoded():
    encoded: list[str] = []
    with served(Watched(encoded.extend)) as space:
        late = b'{"id": "late", "texts": ["late"], "role": "bare", "instruction": "", "longest": 9, "expires": 0}'
        queries.connect().rpush(requests._queue_key(space.pk), late)
        requests.encode(["in time"], space=space, role="bare")
    assert encoded == ["in time"]
