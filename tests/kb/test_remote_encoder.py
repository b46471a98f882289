"""The product with its encoder on a server, which comes, goes and changes."""

import itertools
import json
import uuid
from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db.models import Count
from django.db.models.functions import Now

from embeddings import endpoint, estimates, probe, queries, serving, spaces
from embeddings.encoder import EncoderError
from embeddings.hashing import HashingEncoder
from embeddings.models import Space
from kb import ingestion
from kb.models import Chunk, Embedding, EmbeddingWork, State
from search import retrieval
from search.hits import Query
from tests.embeddings import scripted

pytestmark = pytest.mark.django_db

TIDES = "# Tides\n\nThe tide turns twice a day.\n\n## Moon\n\nThe moon pulls the sea.\n"
MANY = "".join(f"# Chapter {n}\n\n" + f"The tide of day {n} turned twice. " * 9 + "\n\n" for n in range(80))


def forget() -> None:
    """What a process keeps of its settings as long as it runs."""
    for kept in (spaces.description, spaces.tokenizer, spaces._probed, spaces._endpoint):
        kept.cache_clear()
    serving.servers([])


@pytest.fixture(autouse=True)
def server(settings, monkeypatch) -> Iterator[scripted.Server]:
    monkeypatch.setattr(endpoint, "_FIRST_PAUSE", 0.001)
    monkeypatch.setattr("embeddings.remote.REST_SECONDS", 0.0)
    with scripted.Server().running() as server:
        settings.EMBEDDING_URL, settings.EMBEDDING_MODEL = server.url, ""
        forget()
        yield server
    forget()


def due_now() -> None:
    EmbeddingWork.objects.update(next_attempt_at="2020-01-01T00:00Z")


def test_it_is_prepared_once(server):
    call_command("prepare", "--quiet")
    call_command("prepare", "--quiet")
    space = Space.objects.get()
    assert (space.model, space.url, space.dimensions, space.max_tokens) == ("words", server.url, 64, 500)
    kept = probe.from_bytes(bytes(space.probe or b""), dimensions=64)
    np.testing.assert_allclose(kept, HashingEncoder().encode_passages(probe.TEXTS), atol=1e-6)
    assert spaces.current() == space


def test_passages_are_measured_by_an_estimate(space):
    assert isinstance(spaces.tokenizer(), estimates.EstimatingTokenizer)


def test_the_settings_may_name_the_prompts(server, settings):
    settings.EMBEDDING_QUERY_PROMPT = "Instruct: Find\nQuery:"
    settings.EMBEDDING_PASSAGE_PROMPT = ""
    about = spaces.description()
    assert (about.query_prompt, about.passage_prompt) == ("Instruct: Find\nQuery:", "")


def test_a_document_becomes_searchable_and_queries_ask_the_server(server, upload, work, alice):
    document = upload("tides.md", TIDES)
    work()
    assert document.newest.state == State.READY
    answer = retrieval.search(alice, Query("What pulls the sea?", mode="semantic"))
    assert not answer.degraded
    assert "moon pulls" in answer.hits[0].text
    assert server.texts[-1][-1] == "What pulls the sea?"


def test_a_server_that_goes_away_loses_nothing(server, upload, work, monkeypatch):
    monkeypatch.setattr("embeddings.remote.TOKENS", 100_000)  # a unit of several requests, of as many texts as may be
    document = upload("tides.md", MANY)
    assert ingestion.read_next()
    serving.server().encoder.encode_queries(["ready"])
    asked = itertools.count()

    def last(call: scripted.Call, body: scripted.Body) -> None:
        (scripted.well if next(asked) < 2 else scripted.dying)(call, body)

    server.usually = last
    assert ingestion.embed_next()
    assert next(asked) > 2
    waiting = EmbeddingWork.objects.all()
    assert waiting.count() == Chunk.objects.count() > 64
    assert set(waiting.values_list("attempts", "lease_token")) == {(0, None)}
    assert not ingestion.embed_next()  # they are left alone for a while
    server.usually = scripted.well
    forget()
    due_now()
    work()
    assert document.newest.state == State.READY
    assert set(Chunk.objects.annotate(n=Count("embeddings")).values_list("n", flat=True)) == {1}


