"""From an upload to a searchable document."""

import uuid
from datetime import timedelta

import pytest
from django.contrib.postgres.search import SearchQuery
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from embeddings import serving
from embeddings.models import Space
from kb import ingestion, storing, tasks
from kb.ingestion import reading, sweeping
from kb.models import (
    Chunk,
    Collection,
    Document,
    Embedding,
    EmbeddingWork,
    ReadingPart,
    Revision,
    RevisionText,
    State,
)
from kb.reading.failures import Unreadable
from kb.reading.pdf import reader as pdf

from .reading import files

pytestmark = pytest.mark.django_db

TIDES = "# Tides\n\nThe tide turns twice a day.\n\n## Moon\n\nThe moon pulls the sea.\n"


def state_of(document: Document) -> str:
    return Document.objects.get(pk=document.pk).shown.state


def expire_leases() -> None:
    past = Now() - timedelta(seconds=1)
    Revision.objects.filter(lease_token__isnull=False).update(lease_expires_at=past)
    EmbeddingWork.objects.filter(lease_token__isnull=False).update(lease_expires_at=past)


def test_it_becomes_searchable(upload, work):
    document = upload("tides.md", TIDES, title="Tides", tags=["sea", "sea", " moon "])
    assert state_of(document) == State.RECEIVED
    work()
    document.refresh_from_db()
    assert state_of(document) == State.READY
    assert document.tags == ["sea", "moon"]
    chunks = list(document.live_revision.chunks.all())
    assert [chunk.ordinal for chunk in chunks] == list(range(len(chunks)))
    text = RevisionText.objects.get(revision=document.live_revision).text
    assert all(text[chunk.start : chunk.end] == chunk.text for chunk in chunks)
    assert Embedding.objects.filter(revision=document.live_revision).count() == len(chunks)
    assert not EmbeddingWork.objects.exists()


def test_the_file_is_kept_as_it_came(upload):
    revision = upload("tides.md", TIDES).newest
    with default_storage.open(revision.file.name) as stored:
        assert stored.read() == TIDES.encode()
    assert "tides" not in revision.file.name


def test_the_same_bytes_are_one_document(upload, collection, alice):
    first = upload("tides.md", TIDES)
    receipt = ingestion.receive(collection, ContentFile(TIDES.encode()), "copy.md", user=alice)
    assert (receipt.document, receipt.created) == (first, False)


def test_the_same_bytes_elsewhere_are_another_document(upload, alice, space):
    other = Collection.objects.create(name="Elsewhere", owner=alice, active_space=space)
    assert upload("tides.md", TIDES).pk != upload("tides.md", TIDES, into=other).pk


def test_an_unknown_kind_of_file_is_refused_at_the_door(upload):
    with pytest.raises(Unreadable, match=r"tides\.exe"):
        upload("tides.exe", b"MZ")
    assert not Document.objects.exists()


@pytest.mark.parametrize(
    ("filename", "content", "reason"),
    [
        ("empty.md", b"", "no_text"),
        ("blank.txt", b" \n\n ", "no_text"),
        ("photo.docx", b"\xff\xd8\xff\xe0 a JPEG", "type_mismatch"),
        ("nul.md", b"# Title\n\x00\n", "type_mismatch"),
        ("broken.pdf", b"%PDF-1.7\nnothing more", "malformed"),
    ],
)
def test_a_bad_file_fails_with_its_reason_and_harms_no_other(upload, work, filename, content, reason):
    bad, good = upload(filename, content), upload("tides.md", TIDES)
    work()
    failed = bad.newest
    assert (failed.state, failed.reason) == (State.FAILED, reason)
    assert failed.detail.endswith((".", ")"))
    assert failed.attempts == 1
    assert state_of(good) == State.READY


def test_a_nasty_name_is_only_a_name(upload, work):
    document = upload("../../etc/🌊 tides\u202e.md", TIDES)
    assert document.newest.filename == "🌊 tides.md"
    work()
    assert state_of(document) == State.READY


