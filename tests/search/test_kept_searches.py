"""Saved and recent searches: each person's own, kept as long as they want."""

import uuid
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from kb.models import User
from search.models import RecentSearch, SavedSearch, Unremembered
from search.models.recent import KEPT
from search.models.saved import MOST
from tests.conftest import browser_of

pytestmark = pytest.mark.django_db


def save(client: Client, name: str, asked: str = "q=moon&language=de") -> str:
    """What the page says."""
    return client.post(reverse("searches"), {"name": name, "asked": asked}, follow=True).content.decode()


def recent(user: User) -> list[str]:
    return [one.asked for one in RecentSearch.objects.of(user)]


def test_a_search_is_saved_under_a_name_and_deleted(alice, collection):
    browser = browser_of(alice)
    assert "The search is saved as “Moon”" in save(browser, " Moon\n")
    saved = SavedSearch.objects.get()
    assert (saved.user, saved.name, saved.asked) == (alice, "Moon", "q=moon&language=de")
    assert "/?q=moon&amp;language=de" in browser.get(reverse("searches")).content.decode()
    browser.post(reverse("search_delete", args=[saved.pk]))
    assert not SavedSearch.objects.exists()


def test_a_name_that_is_taken_names_the_new_search(alice, bob):
    save(browser_of(bob), "Moon")
    told = "The search is saved as “Moon”, in place of the one that had this name."
    assert told not in save(browser_of(alice), "Moon", "q=moon")
    assert told in save(browser_of(alice), "Moon", "q=sea")
    assert sorted(SavedSearch.objects.values_list("user__username", "asked")) == [
        ("alice", "q=sea"), ("bob", "q=moon&language=de"),
    ]  # fmt: skip


@pytest.mark.parametrize(("name", "asked"), [("", "q=moon"), (" ", "q=moon"), ("Moon", ""), ("Moon", "page=3&x=y")])
def test_what_says_nothing_is_not_saved(alice, name, asked):
    assert "Give the search a name." in save(browser_of(alice), name, asked)
    assert not SavedSearch.objects.exists()


def test_there_is_an_end_to_saving(alice):
    SavedSearch.objects.bulk_create(SavedSearch(user=alice, name=str(n), asked="q=x") for n in range(MOST))
    assert "Delete one first" in save(browser_of(alice), "One more")
    assert "is saved" in save(browser_of(alice), "0")
    assert SavedSearch.objects.count() == MOST


def test_others_see_and_delete_nothing_of_it(alice, bob):
    save(browser_of(alice), "Moon")
    browser = browser_of(bob)
    assert "Moon" not in browser.get(reverse("searches")).content.decode()
    gone = browser.post(reverse("search_delete", args=[SavedSearch.objects.get().pk]))
    missing = browser.post(reverse("search_delete", args=[uuid.uuid4()]))
    assert gone.status_code == missing.status_code == 404
    assert SavedSearch.objects.exists()


def test_a_search_is_remembered_once_for_the_person_who_made_it(alice, bob):
    browser = browser_of(alice)
    for asked in ("q=moon&mode=lexical", "q=sea&mode=lexical", "mode=lexical&q=moon", "q=sea&mode=lexical&page=2", ""):
        browser.get(f"/?{asked}")
    assert recent(alice) == ["q=moon&mode=lexical", "q=sea&mode=lexical"]
    assert recent(bob) == []


def test_it_is_forgotten_after_thirty_days(alice, bob):
    for user in (alice, bob):
        RecentSearch.objects.remember(user, "q=moon")
    RecentSearch.objects.update(at=timezone.now() - KEPT - timedelta(minutes=1))
    assert recent(alice) == []
    RecentSearch.objects.remember(alice, "q=sea")
    assert list(RecentSearch.objects.values_list("asked", flat=True)) == ["q=sea"]


def test_it_is_forgotten_at_once_when_asked(alice, bob):
    for user in (alice, bob):
        RecentSearch.objects.remember(user, "q=moon")
    browser_of(alice).post(reverse("searches_forget"))
    assert (recent(alice), recent(bob)) == ([], ["q=moon"])


def test_nothing_is_remembered_of_who_does_not_want_it(alice):
    browser = browser_of(alice)
    browser.get("/?q=moon&mode=lexical")
    browser.post(reverse("searches_remember"))
    browser.get("/?q=sea&mode=lexical")
    assert recent(alice) == []
    browser.post(reverse("searches_remember"), {"remember": "yes"})
    browser.get("/?q=sea&mode=lexical")
    assert recent(alice) == ["q=sea&mode=lexical"]


def test_what_is_kept_goes_with_the_person(alice):
    save(browser_of(alice), "Moon")
    RecentSearch.objects.remember(alice, "q=moon")
    Unremembered.objects.create(user=alice)
    alice.delete()
    assert not any(model.objects.exists() for model in (SavedSearch, RecentSearch, Unremembered))