def test_it_waits_as_long_as_the_server_asks(server, upload):
    upload("tides.md", TIDES)
    ingestion.read_next()
    serving.server()
    server.usually = scripted.refusing(429, Retry_After="50")
    assert ingestion.embed_next()
    later = EmbeddingWork.objects.filter(next_attempt_at__gt=Now() + timedelta(seconds=40))
    assert later.count() == EmbeddingWork.objects.count() == 2


def test_a_text_that_the_server_refuses_fails_its_document_alone(server, upload, work):
    def choosy(call: scripted.Call, body: scripted.Body) -> None:
        refused = any("moon" in text for text in body["input"])
        (scripted.refusing(400, "no moon") if refused else scripted.well)(call, body)

    server.usually = choosy
    bad, good = upload("tides.md", TIDES), upload("days.md", "# Days\n\nA day has a night.\n")
    work()
    assert (bad.newest.state, bad.newest.reason) == (State.FAILED, "encoder_failed")
    assert "no moon" in bad.newest.detail
    assert good.newest.state == State.READY


@pytest.mark.django_db(transaction=True)  # it is prepared again, with rows there
def test_another_model_at_the_same_address_writes_nothing(server, upload, work, alice, caplog):
    ready = upload("tides.md", TIDES)
    work()
    server.usually = scripted.another_model
    waiting = upload("days.md", "# Days\n\nA day has a night.\n")
    work()
    assert waiting.newest.state == State.EMBEDDING
    assert "is not the one that the space was made with" in caplog.text
    answer = retrieval.search(alice, Query("tide"))
    assert (answer.mode, bool(answer.degraded)) == ("lexical", True)
    assert answer.hits[0].citation.document_title == ready.title
    forget()  # so also after a new start
    caplog.clear()
    call_command("prepare", "--quiet")
    assert "Nothing is embedded until this is put right" in caplog.text
    work()
    assert Embedding.objects.filter(revision=waiting.newest).count() == 0
    server.usually = scripted.well
    forget()
    due_now()
    work()
    assert waiting.newest.state == State.READY


def test_a_space_made_while_the_site_runs_is_asked_as_soon_as_it_is_probed(server):
    space = spaces.keep(spaces.configured())
    assert spaces.direct(uuid.uuid4()) is spaces.direct(space.pk) is None  # the one is not there, the other not probed
    with pytest.raises(queries.EncoderAway, match="No process serves"):
        queries.encode_query("neap", space=space)
    spaces.ensure()
    assert spaces.direct(space.pk) is spaces.direct(space.pk) is not None
    assert queries.encode_query("neap", space=space).shape == (64,)


def test_a_server_that_is_away_at_a_later_start_is_waited_for(server, space, caplog):
    server.stop()
    forget()
    call_command("prepare", "--quiet")
    assert "Nothing is embedded until this is put right" in caplog.text
    assert not ingestion.embed_next()
    assert not queries.is_answering(space.pk)


def test_a_server_that_is_away_at_the_first_start_stops_it(server):
    server.stop()
    with pytest.raises(CommandError, match="cannot be reached"):
        call_command("prepare", "--quiet")


def test_a_setting_that_is_wrong_stops_any_start(server, space, settings):
    settings.EMBEDDING_MODEL = "others"
    forget()
    with pytest.raises(CommandError, match=r"has no model 'others'; it has words\."):
        call_command("prepare", "--quiet")


def test_more_dimensions_than_an_index_takes_are_refused(server, monkeypatch):
    monkeypatch.setattr(spaces, "MOST_DIMENSIONS", 32)
    with pytest.raises(EncoderError, match=r"gives 64 dimensions, and a space holds 32 at most: set EMBEDDING_DIM"):
        spaces.ensure()


def test_the_site_says_whether_the_server_answers(server, space, client):
    assert json.loads(client.get("/readyz").content)["dependencies"]["encoder"] == "ok"
    server.stop()
    assert json.loads(client.get("/readyz").content)["dependencies"]["encoder"] != "ok"
