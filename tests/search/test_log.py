"""The search log: every search leaves its timings, and its words only where that is wanted."""

import re
import uuid
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.core.signals import request_finished
from django.db import DatabaseError, close_old_connections
from django.db.models.functions import Now

from kb.models import AccessToken, Collection, Membership, Role, User
from search import log, retrieval, tasks, views
from search.hits import Query
from search.models import SearchLogEntry
from tests.conftest import browser_of, client_of

pytestmark = pytest.mark.django_db


def entry(**more: object) -> SearchLogEntry:
    told = {"collections": [], "mode": "hybrid", "took_ms": 1.0, "timings_ms": {}, "hits": 1, "best_score": 0.9}
    return SearchLogEntry.objects.create(**{**told, "degraded": False, **more})


class TestWritten:
    def test_by_the_page(self, notes, collection, alice):
        browser_of(alice).get("/", {"q": "moon pulls the sea"})
        one = SearchLogEntry.objects.get()
        assert (one.user, one.collections, one.mode, one.degraded) == (alice, [collection.pk], "hybrid", False)
        assert set(one.timings_ms) == {"encode", "retrieve", "rank", "cite"}
        assert one.took_ms > 0
        assert one.hits == 4
        assert one.best_score is not None

    def test_by_the_api(self, notes, alice, api):
        answer = api.post("/api/v1/search/", {"query": "moon", "limit": 2}).json()
        api.get("/api/v1/search/?q=zebra&mode=lexical")
        nothing, found = SearchLogEntry.objects.all()
        assert (found.hits, found.best_score, found.took_ms) == (2, answer["hits"][0]["score"], answer["took_ms"])
        assert (nothing.hits, nothing.best_score, nothing.mode) == (0, None, "lexical")

    def test_not_without_a_question(self, notes, alice, api):
        browser_of(alice).get("/")
        api.post("/api/v1/search/", {"query": " "})
        assert not SearchLogEntry.objects.exists()

    def test_the_words_only_where_that_is_wanted(self, notes, alice, settings):
        browser_of(alice).get("/", {"q": "moon"})
        settings.SEARCH_LOG_TEXT = True
        browser_of(alice).get("/", {"q": "sea"})
        assert list(SearchLogEntry.objects.values_list("text", flat=True)) == ["sea", ""]

    def test_in_one_statement(self, notes, alice, django_assert_num_queries):
        answer = retrieval.search(alice, Query("moon"))
        with django_assert_num_queries(1):
            log.record(alice, answer)

    def test_when_the_answer_is_on_its_way(self, notes, alice, rf):
        request = rf.get("/", {"q": "moon"})
        request.user, request.htmx = alice, False
        response = views.search(request)
        assert not SearchLogEntry.objects.exists()
        request_finished.disconnect(close_old_connections)  # the test needs its connection, as Django's own client does
        try:
            response.close()
        finally:
            request_finished.connect(close_old_connections)
        assert SearchLogEntry.objects.count() == 1

    def test_a_log_that_cannot_be_written_disturbs_nobody(self, notes, alice, monkeypatch, caplog):
        def fail(*args: object, **more: object) -> None:
            raise DatabaseError("full")

        monkeypatch.setattr(SearchLogEntry.objects, "create", fail)
        assert browser_of(alice).get("/", {"q": "moon"}).status_code == 200
        assert "could not be logged" in caplog.text


def test_entries_expire(db, settings):
    settings.SEARCH_LOG_DAYS = 7
    entry(at=Now() - timedelta(days=7, minutes=1))
    fresh = entry(at=Now() - timedelta(days=6))
    tasks.sweep()
    assert SearchLogEntry.objects.get() == fresh


