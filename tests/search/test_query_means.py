"""Means of queries: a person's own, without words, in use from fifty queries on, and gone when the person wants."""

from typing import Any

import numpy as np
import pytest

from embeddings import centring
from kb.models import AccessToken, User
from search import log, retrieval, tasks
from search.hits import Query, Seen
from search.models import QueryMean, Unremembered
from search.models.query_mean import ENOUGH
from tests.conftest import browser_of

pytestmark = pytest.mark.django_db

QUESTION = "When does the moon pull the sea towards the land?"


@pytest.fixture
def ask(notes, collection, alice):
    """Ask as a page does that has been sent."""

    def asked(text: str = QUESTION, user: User = alice, **more: Any):
        answer = retrieval.search(user, Query(text, **more))
        log.count(user, answer)
        return answer

    return asked


def known(user: User) -> dict[str, int]:
    return dict(QueryMean.objects.filter(user=user).values_list("language", "queries"))


def fill(user: User, collection, embedding: np.ndarray, *, count: int, language: str = "en") -> QueryMean:
    for _ in range(count):
        QueryMean.objects.add_seen(user, Seen(collection.active_space_id, "", language, embedding))
    return QueryMean.objects.get(user=user, language=language)


class TestCounted:
    def test_a_question_in_its_language(self, ask, alice):
        ask()
        ask("Where do the boats of the harbour lie at night?")
        ask("每位员工每年有多少天带薪年假？")
        assert known(alice) == {"en": 2, "zh": 1}

    def test_once_however_often_the_page_is_loaded(self, ask, alice, bob, shared_with_bob):
        for user in (alice, bob, alice, bob):
            ask(user=user)
        assert known(alice) == known(bob) == {"en": 1}

    @pytest.mark.parametrize("more", [{"offset": 10}, {"mode": "lexical"}, {"text": "administration"}])
    def test_not_further_pages_nor_words_alone_nor_where_the_language_is_uncertain(self, ask, alice, more):
        ask(**more)
        assert known(alice) == {}

    def test_not_of_who_does_not_want_to_be_remembered(self, ask, alice):
        Unremembered.objects.create(user=alice)
        ask()
        assert known(alice) == {}

    def test_not_of_a_program_which_may_ask_for_many(self, ask, alice):
        alice.access_token, _secret = AccessToken.objects.issue(alice, "portal")
        assert ask().hits
        assert known(alice) == {}

    def test_after_the_page(self, notes, alice):
        browser_of(alice).get("/", {"q": QUESTION})
        assert known(alice) == {"en": 1}

    @pytest.mark.parametrize("act", ["/searches/forget/", "/searches/remember/"])
    def test_forgotten_with_the_recent_searches(self, ask, alice, act):
        ask()
        assert browser_of(alice).post(act).status_code == 303
        assert known(alice) == {}


class TestInUse:
    def test_from_so_many_on_and_seldom_made_anew(self, collection, alice):
        first, second = np.eye(2, 64, dtype=np.float32)
        fill(alice, collection, first, count=ENOUGH - 1)
        tasks.sweep()
        assert fill(alice, collection, first, count=1).mean is None
        tasks.sweep()
        assert fill(alice, collection, second, count=12).made_of == ENOUGH
        tasks.sweep()
        kept = fill(alice, collection, second, count=1)
        assert np.allclose(kept.mean, first)
        tasks.sweep()
        made = QueryMean.objects.get()
        assert made.made_of == ENOUGH + 13
        assert np.allclose(made.mean, (ENOUGH * first + 13 * second) / made.made_of)

    def test_it_moves_that_persons_scores_and_nobody_elses(self, ask, alice, bob, shared_with_bob, collection):
        before = {user: [hit.scores for hit in ask(user=user, mode="semantic").hits] for user in (alice, bob)}
        fill(alice, collection, np.eye(1, 64, dtype=np.float32)[0], count=ENOUGH)
        tasks.sweep()
        after = {user: [hit.scores for hit in ask(user=user, mode="semantic").hits] for user in (alice, bob)}
        assert after[alice] != before[alice]
        assert after[bob] == before[bob]

    def test_it_takes_the_place_of_the_passages_mean(self):
        of_passages, of_queries, query = np.eye(3, 4, dtype=np.float32)
        means = centring.means([("en", 10, of_passages)])
        assert means is not None
        centred = means.centre(query, {"en": 1.0}, {"en": of_queries})
        moved = query - centring.SHARE * of_queries
        assert np.allclose(centred, moved / np.linalg.norm(moved))
        assert np.allclose(means.centre(query, {"en": 1.0}, {"de": of_queries}), means.centre(query, {"en": 1.0}))
