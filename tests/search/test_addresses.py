"""The address of a search: cleaned, canonical, and one step away from its neighbours."""

from datetime import UTC, datetime

import pytest
from django.http import QueryDict
from hypothesis import given
from hypothesis import strategies as st

from search import addresses

NAMES = ["q", "collection", "language", "kind", "tag", "added", "since", "until", "mode", "page", "nonsense"]


def test_it_says_what_the_search_asks():
    address = addresses.of(QueryDict("q=moon&language=zh&language=en&tag=sea&mode=lexical&page=3"))
    query = address.query()
    assert (query.text, query.languages, query.tags, query.mode, query.offset) == (
        "moon", ("zh", "en"), ("sea",), "lexical", 20,
    )  # fmt: skip
    assert str(address) == "/?q=moon&language=zh&language=en&tag=sea&mode=lexical&page=3"
    assert address.asked == "q=moon&language=zh&language=en&tag=sea&mode=lexical"
    assert address.asked_on_page == f"{address.asked}&page=3"


def test_a_filter_taken_away_leaves_the_others_and_begins_at_the_first_page():
    address = addresses.of(QueryDict("q=moon&language=zh&language=en&page=3"))
    assert str(address.without(("language", "zh"))) == "/?q=moon&language=en"
    assert str(address.unfiltered()) == "/?q=moon"


def test_a_language_is_its_code_alone():
    asked = "language=EN&language=pt-BR&language=zh_CN&language=en&language=-"
    assert addresses.of(QueryDict(asked)).values("language") == ("en", "pt", "zh")


def test_kinds_that_people_call_the_same_are_one():
    text = addresses.of(QueryDict("kind=application/vnd.oasis.opendocument.text"))
    sheets = addresses.of(QueryDict("kind=application/vnd.oasis.opendocument.spreadsheet"))
    assert text == sheets
    assert len(text.query().media_types) == 3


@pytest.mark.parametrize(
    ("asked", "after", "before"),
    [
        ("since=2026-03-01", datetime(2026, 3, 1, tzinfo=UTC), None),
        ("until=2026-03-01", None, datetime(2026, 3, 1, 23, 59, 59, 999999, tzinfo=UTC)),
        ("since=2026-02-30&until=0001-01-01", None, None),
        ("since=today&until=", None, None),
        ("added=never", None, None),
    ],
)
def test_days_are_whole_and_odd_ones_say_nothing(asked, after, before):
    query = addresses.of(QueryDict(asked)).query()
    assert (query.created_after, query.created_before) == (after, before)


def test_a_period_and_a_day_both_hold():
    lately = addresses.of(QueryDict("added=week&since=2020-01-01")).query().created_after
    later = addresses.of(QueryDict("added=week&since=2199-01-01")).query().created_after
    assert lately is not None
    assert lately.year > 2020
    assert later == datetime(2199, 1, 1, tzinfo=UTC)


def test_a_long_query_is_cut_and_says_so():
    address = addresses.of(QueryDict("q=" + "moon+" * 1_000))
    assert len(address.text) < len("moon " * 1_000)
    assert address.shortened
    assert not addresses.of(QueryDict("q=moon")).shortened


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.text(max_size=30)), max_size=20))
def test_what_is_kept_of_an_address_asks_the_same(pairs):
    given_ = QueryDict(mutable=True)
    for name, value in pairs:
        given_.appendlist(name, value)
    address = addresses.of(given_)
    assert addresses.kept(address.asked) == addresses.Address(address.pairs)
    address.query()
