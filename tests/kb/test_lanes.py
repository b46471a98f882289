"""Units embedded side by side, and what becomes of them when something goes wrong."""

import threading
import uuid
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from celery.worker import state
from django.db import OperationalError, connections
from django.db.models.functions import Now

from embeddings import serving
from embeddings.hashing import HashingEncoder
from kb import ingestion, storing, tasks
from kb.ingestion import embedding, lanes
from kb.models import Document, Embedding, EmbeddingWork, State

TEXT = "\n\n".join(f"# Heading {n}\n\nWords number {n} are here to be read." for n in range(40))


@pytest.fixture
def small_units(monkeypatch) -> None:
    monkeypatch.setattr(HashingEncoder, "unit_tokens", 30)


def read(upload, *names: str) -> list[Document]:
    documents = [upload(name, f"{TEXT} {name}") for name in names]
    while ingestion.read_next():
        pass
    return documents


def expire() -> None:
    EmbeddingWork.objects.filter(lease_token__isnull=False).update(lease_expires_at=Now() - timedelta(seconds=1))


@pytest.mark.django_db(transaction=True)
def test_every_chunk_is_embedded_once(upload, small_units):
    documents = read(upload, "one.md", "two.md")
    ingestion.embed_while(lambda: True)
    assert [document.newest.state for document in documents] == [State.READY] * 2
    assert Embedding.objects.count() == sum(document.newest.chunks.count() for document in documents)
    assert not EmbeddingWork.objects.exists()


def test_all_lanes_work_at_once():
    together = threading.Barrier(lanes.LANES, timeout=30)
    steps = iter([True] * lanes.LANES)

    def step() -> bool:
        if not next(steps, False):
            return False
        together.wait()
        return True

    lanes.run(step, go_on=lambda: True)
    assert next(steps, None) is None


def test_told_to_stop_no_lane_takes_a_step():
    lanes.run(lambda: pytest.fail("a step was taken"), go_on=lambda: False)


def test_what_goes_wrong_in_any_lane_comes_out():
    main = threading.current_thread()

    def step() -> bool:
        if threading.current_thread() is not main:
            raise OperationalError("the connection is lost")
        return False

    with pytest.raises(OperationalError, match="lost"):
        lanes.run(step, go_on=lambda: True)


@pytest.mark.django_db
def test_work_that_cannot_be_written_is_given_back(upload, monkeypatch):
    read(upload, "one.md")

    def fail(*_args: object) -> None:
        raise OperationalError("the disk is full")

    monkeypatch.setattr(storing, "write_embeddings", fail)
    with pytest.raises(OperationalError):
        ingestion.embed_next()
    assert set(EmbeddingWork.objects.values_list("attempts", "lease_token")) == {(0, None)}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("flag", ["should_stop", "should_terminate"])
def test_a_worker_that_is_told_to_stop_puts_its_units_back_untried(upload, small_units, monkeypatch, flag):
    """Told so with the exit status 0, before the first micro-batch has come to its end."""
    read(upload, "one.md", "two.md")
    encode = serving.server().encoder.encode_passages

    def encode_as_it_is_told(texts, between=None):
        monkeypatch.setattr(state, flag, 0)
        return encode(texts, between)

    monkeypatch.setattr(serving.server().encoder, "encode_passages", encode_as_it_is_told)
    tasks.embed()
    assert not Embedding.objects.exists()
    assert set(EmbeddingWork.objects.values_list("attempts", "lease_token")) == {(0, None)}
    monkeypatch.undo()
    ingestion.embed_while(lambda: True)
    assert not EmbeddingWork.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_is_told_to_stop_writes_what_is_encoded_to_its_end(upload, monkeypatch):
    """Told so inside the last micro-batch of its unit."""
    read(upload, "one.md")
    serving.server()  # it encodes a text when it is loaded
    encode = HashingEncoder._encode_one

    def encode_one_as_it_is_told(self, text):
        monkeypatch.setattr(state, "should_stop", 0)
        return encode(self, text)

    monkeypatch.setattr(HashingEncoder, "unit_tokens", 1)
    monkeypatch.setattr(HashingEncoder, "_encode_one", encode_one_as_it_is_told)
    tasks.embed()
    assert Embedding.objects.count() == 1
    assert set(EmbeddingWork.objects.values_list("attempts", "lease_token")) == {(0, None)}


