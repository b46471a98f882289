"""What a page of hits looks like: folded, grouped, with neighbours, in pages that follow each other."""

from typing import Any

import pytest
from django.core.files.base import ContentFile

from embeddings import queries
from kb import ingestion
from kb.models import Chunk, Membership, Role
from search import lexical, retrieval, shape
from search.hits import BadQuery, Hit, Query, Twin

pytestmark = pytest.mark.django_db

STORM = """The harbour master closes the outer lock when the gauge shows three metres above the summer mark.
Boats that are still outside turn to the sheltered side of the island and wait there until the signal on the tower is
lowered again; nobody may pass the lock before that, whatever the owner of the boat says about it."""


@pytest.fixture
def harbour(upload, work, answering):
    upload("first.md", STORM)
    upload("copy.md", STORM.replace("closes", "shuts"))
    upload("other.md", STORM.replace("three", "3"))
    upload("four.md", STORM.replace("three", "4"))
    work()


def away(*_given: Any, **_named: Any) -> None:
    raise queries.EncoderAway


def titles(user, text: str, **more) -> list[str]:
    return [hit.citation.document_title for hit in retrieval.search(user, Query(text, **more)).hits]


def test_what_says_the_same_is_one_hit(harbour, alice):
    answer = retrieval.search(alice, Query("when is the outer lock closed"))
    assert len(answer.hits) == 3
    assert sorted(hit.folded for hit in answer.hits) == [0, 0, 1]
    [twin] = [twin for hit in answer.hits for twin in hit.twins]
    shown = [hit.citation.document_id for hit in answer.hits]
    left_out = Chunk.objects.exclude(revision__document__in=shown).get()
    assert twin == Twin(left_out.revision.document_id, (left_out.start, left_out.end))


def test_another_number_says_something_else(harbour, alice):
    assert {"other", "four"} <= set(titles(alice, "outer lock gauge"))


def test_what_differs_in_a_number_alone_is_not_even_compared(answering, alice, upload, work, monkeypatch):
    """Of a thousand rows that are worded alike each would be compared with each."""
    for n in range(12):
        upload(f"{n}.md", f"In month {n} the tenant pays {100 + n} euros.")
    work()
    monkeypatch.delattr(shape, "_is_same")
    assert len(titles(alice, "tenant pays euros", limit=12)) == 12


def test_nothing_is_folded_on_request(harbour, alice):
    assert len(titles(alice, "outer lock gauge", folding=False)) == 4


@pytest.fixture
def manual(upload, work, answering, collection):
    collection.chunk_target, collection.chunk_maximum = 32, 40
    collection.save()
    document = upload(
        "manual.md", "\n\n".join(f"# Part {n}\n\nThe valve number {n} is opened by hand." for n in range(6))
    )
    upload("notes.md", "The valve is opened by hand when the pump is off.")
    work()
    return document


def test_hits_of_one_document_are_one_hit(manual, alice):
    answer = retrieval.search(alice, Query("valve opened by hand", group="document"))
    assert [hit.citation.document_title for hit in answer.hits].count("manual") == 1
    [grouped] = [hit for hit in answer.hits if hit.citation.document_title == "manual"]
    assert {hit.citation.document_id for hit in grouped.more} <= {manual.pk}
    assert bool(grouped.more) == (Chunk.objects.filter(revision__document=manual).count() > 1)


@pytest.mark.parametrize("limit", [1, 2, 10])
def test_a_document_has_the_same_further_hits_however_few_are_shown(upload, work, answering, collection, alice, limit):
    collection.chunk_target, collection.chunk_maximum = 32, 40
    collection.save()
    for name, first in (("even", 0), ("odd", 1)):
        sections = [f"# {n}\n\n{'tide ' * (20 - n)}{'wave ' * n}" for n in range(first, 12, 2)]
        upload(f"{name}.md", "\n\n".join(sections))
    work()
    answer = retrieval.search(alice, Query("tide", group="document", limit=limit))
    hits = answer.hits
    if answer.next:
        hits += retrieval.search(alice, Query("tide", group="document", limit=limit, after=answer.next)).hits
    assert [(hit.citation.document_title, len(hit.more)) for hit in hits] == [("even", 3), ("odd", 3)]


@pytest.mark.parametrize(("mode", "few"), [("hybrid", 0), ("semantic", 0), ("lexical", 0), ("lexical", 3)])
def test_a_long_document_hides_no_other(manual, alice, upload, work, monkeypatch, mode, few):
    """However many of its passages stand above theirs; nor do the ones that say the same."""
    monkeypatch.setattr(retrieval, "CANDIDATES", 2)
    monkeypatch.setattr(retrieval, "MOST_CANDIDATES", 4)
    if few:
        for name in ("FEW_ROWS", "FILTERED_ROWS", "DRIVERS"):
            monkeypatch.setattr(lexical, name, few)
    for name in ("first", "second", "third"):
        upload(f"{name}.md", "The lantern is lit by hand, whatever the valve does.")
    upload("fourth.md", "By hand the cook turns what is in the pan over a valve of the stove, and salts it.")
    work()
    found = [hit.citation.document_title for hit in answers(alice, "valve opened by hand", mode=mode, limit=1)]
    assert found[0] in ("manual", "notes")
    assert sorted("lantern" if one in ("first", "second", "third") else one for one in found) == [
        "fourth", "lantern", "manual", "notes"
    ]  # fmt: skip