def test_an_abandoned_file_is_read_again(upload, work):
    document = upload("tides.md", TIDES)
    assert reading._claim() is not None
    assert reading._claim() is None
    expire_leases()
    work()
    assert state_of(document) == State.READY
    assert document.newest.attempts == 2


def test_a_tokenizer_that_is_not_on_this_machine_is_said(upload, space):
    Space.objects.filter(pk=space.pk).update(model="nobody/no-such-model")
    document = upload("tides.md", TIDES)
    while ingestion.read_next():
        Revision.objects.update(next_attempt_at=Now() - timedelta(seconds=1))
    assert state_of(document) == State.FAILED
    assert "run `hf download nobody/no-such-model`" in document.newest.detail


def test_three_abandoned_attempts_are_enough(upload):
    document = upload("tides.md", TIDES)
    for _attempt in range(3):
        assert reading._claim() is not None
        expire_leases()
    assert reading._claim() is None
    ingestion.sweep()
    assert document.newest.reason == "reader_crashed"


def test_whoever_lost_the_lease_writes_nothing(upload, work):
    document = upload("tides.md", TIDES)
    late = reading._claim()
    assert late is not None
    expire_leases()
    work()
    with pytest.raises(reading.LeaseLost):
        reading._read(late)
    assert Chunk.objects.filter(revision=document.newest).count() == Embedding.objects.count()
    assert state_of(document) == State.READY


def test_abandoned_chunks_are_embedded_once(upload, work, space):
    document = upload("tides.md", TIDES)
    ingestion.read_next()
    late = uuid.uuid4()
    claimed = storing.claim_work(space.pk, late, 10_000)
    assert claimed
    assert not storing.claim_work(space.pk, uuid.uuid4(), 10_000)
    expire_leases()
    work()
    vectors = serving.server().encode_passages([one.text for one in claimed])
    storing.write_embeddings(space.pk, late, claimed, vectors)
    assert Embedding.objects.filter(revision=document.newest).count() == len(claimed)


def test_the_encoder_and_the_word_index_are_given_the_headings(upload, space):
    upload("tides.md", TIDES)
    ingestion.read_next()
    claimed = storing.claim_work(space.pk, uuid.uuid4(), 10_000)
    assert {one.text for one in claimed} == {
        "Tides\n\nThe tide turns twice a day.",
        "Tides\nMoon\n\nThe moon pulls the sea.",
    }
    assert Chunk.objects.filter(lexemes=SearchQuery("tides", config="simple")).count() == 2


def test_a_complete_revision_nobody_published_is_published_by_the_sweep(upload, space):
    document = upload("tides.md", TIDES)
    ingestion.read_next()
    token = uuid.uuid4()
    claimed = storing.claim_work(space.pk, token, 10_000)
    vectors = serving.server().encode_passages([one.text for one in claimed])
    storing.write_embeddings(space.pk, token, claimed, vectors)
    assert state_of(document) == State.EMBEDDING
    ingestion.sweep()
    assert state_of(document) == State.READY


def test_nothing_is_published_before_its_last_embedding(upload, space):
    document = upload("tides.md", TIDES)
    ingestion.read_next()
    assert not ingestion.publish(document.newest.pk)
    assert state_of(document) == State.EMBEDDING


def test_owners_take_turns_by_tokens(upload, bob, space):
    for n in range(4):
        upload(f"{n}.md", f"# Notes {n}\n\n" + f"word{n} " * 150)
    upload("one.md", "# One\n\nA single small file.", user=bob)
    while ingestion.read_next():
        pass
    first = storing.claim_work(space.pk, uuid.uuid4(), 300)
    assert bob.pk in set(EmbeddingWork.objects.filter(lease_token__isnull=False).values_list("owner", flat=True))
    assert len(first) < EmbeddingWork.objects.count()