class TestWhoMay:
    @pytest.fixture
    def other(self, charlie, space) -> Collection:
        return Collection.objects.create(name="Other", owner=charlie, active_space=space)

    def test_managers_see_what_their_collections_were_asked(self, collection, other, alice, bob, charlie):
        one = entry(user=bob, collections=[collection.pk])
        both = entry(user=bob, collections=[collection.pk, other.pk])
        assert list(SearchLogEntry.objects.visible_to(alice)) == [one]
        assert list(SearchLogEntry.objects.visible_to(charlie)) == []
        Membership.objects.create(collection=other, user=alice, role=Role.MANAGER)
        assert set(SearchLogEntry.objects.visible_to(alice)) == {one, both}

    def test_a_person_sees_their_own_while_they_may_see_the_collection(self, collection, bob, shared_with_bob, alice):
        mine = entry(user=bob, collections=[collection.pk])
        entry(user=alice, collections=[collection.pk])
        assert list(SearchLogEntry.objects.visible_to(bob)) == [mine]
        Membership.objects.all().delete()
        assert list(SearchLogEntry.objects.visible_to(bob)) == []

    def test_a_token_narrows_it(self, collection, other, alice):
        entry(user=alice, collections=[collection.pk])
        client_of(alice)
        token = AccessToken.objects.get()
        token.limit_to([])
        alice.access_token = token
        assert list(SearchLogEntry.objects.visible_to(alice)) == []

    def test_nobody_sees_nothing(self, collection):
        entry()
        assert list(SearchLogEntry.objects.visible_to(User(is_active=False))) == []


class TestConsole:
    ADDRESS = "/console/search/searchlogentry/"

    @pytest.fixture
    def asked(self, db) -> None:
        entry(text="found well")
        entry(text="found nothing", hits=0, best_score=None)
        entry(text="beyond the last", hits=0, best_score=None, offset=10)
        entry(text="found badly", best_score=0.2)
        entry(text="by words", degraded=True, mode="lexical")

    @pytest.mark.parametrize(
        ("chosen", "shown"),
        [
            ({"answer": "none"}, ["found nothing"]),
            ({"answer": "low"}, ["found badly"]),
            ({"degraded__exact": "1"}, ["by words"]),
            ({"mode": "lexical"}, ["by words"]),
        ],
    )
    def test_it_is_narrowed_to_what_went_wrong(self, asked, admin_client, chosen, shown):
        page = admin_client.get(self.ADDRESS, chosen).content.decode()
        texts = ["found well", "found nothing", "beyond the last", "found badly", "by words"]
        assert [text for text in texts if f">{text}<" in page] == shown

    def test_only_what_was_degraded_says_so(self, asked, admin_client):
        page = admin_client.get(self.ADDRESS).content.decode()
        cells = re.findall(r'<td class="field-degraded_column">(.*?)</td>', page)
        assert sorted(cells) == ["-", "-", "-", "-", "degraded"]

    def test_one_search_is_told_in_words(self, db, collection, admin_client):
        gone = uuid.uuid4()
        one = entry(collections=[collection.pk, gone], degraded=True)
        page = admin_client.get(f"{self.ADDRESS}{one.pk}/change/").content.decode()
        shown = re.findall(r'<div class="readonly">(.*?)</div>', page)
        assert f"<bdi>Field notes</bdi>, <bdi>{gone}</bdi>" in shown
        assert "degraded" in shown

    @pytest.mark.parametrize("kept", [True, False])
    def test_it_says_when_texts_are_not_kept(self, admin_client, settings, kept):
        settings.SEARCH_LOG_TEXT = kept
        assert ("KB_SEARCH_LOG_TEXT" in admin_client.get(self.ADDRESS).content.decode()) is not kept

    def test_it_hides_what_its_person_may_not_see(self, asked, collection, bob, shared_with_bob):
        entry(user=bob, text="my own", collections=[collection.pk])
        User.objects.filter(pk=bob.pk).update(is_staff=True)
        bob.user_permissions.set(Permission.objects.filter(codename="view_searchlogentry"))
        page = browser_of(bob).get(self.ADDRESS).content.decode()
        assert ">my own<" in page
        assert ">found well<" not in page

    def test_nobody_changes_it(self, asked, admin_client):
        one = SearchLogEntry.objects.earliest("pk")
        assert admin_client.post(f"{self.ADDRESS}{one.pk}/delete/", {"post": "yes"}).status_code == 403