@pytest.mark.django_db
def test_embeddings_of_another_number_of_chunks_are_not_written(upload, space):
    read(upload, "one.md")
    token = uuid.uuid4()
    work = storing.claim_work(space.pk, token, 10_000)
    with pytest.raises(ValueError, match=f"{len(work) + 1} embeddings for {len(work)} chunks"):
        storing.write_embeddings(space.pk, token, work, np.eye(len(work) + 1, 64, dtype=np.float32))
    assert EmbeddingWork.objects.filter(lease_token=token).count() == len(work)


@pytest.mark.django_db
@pytest.mark.parametrize("wrong", ["not finite", "another size"])
def test_what_is_no_embedding_fails_its_revision_alone(upload, monkeypatch, wrong):
    good, bad = read(upload, "good.md", "bad.md")
    encode = serving.server().encoder.encode_passages

    def encode_wrongly(texts, between=None):
        found = encode(texts, between)
        if not any("bad.md" in text for text in texts):
            return found
        return found * np.nan if wrong == "not finite" else found[:, :-1]

    monkeypatch.setattr(serving.server().encoder, "encode_passages", encode_wrongly)
    while ingestion.embed_next():
        pass
    assert good.newest.state == State.READY
    assert (bad.newest.state, bad.newest.reason) == (State.FAILED, "encoder_failed")
    assert not Embedding.objects.filter(revision=bad.newest).exists()


@pytest.mark.django_db(transaction=True)
def test_the_lease_of_a_unit_in_hand_is_renewed(upload, space, settings):
    settings.LEASE_SECONDS = 2
    read(upload, "one.md")
    token = uuid.uuid4()
    assert storing.claim_work(space.pk, token, 10_000)
    expire()
    with lanes.kept(token):
        while EmbeddingWork.objects.filter(lease_expires_at__lt=Now()).exists():
            pass
    assert not storing.claim_work(space.pk, uuid.uuid4(), 10_000)


@pytest.mark.django_db(transaction=True)
def test_what_is_claimed_while_the_process_ends_is_given_back_untried(upload, monkeypatch):
    read(upload, "one.md")
    ending = threading.Thread(target=_end)
    claim, encode = storing.claim_work, serving.Server.encode_passages

    def claim_as_it_ends(*given: Any) -> list[storing.Work]:
        claimed = claim(*given)
        if claimed:
            ending.start()
            ending.join(0.5)
        return claimed

    def encode_when_it_has(*given: Any) -> Any:
        ending.join(30)
        assert set(EmbeddingWork.objects.values_list("attempts", "lease_token")) == {(0, None)}
        return encode(*given)

    monkeypatch.setattr(storing, "claim_work", claim_as_it_ends)
    monkeypatch.setattr(serving.Server, "encode_passages", encode_when_it_has)
    try:
        assert ingestion.embed_next()
    finally:
        embedding._claiming.release()
    assert not Embedding.objects.exists()  # it was not this process's any more


def _end() -> None:
    try:
        ingestion.put_down()
    finally:
        connections.close_all()


@pytest.mark.django_db
def test_after_a_worker_was_stopped_each_chunk_is_tried_alone(upload, space):
    read(upload, "one.md", "two.md")
    stopped = storing.claim_work(space.pk, uuid.uuid4(), 60)
    assert len(stopped) > 1
    expire()
    again = [storing.claim_work(space.pk, uuid.uuid4(), 10_000) for _chunk in stopped]
    assert [len(unit) for unit in again] == [1] * len(stopped)
    assert {unit[0].chunk_id for unit in again} == {one.chunk_id for one in stopped}
    assert len(storing.claim_work(space.pk, uuid.uuid4(), 10_000)) > 1


@pytest.mark.django_db
def test_progress_follows_what_is_written(upload, small_units):
    [document] = read(upload, "one.md")
    while document.newest.state == State.EMBEDDING:
        written = Embedding.objects.filter(revision=document.newest).count()
        assert (document.newest.progress_done, document.newest.progress_total) == (written, 40)
        ingestion.embed_next()
    assert document.newest.progress_done == 40
