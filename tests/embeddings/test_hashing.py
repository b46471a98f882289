"""The deterministic encoder: the same everywhere, and near where words are shared."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embeddings.encoder import check
from embeddings.hashing import HashingEncoder


@pytest.fixture(scope="module")
def encoder() -> HashingEncoder:
    return HashingEncoder()


def test_texts_that_share_words_are_near(encoder: HashingEncoder) -> None:
    query = encoder.encode_queries(["When does the FERRY leave?"])[0]
    near, far = encoder.encode_passages(["The ferry will leave at noon.", "Bread is baked in an oven."]) @ query
    assert near > 0.4 > far


def test_chinese_characters_are_words(encoder: HashingEncoder) -> None:
    query = encoder.encode_queries(["渡轮几点出发"])[0]
    near, far = encoder.encode_passages(["渡轮每天早上出发", "请保留收据"]) @ query
    assert near > far
    assert list(encoder.tokenizer.offsets("渡轮 leaves")) == [(0, 1), (1, 2), (3, 9)]


@given(st.lists(st.text(), max_size=5), st.sampled_from([1, 2, 64, 256]))
def test_every_text_has_an_embedding(texts: list[str], dimensions: int) -> None:
    encoder = HashingEncoder(dimensions)
    found = encoder.encode_passages(texts)
    check(found, rows=len(texts), dimensions=dimensions)
    assert np.array_equal(found, encoder.encode_queries(texts, instruction="any"))


@given(st.text())
def test_its_tokens_are_in_the_text_and_counted(text: str) -> None:
    encoder = HashingEncoder()
    offsets = list(encoder.tokenizer.offsets(text))
    assert encoder.count_tokens([text]) == [len(offsets)]
    assert all(start < end <= later for (start, end), (later, _) in itertools.pairwise(offsets))


def test_another_process_gives_the_same() -> None:
    program = "from embeddings.hashing import *; print(HashingEncoder().encode_queries(['one 二 три']).tobytes().hex())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == HashingEncoder().encode_queries(["one 二 три"]).tobytes().hex()


def test_other_dimensions_are_another_space() -> None:
    assert HashingEncoder(64).fingerprint != HashingEncoder(128).fingerprint


def test_between_is_called_between_texts(encoder: HashingEncoder) -> None:
    calls: list[None] = []
    encoder.encode_passages(["one", "two", "three"], between=lambda: calls.append(None))
    assert calls == [None, None]