def test_a_new_revision_takes_over_when_it_is_ready(upload, work, alice):
    document = upload("tides.md", TIDES)
    work()
    document.refresh_from_db()
    before = document.live_revision
    ingestion.receive_revision(document, ContentFile(TIDES.replace("twice", "often").encode()), "tides.md", user=alice)
    document.refresh_from_db()
    assert document.live_revision == before
    work()
    document.refresh_from_db()
    assert document.live_revision.number == 2
    assert not Embedding.objects.filter(revision=before).exists()
    assert Chunk.objects.filter(revision=before).exists()


def test_only_what_changed_is_encoded_again(upload, alice, work):
    document = upload("tides.md", TIDES)
    work()
    changed = TIDES.replace("pulls", "draws")
    ingestion.receive_revision(document, ContentFile(changed.encode()), "tides.md", user=alice)
    ingestion.read_next()
    fresh = document.newest.chunks.count()
    assert 0 < EmbeddingWork.objects.count() < fresh


def test_a_failed_revision_leaves_the_live_one_serving(upload, work, alice):
    document = upload("tides.md", TIDES)
    work()
    ingestion.receive_revision(document, ContentFile(b""), "tides.md", user=alice)
    work()
    document.refresh_from_db()
    assert (document.shown.number, document.newest.state) == (1, State.FAILED)


def test_cancel_and_retry(upload, work):
    document = upload("tides.md", TIDES)
    ingestion.read_next()
    assert ingestion.cancel(document)
    work()
    assert state_of(document) == State.CANCELLED
    assert not EmbeddingWork.objects.exists()
    assert ingestion.retry(document)
    work()
    assert state_of(document) == State.READY
    assert not ingestion.retry(document)


def test_reindexing_makes_a_revision_of_the_same_file(upload, work):
    document = upload("tides.md", TIDES)
    work()
    assert ingestion.reindex(document)
    work()
    document.refresh_from_db()
    assert (document.live_revision.number, state_of(document)) == (2, State.READY)


def test_removal_leaves_nothing(upload, work, django_capture_on_commit_callbacks):
    document = upload("tides.md", TIDES)
    work()
    name = document.newest.file.name
    with django_capture_on_commit_callbacks(execute=True):
        ingestion.remove(Document.objects.filter(pk=document.pk))
    for model in (Document, Revision, RevisionText, Chunk, Embedding, EmbeddingWork):
        assert not model.objects.exists(), model
    assert not default_storage.exists(name)


def test_removing_a_collection_leaves_nothing(upload, work, collection, django_capture_on_commit_callbacks):
    upload("tides.md", TIDES)
    work()
    ingestion.sweep()
    assert collection.language_means.exists()
    with django_capture_on_commit_callbacks(execute=True):
        ingestion.remove_collection(collection)
    for model in (Collection, Document, Chunk, Embedding):
        assert not model.objects.exists(), model


def test_the_means_follow_the_documents(upload, work, collection):
    document = upload("tides.md", TIDES)
    work()
    ingestion.sweep()
    means = collection.language_means
    assert sum(means.values_list("passages", flat=True)) == Embedding.objects.count()
    ingestion.remove(Document.objects.filter(pk=document.pk))
    ingestion.sweep()
    assert not means.exists()


def test_the_means_of_a_small_collection_do_not_wait_for_the_sweep(upload, collection, monkeypatch):
    upload("tides.md", TIDES)
    assert ingestion.read_next()
    tasks.embed()
    assert collection.language_means.get().passages == 2
    monkeypatch.setattr(sweeping, "SMALL", 2)
    upload("more.md", "# Ebb\n\nThe ebb is low water.\n")
    assert ingestion.read_next()
    tasks.embed()
    assert collection.language_means.get().passages == 2
    ingestion.sweep()
    assert collection.language_means.get().passages == 3


@pytest.mark.parametrize(
    "columns",
    [
        {"state": "nonsense"},
        {"state": State.FAILED, "reason": ""},
        {"state": State.READY},
        {"attempts": 4},
        {"lease_token": uuid.uuid4()},
    ],
)
def test_the_database_refuses_what_cannot_be(upload, columns):
    document = upload("tides.md", TIDES)
    with pytest.raises(IntegrityError), transaction.atomic():
        Revision.objects.filter(document=document).update(**columns)


