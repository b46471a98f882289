"""Whether languages are balanced: as the query says, else the collections, else where there are several."""

import pytest
from django.core.files.base import ContentFile

from kb import ingestion
from kb.models import Collection
from search import retrieval
from search.hits import Query

pytestmark = pytest.mark.django_db

BOTH = ("The ferry sails to the island at noon.", "渡轮中午开往岛上，乘客须提前半小时到达码头。")
ENGLISH = ("The annual report tells the story of the company.",)


@pytest.fixture
def make(alice, collection, work, answering):
    """Collections with these texts, that say this about balancing."""

    def made(*wanted: tuple[str, tuple[str, ...]]) -> None:
        for number, (balance, texts) in enumerate(wanted):
            one = Collection.objects.create(
                name=f"c{number}", owner=alice, active_space=collection.active_space, balance_languages=balance
            )
            for text in texts:
                ingestion.receive(one, ContentFile(text.encode()), f"{text[:12]}.txt", user=alice)
        work()
        ingestion.sweep()

    return made


def is_balanced(user, **more) -> bool:
    """Whether an answer is another one than without balancing."""
    scores = [
        [hit.scores.semantic for hit in retrieval.search(user, Query("the ferry", mode="semantic", **asked)).hits]
        for asked in (more, {**more, "balance_languages": False})
    ]
    return scores[0] != scores[1]


@pytest.mark.parametrize(
    ("collections", "balanced"),
    [
        ([("auto", BOTH)], True),
        ([("auto", ENGLISH)], False),
        ([("on", ENGLISH)], True),
        ([("off", BOTH)], False),
        ([("auto", BOTH[:1]), ("auto", BOTH[1:])], True),
        ([("off", BOTH), ("auto", ENGLISH)], False),
        ([("off", ENGLISH), ("auto", BOTH)], True),
        ([("off", BOTH), ("on", ENGLISH)], True),
    ],
)
def test_the_collections_say(make, alice, collections, balanced):
    make(*collections)
    assert is_balanced(alice) is balanced


@pytest.mark.parametrize("texts", [BOTH, ENGLISH])
def test_the_query_goes_before_them(make, alice, texts):
    make(("on", texts))
    assert is_balanced(alice, balance_languages=True)
    assert not is_balanced(alice, balance_languages=False)


def test_a_query_may_want_it_where_a_collection_does_not(make, alice):
    make(("off", BOTH))
    assert is_balanced(alice, balance_languages=True)
    assert not is_balanced(alice, collections=("c0",))
