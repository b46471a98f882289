"""Signs of life: whose they are, and how long they last."""

import uuid

import pytest

from embeddings import life, queries
from embeddings.models import Space

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


@pytest.mark.parametrize(
    ("left", "waited", "stays"),
    [(4_000, 5.0, False), (9_500, 5.0, True), (8_500, 1.0, True)],
    ids=["killed before somebody asked", "slow", "nobody has waited long"],
)
def test_who_is_silent_while_somebody_waits_is_taken_for_gone(redis, left, waited, stays):
    redis.set(KEY, b"another's", px=left)
    life.doubt(redis, KEY, seconds=10, waited=waited)
    assert bool(redis.exists(KEY)) == stays


def test_only_the_first_query_waits_for_an_encoder_that_was_killed(settings):
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    space = Space(pk=uuid.uuid4(), name="killed", dimensions=8, fingerprint="killed")
    queries.connect().set(queries._pulse_key(space.pk), b"its", px=7_000)
    with pytest.raises(queries.EncoderAway, match="in time"):
        queries.encode_query("tides", space=space, timeout=life.SILENCE_SECONDS + 0.5)
    with pytest.raises(queries.EncoderAway, match="No process"):
        queries.encode_query("tides", space=space, timeout=life.SILENCE_SECONDS + 0.5)