def test_a_form_that_was_open_does_not_undo_a_publish(upload, work):
    document = upload("tides.md", TIDES)
    open_form = Document.objects.get(pk=document.pk)
    work()
    open_form.title = "Tides"
    open_form.save()
    document.refresh_from_db()
    assert (document.title, document.live_revision.number) == ("Tides", 1)


def test_a_wrong_extension_is_mended_by_the_right_one(upload, work, collection, alice):
    document = upload("tides.pdf", TIDES)
    work()
    assert document.newest.reason == "type_mismatch"
    again = ingestion.receive(collection, ContentFile(TIDES.encode()), "tides.md", user=alice)
    assert (again.document, again.created) == (document, False)
    work()
    assert state_of(document) == State.READY


def test_the_bytes_of_a_superseded_revision_are_a_new_document(upload, work, collection, alice):
    document = upload("tides.md", TIDES)
    work()
    ingestion.receive_revision(document, ContentFile(b"# Tides\n\nNew."), "tides.md", user=alice)
    work()
    assert ingestion.receive(collection, ContentFile(TIDES.encode()), "tides.md", user=alice).created


def test_no_passage_is_larger_than_the_encoder_reads(upload, work, collection, space):
    Collection.objects.filter(pk=collection.pk).update(chunk_target=4000, chunk_maximum=8000)
    space.max_tokens = 100
    space.save()
    document = upload("long.md", "# Long\n\n" + "One more sentence stands here. " * 200)
    work()
    assert max(document.newest.chunks.values_list("tokens", flat=True)) <= 100


def test_work_given_back_was_not_tried(upload, space):
    upload("tides.md", TIDES)
    ingestion.read_next()
    token = uuid.uuid4()
    assert storing.claim_work(space.pk, token, 10_000)
    storing.put_back(token, pause=timedelta(0))
    assert set(EmbeddingWork.objects.values_list("attempts", "lease_token")) == {(0, None)}


def test_a_long_file_is_read_in_parts(upload, work, tmp_path):
    pages = [[f"Page {n} says that the tide turns twice a day."] for n in range(1, pdf.PART + 21)]
    document = upload("tides.pdf", files.pdf(tmp_path / "tides.pdf", pages).read_bytes())
    assert ingestion.read_next()
    revision = document.revisions.get()
    assert (revision.state, revision.attempts) == (State.RECEIVED, 0)
    assert (revision.progress_done, revision.progress_total) == (pdf.PART, pdf.PART + 20)
    assert ReadingPart.objects.filter(revision=revision).count() == 1
    assert not Chunk.objects.exists()
    work()
    assert state_of(document) == State.READY
    assert not ReadingPart.objects.exists()
    revision.refresh_from_db()
    assert revision.pages == pdf.PART + 20
    text = RevisionText.objects.get(revision=revision).text
    assert all(f"Page {n} says" in text for n in range(1, pdf.PART + 21))
    assert [chunk.anchor["pages"] for chunk in revision.chunks.all()][-1][-1] == pdf.PART + 20


def test_what_was_read_of_a_cancelled_file_goes(upload, tmp_path):
    pages = [["The tide turns."]] * (pdf.PART + 1)
    document = upload("tides.pdf", files.pdf(tmp_path / "tides.pdf", pages).read_bytes())
    assert ingestion.read_next()
    assert ingestion.cancel(document)
    assert not ReadingPart.objects.exists()


def test_what_was_read_of_a_file_that_fails_goes(upload, tmp_path):
    pages = [["The tide turns."]] * (pdf.PART + 1)
    document = upload("tides.pdf", files.pdf(tmp_path / "tides.pdf", pages).read_bytes())
    assert ingestion.read_next()
    default_storage.delete(document.revisions.get().file.name)
    assert ingestion.read_next()
    assert state_of(document) == State.FAILED
    assert not ReadingPart.objects.exists()
