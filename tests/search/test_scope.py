"""What narrows a search, by whatever door it comes; and that nothing hidden moves an answer."""

import json
import uuid
from typing import Any

import pytest
from django.core.files.base import ContentFile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kb import ingestion
from kb.models import Chunk, Collection, Document, Membership, Role
from search import lexical, nearest, retrieval
from search.hits import Query

pytestmark = pytest.mark.django_db


@pytest.fixture
def shelf(upload, work, answering, collection):
    """Three documents that answer alike and differ in everything that can be asked for."""
    made = {
        "red": upload("red.md", "The pump is red and stands in the cellar."),
        "blue": upload("blue.txt", "The pump is blue and stands in the attic."),
        "grün": upload("gruen.md", "Die Pumpe ist grün und steht im Garten hinter dem Haus."),
    }
    work()
    Document.objects.filter(pk=made["red"].pk).update(metadata={"floor": 1, "rooms": ["cellar"]}, tags=["wet"])
    Document.objects.filter(pk=made["blue"].pk).update(metadata={"floor": 3, "rooms": ["attic"]})
    return made


def asked(shelf, filters: dict[str, Any]) -> dict[str, Any]:
    """Filters with the documents' names replaced by their ids."""
    named = filters.get("documents")
    return {**filters, "documents": [str(shelf[name].pk) for name in named]} if named else filters


FILTERS: list[tuple[dict[str, Any], set[str]]] = [
    ({}, {"red", "blue", "gruen"}),
    ({"documents": ["red", "grün"]}, {"red", "gruen"}),
    ({"tags": ["wet"]}, {"red"}),
    ({"tags": ["wet", "dry"]}, set()),
    ({"metadata": {"floor": 3}}, {"blue"}),
    ({"metadata": {"rooms": ["cellar"]}}, {"red"}),
    ({"metadata": {"floor": 1, "rooms": ["attic"]}}, set()),
    ({"languages": ["de"]}, {"gruen"}),
    ({"media_types": ["text/plain"]}, {"blue"}),
    ({"collections": ["field-notes"]}, {"red", "blue", "gruen"}),
    ({"collections": ["elsewhere"]}, set()),
    ({"created_after": "2001-01-01T00:00:00Z", "documents": ["red"]}, {"red"}),
    ({"created_before": "2001-01-01T00:00:00Z"}, set()),
]


@pytest.mark.parametrize("many_rows", [False, True])
def test_filters(shelf, api, monkeypatch, many_rows):
    """One test asks for everything: the shelf is slow to fill."""
    if many_rows:
        monkeypatch.setattr(lexical, "FEW_ROWS", 0)
        monkeypatch.setattr(lexical, "FILTERED_ROWS", 0)
        monkeypatch.setattr(nearest, "ALWAYS_EXACT_ROWS", 0)
        monkeypatch.setattr(nearest, "EXACT_ROWS", 0)
    for filters, expected in FILTERS:
        for mode in ("hybrid", "semantic"):
            body = {"query": "pump Pumpe", "mode": mode, **asked(shelf, filters)}
            hits = api.post("/api/v1/search/", body, format="json").json()["hits"]
            assert {hit["citation"]["document"]["title"] for hit in hits} == expected, (filters, mode)


def test_filters_by_address(shelf, api):
    for filters, expected in FILTERS:
        given = asked(shelf, filters)
        if "metadata" in given:
            given["metadata"] = json.dumps(given["metadata"])
        hits = api.get("/api/v1/search/", {"q": "pump Pumpe", **given}).json()["hits"]
        assert {hit["citation"]["document"]["title"] for hit in hits} == expected, filters


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("documents", ["not-an-id"]),
        ("metadata", ["a list"]),
        ("metadata", "no JSON"),
        ("created_after", "yesterday"),
        ("min_score", 1.5),
        ("context", 6),
        ("group", "author"),
        ("cursor", "made-up"),
        ("like", "not-an-id"),
        ("like", str(uuid.UUID(int=1))),
        ("highlights", "all"),
        ("languages", ["English"]),
        ("limit", 101),
    ],
)
def test_what_makes_no_sense_is_named(api, field, value):
    answer = api.post("/api/v1/search/", {"query": "pump", field: value}, format="json")
    assert answer.status_code == 400
    assert field in answer.json()["errors"]