def answers(user, text: str, **more) -> list[Hit]:
    """The hits of all pages, grouped."""
    answer = retrieval.search(user, Query(text, group="document", **more))
    hits = [*answer.hits]
    while answer.next:
        answer = retrieval.search(user, Query(text, group="document", after=answer.next, **more))
        hits += answer.hits
    return hits


def test_neighbours_come_along(manual, alice):
    answer = retrieval.search(alice, Query("valve number 3", collections=(), context=1, documents=(str(manual.pk),)))
    chunks = list(Chunk.objects.filter(revision__document=manual).order_by("ordinal"))
    for hit in answer.hits:
        place = next(n for n, chunk in enumerate(chunks) if chunk.pk == hit.citation.id)
        assert [one.id for one in hit.before] == [chunk.pk for chunk in chunks[max(0, place - 1) : place]]
        assert [one.id for one in hit.after] == [chunk.pk for chunk in chunks[place + 1 : place + 2]]


def test_neighbours_are_gone_as_soon_as_access_is(manual, bob, collection, monkeypatch):
    access = Membership.objects.create(collection=collection, user=bob, role=Role.VIEWER)
    query = Query("valve number 3", context=1, documents=(str(manual.pk),))
    assert any(hit.before for hit in retrieval.search(bob, query).hits)
    paged = retrieval._page

    def revoked_meanwhile(*given: Any) -> shape.Page:
        page = paged(*given)
        access.delete()
        return page

    monkeypatch.setattr(retrieval, "_page", revoked_meanwhile)
    hits = retrieval.search(bob, query).hits
    assert hits
    assert not any(hit.before or hit.after for hit in hits)


def test_pages_by_cursor_hold_every_hit_once(manual, alice):
    whole = retrieval.search(alice, Query("valve", limit=100)).hits
    seen, cursor = [], None
    while True:
        answer = retrieval.search(alice, Query("valve", limit=2, after=cursor))
        seen += answer.hits
        cursor = answer.next
        if cursor is None:
            break
    assert [hit.citation.id for hit in seen] == [hit.citation.id for hit in whole]
    assert [hit.rank for hit in seen] == list(range(1, len(whole) + 1))


def test_a_cursor_repeats_nothing_when_something_better_came_meanwhile(manual, alice, upload, work):
    first = retrieval.search(alice, Query("lantern", limit=1))
    upload("lantern.md", "lantern lantern lantern")
    work()
    second = retrieval.search(alice, Query("lantern", limit=100, after=first.next))
    assert first.hits[0].citation.id not in {hit.citation.id for hit in second.hits}


def test_min_score_leaves_out_what_is_below(manual, alice):
    whole = retrieval.search(alice, Query("valve number 3 is opened", limit=100)).hits
    middle = whole[len(whole) // 2].score
    found = retrieval.search(alice, Query("valve number 3 is opened", limit=100, min_score=middle)).hits
    assert 0 < len(found) <= len(whole)
    assert all(hit.score >= middle - 1e-4 for hit in found)


class TestMoreLikeThis:
    def test_it_works(self, harbour, alice):
        passage = Chunk.objects.get(revision__document__title="first")
        answer = retrieval.search(alice, Query("", like=passage.pk, mode="lexical"))
        assert answer.mode == "semantic"
        assert answer.hits[0].citation.document_title == "copy"
        assert passage.pk not in {hit.citation.id for hit in answer.hits}

    def test_a_passage_one_may_not_see_is_missing(self, harbour, charlie):
        passage = Chunk.objects.get(revision__document__title="first")
        with pytest.raises(BadQuery) as refused:
            retrieval.search(charlie, Query("", like=passage.pk))
        assert refused.value.about == "like"

    def test_a_superseded_one_still_has_others_like_it(self, harbour, alice, work, monkeypatch):
        passage = Chunk.objects.get(revision__document__title="first")
        ingestion.receive_revision(passage.revision.document, ContentFile(b"Other."), "first.md", user=alice)
        work()
        answer = retrieval.search(alice, Query("", like=passage.pk))
        assert answer.hits[0].citation.document_title == "copy"
        # Without the encoder it has none; what is like its words is not like it.
        monkeypatch.setattr(queries, "encode_query", away)
        assert retrieval.search(alice, Query("harbour", like=passage.pk)).hits == []
