"""Collections in different spaces, with different instructions, searched together; and two spaces side by side."""

from typing import Any

import numpy as np
import pytest
from django.core.files.base import ContentFile

from embeddings import queries, serving, spaces
from embeddings.models import Space
from kb import ingestion, reembedding
from kb.models import Collection, Domain
from search import comparison, retrieval, runs
from search.hits import Query
from search.models import GoldenQuery, Judgement
from tests.conftest import ANSWERED

pytestmark = pytest.mark.django_db

INSTRUCTED = "Instruct: {task}\nQuery:"


@pytest.fixture
def other() -> Space:
    return spaces.keep(spaces.of("hashing", spaces.describe("hashing", dimensions=128)))


@pytest.fixture
def both_answer(answering, other):
    ANSWERED.append(other)
    serving.server(other)
    while not queries.is_answering(other.pk):
        pass
    yield
    ANSWERED.remove(other)
    let_go(other)


def let_go(space: Space) -> None:
    """Nobody answers for it any more: only the configured space is served."""
    while queries.is_answering(space.pk):
        serving.servers([spaces.configured()])


@pytest.fixture
def asked(monkeypatch) -> list[str]:
    """The instructions that queries were encoded with; the encoder knows words only."""
    seen: list[str] = []

    def encode(text, *, space, instruction="", timeout=5.0):
        seen.append(instruction)
        return serving.server(space).encoder.encode_queries([text])[0]

    monkeypatch.setattr(queries, "encode_query", encode)
    return seen


def add(collection: Collection, text: str) -> None:
    ingestion.receive(collection, ContentFile(text.encode()), f"{text[:12]}.txt", user=collection.owner)


def test_each_collection_is_compared_in_its_own_space(collection, alice, other, work, both_answer):
    second = Collection.objects.create(name="Second", owner=alice, active_space=other)
    add(collection, "The ferry sails to the island.")
    add(second, "The ferry sails to the mainland.")
    work()
    hits = retrieval.search(alice, Query("ferry island", mode="semantic", balance_languages=False)).hits
    scores = {hit.citation.collection_name: hit.scores.semantic for hit in hits}
    for one, space in ((collection, one_space := collection.active_space), (second, other)):
        encoder = serving.server(space).encoder
        text = "The ferry sails to the island." if space == one_space else "The ferry sails to the mainland."
        expected = np.dot(encoder.encode_passages([text])[0], encoder.encode_queries(["ferry island"])[0])
        assert scores[one.name] == pytest.approx(float(expected), abs=2e-3)


def test_what_was_asked_before_is_compared_though_nobody_encodes(collection, alice, other, work, both_answer):
    Collection.objects.filter(pk=collection.pk).update(active_space=other)
    add(collection, "The ferry sails to the island.")
    work()
    before = retrieval.search(alice, Query("ferry island"))
    let_go(other)
    again = retrieval.search(alice, Query("ferry island"))
    assert ([hit.scores for hit in again.hits], again.degraded) == ([hit.scores for hit in before.hits], "")
    new = retrieval.search(alice, Query("ferry mainland nobody asked for"))
    assert (new.mode, "only words were looked for" in new.degraded) == ("lexical", True)


def test_where_one_group_is_balanced_all_are(collection, alice, other, work, both_answer):
    second = Collection.objects.create(name="Second", owner=alice, active_space=other)
    add(collection, "The ferry sails to the island at noon.")
    add(collection, "渡轮中午开往岛上，乘客须提前半小时到达码头。")
    add(second, "The annual report of the company tells the story of its workers.")
    work()
    ingestion.sweep()
    first = retrieval.search(alice, Query("the ferry to the island", mode="semantic")).hits[0]
    assert first.text.startswith("The ferry")


