"""Queries that were asked before."""

import threading
import uuid
from typing import Any

import numpy as np
import pytest
import redis

from embeddings import cache
from embeddings.encoder import Embeddings

TEXT = "Wann ist Flut?"


class Encoder:
    """Gives each text another embedding, counts how often it is asked, and takes as long as it is told."""

    def __init__(self) -> None:
        self.asked = 0
        self.was_asked = threading.Event()
        self.may_answer = threading.Event()
        self.may_answer.set()

    def ask(self, left: float) -> Embeddings:
        self.asked += 1
        self.was_asked.set()
        if not self.may_answer.wait(left):
            raise TimeoutError
        return np.full(64, self.asked, dtype=np.float32)


@pytest.fixture
def encoder() -> Encoder:
    return Encoder()


@pytest.fixture
def fingerprint() -> str:
    """Of no other test: Redis keeps what it is given."""
    return uuid.uuid4().hex


def ask(encoder: Encoder, fingerprint: str, text: str = TEXT, timeout: float = 5) -> float:
    found = cache.remembered(encoder.ask, fingerprint=fingerprint, text=text, timeout=timeout)
    assert found.shape == (64,)
    return float(found[0])


@pytest.mark.parametrize("cache_url", [False, True], ids=["broker", "own"])
def test_it_is_asked_once(encoder, fingerprint, settings, cache_url):
    settings.CACHE_URL = settings.REDIS_URL if cache_url else ""
    assert [ask(encoder, fingerprint) for _n in range(3)] == [1, 1, 1]


def test_another_fingerprint_or_text_is_another_query(encoder, fingerprint):
    ask(encoder, fingerprint)
    assert [ask(encoder, uuid.uuid4().hex), ask(encoder, fingerprint, text=f"{TEXT} ")] == [2, 3]


def test_it_is_forgotten_in_time(encoder, fingerprint):
    ask(encoder, fingerprint)
    client: Any = cache._client()
    keys = client.keys("concordance:query:*")
    assert keys
    assert all(0 < client.ttl(key) <= 3600 for key in keys)


def test_nothing_is_kept_for_no_time(encoder, fingerprint, settings):
    settings.QUERY_CACHE_SECONDS = 0
    assert [ask(encoder, fingerprint) for _n in range(2)] == [1, 2]


def test_what_others_write_in_the_same_place_is_not_mistaken(encoder, fingerprint, monkeypatch):
    monkeypatch.setattr(cache, "PLACES", 1)
    assert [ask(encoder, fingerprint, text) for text in ("one", "two", "one")] == [1, 2, 3]


def test_the_brokers_redis_does_not_fill_up(encoder, fingerprint, monkeypatch):
    monkeypatch.setattr(cache, "PLACES", 5)
    client: Any = cache._client()
    client.delete(*client.keys("concordance:query:*") or ["none"])
    for number in range(50):
        ask(encoder, fingerprint, str(number))
    assert 0 < len(client.keys("concordance:query:*")) <= 5


def test_of_many_at_once_one_asks(encoder, fingerprint):
    encoder.may_answer.clear()
    found: list[float] = []
    askers = [threading.Thread(target=lambda: found.append(ask(encoder, fingerprint))) for _n in range(8)]
    for asker in askers:
        asker.start()
    assert encoder.was_asked.wait(5)
    encoder.may_answer.set()
    for asker in askers:
        asker.join()
    assert (encoder.asked, found) == (1, [1.0] * 8)


def test_when_the_one_that_asks_fails_the_next_asks(encoder, fingerprint):
    encoder.may_answer.clear()
    with pytest.raises(TimeoutError):
        ask(encoder, fingerprint, timeout=0.01)
    encoder.may_answer.set()
    assert ask(encoder, fingerprint) == 2


def test_without_its_redis_the_encoder_is_asked(encoder, fingerprint, monkeypatch):
    nobody = redis.Redis.from_url("redis://127.0.0.1:1", socket_connect_timeout=0.5)
    monkeypatch.setattr(cache, "_client", lambda: nobody)
    assert [ask(encoder, fingerprint) for _n in range(2)] == [1, 2]
