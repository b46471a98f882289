"""Embeddings cut to fewer numbers, beside sentence-transformers' own."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sentence_transformers import SentenceTransformer

from embeddings.cutting import cut
from embeddings.encoder import EncoderError, check

TEXTS = ["The tide turns twice a day.", "潮水每天涨落两次。", "", "x" * 200]


@pytest.mark.parametrize("dimensions", [2, 32, 63, 64])
def test_it_is_what_sentence_transformers_gives(qwen_folder: Path, dimensions: int):
    whole = SentenceTransformer(str(qwen_folder), device="cpu").encode(TEXTS)
    short = SentenceTransformer(str(qwen_folder), device="cpu", truncate_dim=dimensions)
    np.testing.assert_allclose(cut(whole, dimensions), short.encode(TEXTS, normalize_embeddings=True), atol=1e-6)


numbers = st.floats(-1e3, 1e3, width=32).filter(lambda number: number == 0 or abs(number) > 1e-6)


@given(arrays(np.float32, (3, 8), elements=numbers), st.integers(1, 8), st.integers(1, 8))
def test_cut_twice_is_cut_once(whole, one, other):
    few, more = sorted((one, other))
    np.testing.assert_allclose(cut(cut(whole, more), few), cut(whole, few), atol=1e-5)


@pytest.mark.parametrize(("wrong", "said"), [(np.nan, "not finite"), (np.inf, "not finite"), (0, "not of unit length")])
def test_what_is_no_embedding_stays_none(wrong: float, said: str):
    whole = np.full((2, 8), wrong, dtype=np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = cut(whole, 4)
    with pytest.raises(EncoderError, match=said):
        check(found, rows=2, dimensions=4)