def test_where_one_encoder_is_away_its_collections_are_searched_by_words_and_that_is_said(
    collection, alice, other, work, monkeypatch
):
    def encode(text, *, space, **more):
        if space == other:
            raise queries.EncoderAway
        return serving.server(collection.active_space).encoder.encode_queries([text])[0]

    second = Collection.objects.create(name="Second", owner=alice, active_space=other)
    add(collection, "The ferry sails to the island.")
    add(second, "The ferry sails to the mainland.")
    work()
    monkeypatch.setattr(queries, "encode_query", encode)
    answer = retrieval.search(alice, Query("ferry"))
    assert "some of the collections" in answer.degraded
    assert answer.mode == "hybrid"
    scores = {hit.citation.collection_name: hit.scores for hit in answer.hits}
    assert scores["Second"].semantic is None
    assert scores["Second"].lexical == 1.0
    assert scores["Field notes"].semantic is not None
    by_meaning = retrieval.search(alice, Query("ferry", mode="semantic"))
    assert [hit.citation.collection_name for hit in by_meaning.hits] == ["Field notes"]
    assert by_meaning.degraded == answer.degraded


def test_rows_in_a_space_that_is_not_the_collections_own_are_not_compared(collection, alice, other, work, both_answer):
    second = Collection.objects.create(name="Second", owner=alice, active_space=other)
    add(collection, "The ferry sails to the island.")
    add(second, "The ferry sails to the mainland.")
    work()
    before = retrieval.search(alice, Query("ferry island", mode="semantic")).hits
    reembedding.start(collection, other, user=alice)
    work()
    after = retrieval.search(alice, Query("ferry island", mode="semantic")).hits
    assert [(hit.text, hit.score) for hit in after] == [(hit.text, hit.score) for hit in before]


class TestInstructions:
    @pytest.fixture
    def three(self, collection, alice, space, work) -> list[Collection]:
        Space.objects.update(query_prompt=INSTRUCTED)
        own = "Given a skipper's question, retrieve passages of logbooks that answer it"
        made = [
            Collection.objects.create(name=domain, owner=alice, active_space=space, instruction_domain=domain, **more)
            for domain, more in [(Domain.LEGAL, {}), (Domain.CUSTOM, {"own_instruction": own})]
        ]
        for number, one in enumerate([collection, *made]):
            add(one, f"The ferry number {number} sails to the island.")
        work()
        return [collection, *made]

    def test_each_collection_is_asked_with_its_own(self, three, alice, asked):
        hits = retrieval.search(alice, Query("ferry island", mode="semantic")).hits
        assert sorted(asked) == sorted(one.instruction for one in three)
        assert {hit.citation.collection_id for hit in hits} == {one.pk for one in three}

    def test_languages_of_all_are_balanced_where_each_has_one(self, three, alice, asked, space, work):
        english = three[0]
        german = Collection.objects.create(
            name="German", owner=alice, active_space=space, instruction_domain=Domain.LEGAL
        )
        add(german, "Die Fähre fährt jeden Morgen vom Hafen zur Insel hinüber und am Abend wieder zurück.")
        work()
        for one in (english, german):
            ingestion.refresh_means(one)

        def score(*searched: Collection, **more: Any) -> float:
            asks = Query("ferry island", mode="semantic", collections=tuple(one.slug for one in searched), **more)
            return max(hit.score for hit in retrieval.search(alice, asks).hits)

        assert score(english) == score(english, balance_languages=False)
        assert score(english, german) == score(english, german, balance_languages=True)
        assert score(english, german) != score(english, german, balance_languages=False)

    def test_an_encoder_that_takes_none_is_asked_once(self, three, alice, asked):
        Space.objects.update(query_prompt="query: ")
        assert len(retrieval.search(alice, Query("ferry island", mode="semantic")).hits) == 3
        assert asked == [""]

    def test_another_takes_effect_at_once_and_nothing_is_embedded_again(self, three, alice, asked, api):
        answer = api.patch(
            f"/api/v1/collections/{three[0].pk}/",
            {"instruction_domain": "custom", "own_instruction": "Given a  question,\nfind ships"},
        )
        assert answer.json()["own_instruction"] == "Given a question, find ships"
        assert not ingestion.embed_next()
        retrieval.search(alice, Query("ferry", mode="semantic", collections=(str(three[0].pk),)))
        assert asked == ["Given a question, find ships"]

    @pytest.mark.parametrize(
        "body",
        [
            {"instruction_domain": "custom"},
            {"instruction_domain": "custom", "own_instruction": "  "},
            {"own_instruction": "x" * 301},
            {"instruction_domain": "astrology"},
        ],
    )
    def test_what_cannot_be_one_is_refused(self, collection, api, body):
        assert api.patch(f"/api/v1/collections/{collection.pk}/", body).status_code == 400

    def test_it_is_said_on_the_page(self, collection, client, alice):
        client.force_login(alice)
        fields = {
            "name": "Logs", "chunk_target": 256, "chunk_maximum": 448, "chunk_overlap": 0, "ocr_languages": "eng",
            "instruction_domain": "custom", "balance_languages": "auto",
        }  # fmt: skip
        address = f"/collections/{collection.slug}/settings/"
        assert "Say it in your own words" in client.post(address, fields).content.decode()
        assert client.post(address, {**fields, "own_instruction": "Given a question, find logs"}).status_code == 302
        collection.refresh_from_db()
        assert collection.instruction == "Given a question, find logs"


