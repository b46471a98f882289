"""Signs of life: whose they are, and how long they last."""

import pytest

from embeddings import life, queries

KEY = "test-life"


@pytest.fixture
def redis():
    connection = queries.connect()
    yield connection
    connection.delete(KEY)


def test_who_leaves_is_gone_soon_and_not_at_once(redis):
    life.show(redis, KEY, seconds=30)
    assert redis.pttl(KEY) > life.LEAVE_MILLISECONDS
    life.leave(redis, KEY)
    assert 0 < redis.pttl(KEY) <= life.LEAVE_MILLISECONDS


def test_the_sign_of_another_process_stays(redis):
    redis.set(KEY, b"another's", ex=30)
    life.leave(redis, KEY)
    assert redis.pttl(KEY) > life.LEAVE_MILLISECONDS