def test_an_end_before_the_beginning_is_refused(api):
    body = {"query": "pump", "created_after": "2026-02-01T00:00:00Z", "created_before": "2026-01-01T00:00:00Z"}
    assert "created_before" in api.post("/api/v1/search/", body, format="json").json()["errors"]


def test_a_region_of_a_language_makes_no_other_language(shelf, api):
    hits = api.post("/api/v1/search/", {"query": "Pumpe", "languages": ["de-AT"]}, format="json").json()["hits"]
    assert [hit["citation"]["document"]["title"] for hit in hits] == ["gruen"]


def test_one_thing_is_asked_at_once(shelf, api):
    like = str(Chunk.objects.earliest("pk").pk)
    answer = api.post("/api/v1/search/", {"query": "pump", "like": like}, format="json")
    assert list(answer.json()["errors"]) == ["like"]
    answer = api.get("/api/v1/search/", {"q": "pump", "query": "cellar"})
    assert list(answer.json()["errors"]) == ["q"]


def test_what_is_named_and_not_there_is_told(shelf, api, collection, charlie, space):
    """What somebody else has is told of as what nobody has."""
    hidden = Collection.objects.create(name="Hidden", owner=charlie, active_space=space)
    nobody = str(uuid.uuid4())
    seen = str(collection.pk).upper()
    body = {
        "query": "pump",
        "collections": [seen, hidden.slug, str(hidden.pk), "typo"],
        "documents": [str(shelf["red"].pk), nobody],
        "media_types": ["text/markdown", "application/x-pdf"],
    }
    answer = api.post("/api/v1/search/", body, format="json").json()
    assert [hit["citation"]["document"]["title"] for hit in answer["hits"]] == ["red"]
    assert answer["notices"] == [
        *(f"There is no collection {name} that you may see." for name in (hidden.slug, hidden.pk, "typo")),
        f"There is no document {nobody} that you may see.",
        "No kind of file that is read here has the media type application/x-pdf.",
    ]
    assert api.post("/api/v1/search/", {"query": "pump"}, format="json").json()["notices"] == []


def test_where_the_least_score_leaves_nothing_nothing_good_was_found(shelf, api):
    body = {"query": "pump", "mode": "lexical"}
    answer = api.post("/api/v1/search/", {**body, "min_score": 1}, format="json").json()
    assert (answer["hits"], answer["nothing_good"]) == ([], True)
    assert not api.post("/api/v1/search/", body, format="json").json()["nothing_good"]


WORDS = ("pump", "cellar", "water", "Pumpe", "年假", "KB-2041/7")
hidden_texts = st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join), min_size=1, max_size=2)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=hidden_texts, query=st.sampled_from(WORDS), mode=st.sampled_from(["hybrid", "lexical", "semantic"]))
def test_what_one_may_not_see_changes_no_answer(shelf, alice, bob, charlie, space, work, texts, query, mode):
    """Charlie's documents come and go; what alice and bob get stays as it was, to the last digit."""

    def answers() -> list[Any]:
        return [
            [(hit.citation.id, hit.score, hit.scores, hit.folded) for hit in answer.hits] + [answer.nothing_good]
            for user in (alice, bob)
            for answer in [retrieval.search(user, Query(query, mode=mode))]
        ]

    before = answers()
    hidden = Collection.objects.create(name="Hidden", owner=charlie, active_space=space)
    for n, text in enumerate(texts):
        ingestion.receive(hidden, ContentFile(f"{text} {n}".encode()), f"{n}.txt", user=charlie)
    work()
    ingestion.refresh_means(hidden)
    assert answers() == before
    seen = Membership.objects.create(collection=hidden, user=bob, role=Role.VIEWER)
    assert retrieval.search(bob, Query(texts[0], mode="lexical")).hits
    seen.delete()
    assert answers() == before
    ingestion.remove_collection(hidden)
    assert retrieval.search(charlie, Query(texts[0])).hits == []
