"""The sentences that answer. The encoder here knows words only: the sentence with the query's words is the nearest."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from embeddings import queries
from kb.models import Chunk
from search import highlights
from tests.conftest import client_of

pytestmark = pytest.mark.django_db

ANSWER_BY = queries._answer_by
TEXT = "Boats leave at nine. The tide turns at noon every day. Nobody swims here. Lamps are lit at dusk."


@pytest.fixture
def passage(upload, work, answering):
    upload("harbour.txt", TEXT)
    work()
    return Chunk.objects.get()


def test_it_works(passage, alice):
    [(start, end)] = highlights.answering(alice, "tide turns at noon", [passage.pk], timeout=10)[passage.pk]
    assert passage.text[start:end] == "The tide turns at noon every day."


def test_of_a_table_the_row_that_answers(upload, work, answering, alice):
    rows = [f"| KB-2041/{number} | part {number} |" for number in range(15)]
    upload("parts.md", "\n".join(["# Parts", "", "| Number | Part |", "|---|---|", *rows, "| KB-77 | pump tube |"]))
    work()
    passage = Chunk.objects.get()
    [(start, end)] = highlights.answering(alice, "pump tube", [passage.pk], timeout=10)[passage.pk]
    assert passage.text[start:end] == "KB-77 | pump tube"


def test_a_passage_one_may_not_see_is_left_out(passage, charlie):
    assert highlights.answering(charlie, "tide turns at noon", [passage.pk]) == {}


def test_nothing_when_there_is_no_time(passage, alice):
    assert highlights.answering(alice, "tide turns at noon", [passage.pk], timeout=0) == {}


def test_what_there_is_no_time_for_is_left_out_from_the_end(passage, upload, work, alice, monkeypatch):
    upload("lamps.txt", "Lamps are filled at noon. The tide lifts the boats. Ropes are dried.")
    work()
    first, last = passage, Chunk.objects.exclude(pk=passage.pk).get()
    for order in ([first.pk, last.pk], [last.pk, first.pk]):
        in_time = iter([True] * 6)  # the query and four sentences, or three, and one or two of the other passage
        monkeypatch.setattr(queries, "_answer_by", lambda *given, left=in_time: answer_while(left, *given))
        assert list(highlights.answering(alice, "tide", order, timeout=10)) == order[:1]


def answer_while(left: Iterator[bool], *given: Any) -> Any:
    if not next(left, False):
        raise queries.EncoderAway
    return ANSWER_BY(*given)


def test_by_api(passage, api, charlie):
    body = {"query": "tide turns at noon", "passages": [str(passage.pk)]}
    found = api.post("/api/v1/search/highlights/", body).json()["sentences"][str(passage.pk)]
    assert [passage.text[start:end] for start, end in found] == ["The tide turns at noon every day."]
    assert client_of(charlie).post("/api/v1/search/highlights/", body).json() == {"sentences": {}}
    unknown = {"query": "tide", "passages": [str(uuid.uuid4())]}
    assert api.post("/api/v1/search/highlights/", unknown).json() == {"sentences": {}}
    assert api.post("/api/v1/search/highlights/", {"query": "tide", "passages": []}).status_code == 400


def test_with_the_search(passage, api):
    [hit] = api.post("/api/v1/search/", {"query": "tide turns at noon", "highlights": "sentences"}).json()["hits"]
    assert [passage.text[start:end] for start, end in hit["sentences"]] == ["The tide turns at noon every day."]
