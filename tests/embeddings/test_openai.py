"""The shapes of OpenAI's API."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from embeddings import openai

ROWS = arrays.arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(1, 9)), elements=st.floats(-2, 2, width=32))


@given(ROWS, st.booleans(), st.randoms())
def test_what_is_written_is_read_in_any_order(rows, in_base64, random):
    body = openai.embeddings_body(rows, model="words", tokens=3, in_base64=in_base64)
    random.shuffle(body["data"])
    np.testing.assert_array_equal(openai.read_embeddings(body, rows=len(rows)), rows)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        "text",
        {"data": None},
        {"data": []},
        {"data": [None, None]},
        {"data": [{"index": 0, "embedding": [1.0]}]},
        {"data": [{"index": 0, "embedding": [1.0]}, {"index": 0, "embedding": [1.0]}]},
        {"data": [{"index": 1, "embedding": [1.0]}, {"index": 2, "embedding": [1.0]}]},
        {"data": [{"index": "one", "embedding": [1.0]}, {"index": 1, "embedding": [1.0]}]},
        {"data": [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [1.0, 2.0]}]},
        {"data": [{"index": 0, "embedding": "!!!!"}, {"index": 1, "embedding": "AACAPw=="}]},
        {"data": [{"index": 0, "embedding": "AAA="}, {"index": 1, "embedding": "AACAPw=="}]},
        {"data": [{"index": 0, "embedding": []}, {"index": 1, "embedding": []}]},
        {"data": [{"index": 0, "embedding": [[1.0]]}, {"index": 1, "embedding": [[1.0]]}]},
        {"data": [{"index": 0}, {"index": 1}]},
    ],
)
def test_what_is_no_answer_is_refused(answer):
    with pytest.raises(openai.BadAnswer):
        openai.read_embeddings(answer, rows=2)


def test_an_answer_without_places_is_taken_in_its_order():
    answer = {"data": [{"embedding": [1.0]}, {"embedding": [2.0]}]}
    assert openai.read_embeddings(answer, rows=2).tolist() == [[1.0], [2.0]]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"error": {"message": "too long", "type": "x"}}, "too long"),
        ({"error": "too long", "error_type": "Validation"}, "too long"),
        ({"message": "too long", "object": "error"}, "too long"),
        ({"detail": "too long"}, "too long"),
        ({"detail": [{"loc": ["input"]}]}, ""),
        ({}, ""),
        ("too long", "too long"),
        (None, ""),
    ],
)
def test_errors_of_every_server_are_read(answer, message):
    assert openai.read_error(answer) == message
