"""Filters with counts: documents that this person may see, under the other filters."""

from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from django.http import QueryDict
from django.utils import timezone

from kb import ingestion
from kb.models import Collection, Document, Membership, Role
from search import addresses, facets

pytestmark = pytest.mark.django_db

ENGLISH = "The tide turns twice a day, and the boats in the harbour rise and fall with it."
GERMAN = "Die Flut kommt zweimal am Tag, und die Boote im Hafen steigen und sinken mit ihr."


@pytest.fixture
def library(alice, space, collection, upload, work) -> Collection:
    """Three documents in one collection and one in another, which is alice's alone."""
    other = Collection.objects.create(name="Logbook", owner=alice, active_space=space)
    upload("tides.md", ENGLISH, tags=["sea", "boats"])
    upload("flut.txt", GERMAN, tags=["sea"])
    upload("both.md", f"{ENGLISH}\n\n# Auf Deutsch\n\n{GERMAN * 30}")
    upload("log.md", ENGLISH, into=other)
    upload("waiting.exe.md", "")
    work()
    return collection


def counts(user, asked: str = "") -> dict[str, dict[str, int]]:
    found = facets.of(user, addresses.of(QueryDict(asked)))
    return {facet.name: {choice.value: choice.count for choice in facet.choices} for facet in found}


def test_it_works(alice, library):
    assert counts(alice) == {
        "collection": {"field-notes": 3, "logbook": 1},
        "language": {"en": 3, "de": 2},
        "kind": {"text/markdown": 3, "text/plain": 1},
        "tag": {"sea": 2, "boats": 1},
        "added": {},
    }


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        # A filter is counted under the others, not under itself: its values are alternatives.
        ("language=de", {"language": {"en": 3, "de": 2}, "collection": {"field-notes": 2}}),
        ("collection=logbook", {"collection": {"field-notes": 3, "logbook": 1}, "language": {"en": 1}}),
        ("kind=text/plain", {"language": {"de": 1}, "tag": {"sea": 1}}),
        # Tags narrow further, each one.
        ("tag=boats", {"tag": {"sea": 1, "boats": 1}, "language": {"en": 1}}),
        # What is chosen stays in view, that it can be taken away.
        ("tag=unknown", {"tag": {"unknown": 0}, "language": {}}),
        ("until=2020-01-01", {"language": {}}),
    ],
)
def test_each_is_counted_under_the_others(alice, library, asked, expected):
    found = counts(alice, asked)
    shown = {name: found.get(name, {}) for name in expected}
    # A filter with one value only is not offered.
    assert shown == {name: values if len(values) > 1 or name in asked else {} for name, values in expected.items()}


def test_nobody_counts_what_they_may_not_see(alice, bob, charlie, library, shared_with_bob):
    assert "collection" not in counts(bob)
    assert sum(counts(bob)["language"].values()) == 4
    assert set(counts(charlie)) == {"added"}
    # The name of a collection is told to those who may see it.
    labels = [str(choice.label) for facet in facets.of(bob, addresses.of(QueryDict("collection=logbook")))
              for choice in facet.choices]  # fmt: skip
    assert "Logbook" not in labels


def test_only_the_live_revision_counts(alice, library, upload, work):
    document = Document.objects.get(revisions__filename="flut.txt")
    ingestion.receive_revision(document, ContentFile(b"The tide has turned."), "tide.md", user=alice)
    assert counts(alice)["language"] == {"en": 3, "de": 2}
    work()
    assert counts(alice)["language"] == {"en": 4, "de": 1}
    assert "kind" not in counts(alice)


def test_periods_are_offered_that_divide(alice, library):
    old = timezone.now() - timedelta(days=100)
    Document.objects.filter(revisions__filename="log.md").update(created_at=old)
    assert counts(alice)["added"] == {"week": 3, "month": 3}
    assert counts(alice, "added=year")["added"] == {"week": 3, "month": 3, "year": 4}
    assert counts(alice, "added=week")["tag"] == {"sea": 2, "boats": 1}
    assert "collection" not in counts(alice, "added=week")


def test_collections_of_one_name_are_told_apart(alice, bob, space, library, upload, work):
    second = Collection.objects.create(name="Logbook", owner=bob, active_space=space)
    Membership.objects.create(collection=second, user=alice, role=Role.VIEWER)
    upload("theirs.md", ENGLISH, into=second, user=bob)
    work()
    [facet] = [facet for facet in facets.of(alice, addresses.of(QueryDict(""))) if facet.name == "collection"]
    assert {choice.label for choice in facet.choices} == {"Field notes", "Logbook (logbook)", "Logbook (logbook-2)"}
    assert [str(one) for one in Collection.objects.order_by("created_at")[1:]] == ["Logbook", "Logbook (logbook-2)"]
    second.name = "Renamed"
    assert str(second) == "Renamed"


def test_each_takes_one_statement_and_the_names_of_collections_another(alice, library, django_assert_num_queries):
    with django_assert_num_queries(6):
        counts(alice, "language=de&tag=sea&added=week")


def test_chips_name_each_filter_in_force_and_lead_to_the_search_without_it(alice, library):
    address = addresses.of(QueryDict("q=tide&collection=logbook&language=de&mode=lexical&since=2026-03-01&tag=x"))
    found = {str(chip.label): str(chip.without) for chip in facets.chips(address, facets.of(alice, address))}
    assert list(found) == ["Logbook", "German", "x", "From March 1, 2026", "Words only"]
    assert found["German"] == "/?q=tide&collection=logbook&tag=x&since=2026-03-01&mode=lexical"