class TestComparison:
    def test_it_works(self, collection, alice, other, work, both_answer, api, client):
        for place in ("island", "mainland", "lighthouse"):
            add(collection, f"The ferry sails to the {place}.")
        work()
        one = reembedding.start(collection, other, user=alice)
        work()
        found = comparison.compare(alice, one)
        assert found is not None
        assert (found.overlap, found.before, found.after) == (1.0, 1.0, 1.0)
        assert len(found.asked) == 3
        shown = api.get(f"/api/v1/collections/{collection.pk}/comparison/").json()
        assert (shown["golden"], shown["sample"]["overlap"]) == (None, 1.0)
        client.force_login(alice)
        assert "100 %" in client.get(f"/collections/{collection.slug}/comparison/").content.decode()

    def test_a_space_that_is_not_there_yet_differs(self, collection, alice, other, work, both_answer):
        add(collection, "The ferry sails to the island.")
        work()
        one = reembedding.start(collection, other, user=alice)
        serving.server(other)
        while not queries.is_answering(other.pk):
            pass
        found = comparison.compare(alice, one)
        assert found is not None
        assert found.overlap == 0.0

    def test_without_an_encoder_it_says_so(self, collection, alice, other, work, answering, api):
        add(collection, "Nobody has asked about the lighthouse before.")  # what was asked is remembered
        work()
        reembedding.start(collection, other, user=alice)
        let_go(other)
        assert api.get(f"/api/v1/collections/{collection.pk}/comparison/").status_code == 503

    def test_golden_queries_decide_where_there_are_any(self, collection, alice, other, work, both_answer, api, client):
        reembedding.start(collection, other, user=alice)  # first, so that its encoder is never let go
        add(collection, "The ferry sails to the island.")
        work()
        golden = GoldenQuery.objects.create(collection=collection, text="ferry island", language="en")
        Judgement.objects.create(golden_query=golden, document=collection.documents.get(), grade=1)
        client.force_login(alice)
        page = f"/collections/{collection.slug}/comparison/"
        assert "every 2s" in client.get(page).content.decode()
        while runs.measure_next():
            pass
        assert "every 2s" not in client.get(page).content.decode()
        before, after = api.get(f"/api/v1/collections/{collection.pk}/comparison/").json()["golden"]
        assert [before["space"], after["space"]] == [str(collection.active_space_id), str(other.pk)]
        assert before["figures"]["all"]["ndcg@10"] == after["figures"]["all"]["ndcg@10"] == 1.0

    def test_with_nothing_in_it(self, collection, alice, other):
        assert comparison.compare(alice, reembedding.start(collection, other, user=alice)) is None
