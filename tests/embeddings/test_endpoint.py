"""When a server is asked again."""

import email.utils
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embeddings import endpoint


@given(st.integers(min_value=2, max_value=60))
def test_pauses_are_of_any_length_up_to_a_bound_that_doubles(attempt):
    pauses = [endpoint.pause_before(attempt) for _ in range(20)]
    bound = min(20.0, 0.5 * 2.0 ** (attempt - 2))
    assert all(0 <= pause <= bound for pause in pauses)
    assert max(pauses) - min(pauses) > bound / 100


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0),
        ("7", 7),
        ("1.5", 1.5),
        ("3600", 60),
        ("-5", 0),
        ("nan", 0),
        ("1e9", 0),
        ("soon", 0),
        ("", 0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("Wed, 21 Oct 2015 07:28:00", 0),
        ("Fri, 21 Oct 9999 07:28:00 GMT", 60),
        ("Fri, 41 Oct 9999 07:28:00 GMT", 0),
    ],
)
def test_a_server_may_say_when(header, seconds):
    assert endpoint.retry_after(header) == seconds


def test_a_date_is_so_far_away_as_it_is():
    header = email.utils.format_datetime(datetime.now(UTC) + timedelta(seconds=40), usegmt=True)
    assert 30 < endpoint.retry_after(header) <= 40


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://gpu:8000/v1", "http://gpu:8000"),
        ("https://example.org/some/where/v1", "https://example.org"),
        ("http://[::1]:80/v1", "http://[::1]"),
    ],
)
def test_the_origin_is_the_address_without_its_path(url, origin):
    assert endpoint.Endpoint(url).origin == origin
