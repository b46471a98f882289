"""A collection moves into another space: behind the search that goes on, and back."""

import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.utils import timezone

from embeddings import serving, spaces
from embeddings.encoder import Embeddings, EncoderError, EncoderUnavailable
from embeddings.hashing import HashingEncoder
from embeddings.models import Space
from kb import backlog, ingestion, reembedding, storing
from kb.ingestion import embedding
from kb.models import Chunk, Collection, Embedding, EmbeddingWork, LanguageMean, Reembedding, Stage, State
from tests.kb.test_doctor import examine

pytestmark = pytest.mark.django_db

TIDES = "# Tides\n\nThe tide turns twice a day.\n\n## The moon\n\nThe moon pulls the sea towards it.\n"
LONG = "\n\n".join(f"# Heading {n}\n\nWords number {n} are here to be read." for n in range(60))


@pytest.fixture
def other() -> Space:
    """A space of the same deterministic encoder at another size."""
    return spaces.keep(spaces.of("hashing", spaces.describe("hashing", dimensions=128)))


@pytest.fixture
def moving(upload, work, collection, other, alice) -> Reembedding:
    upload("tides.md", TIDES)
    upload("long.md", LONG)
    work()
    return reembedding.start(collection, other, user=alice)


def sweep(one: Reembedding) -> Reembedding:
    ingestion.sweep()
    one.refresh_from_db()
    return one


@pytest.fixture
def built(moving, work) -> Reembedding:
    work()
    assert sweep(moving).state == Stage.BUILT
    return moving


@pytest.fixture
def switched(built) -> Reembedding:
    reembedding.switch(built)
    assert built.state == Stage.SWITCHED
    return built


def embedded_in(space: Space) -> int:
    return Embedding.objects.filter(space=space).count()


def spaces_of(collection: Collection) -> tuple[uuid.UUID | None, ...]:
    collection.refresh_from_db()
    return collection.active_space_id, collection.building_space_id, collection.previous_space_id


class TestBuilding:
    def test_it_works(self, moving, work, collection, space, other):
        assert spaces_of(collection) == (space.pk, other.pk, None)
        assert moving.total == Chunk.objects.count() == embedded_in(space)
        work()
        assert embedded_in(other) == embedded_in(space)
        assert not EmbeddingWork.objects.exists()
        assert sweep(moving).state == Stage.BUILT
        assert reembedding.progress_of(moving).percent == 100
        languages = LanguageMean.objects.filter(space=space).values_list("language", "passages")
        assert set(LanguageMean.objects.filter(space=other).values_list("language", "passages")) == set(languages)

    def test_a_slice_at_a_time_stands_on_the_queue(self, moving, monkeypatch, other):
        monkeypatch.setattr(reembedding, "SLICE", 7)
        assert reembedding.feed([other.pk])
        assert EmbeddingWork.objects.count() == 7
        assert reembedding.feed([other.pk])
        assert EmbeddingWork.objects.count() == 14
        moving.refresh_from_db()
        assert reembedding.progress_of(moving).done == 0
        assert not reembedding.feed([uuid.uuid4()])

    def test_slices_of_any_size_leave_nothing_out(self, moving, monkeypatch, work, space, other):
        monkeypatch.setattr(reembedding, "SLICE", 7)
        work()
        assert embedded_in(other) == embedded_in(space)

    def test_uploads_go_before_it_and_into_both_spaces(self, moving, upload, monkeypatch, space, other):
        monkeypatch.setattr(HashingEncoder, "unit_tokens", 5)
        assert reembedding.feed([other.pk])
        fresh = upload("fresh.md", "# Fresh\n\nNews from the harbour.")
        ingestion.read_next()
        for _space in (space, other):
            ingestion.embed_next()
        assert fresh.newest.state == State.READY
        chunk = Chunk.objects.get(revision=fresh.newest)
        assert set(Embedding.objects.filter(chunk=chunk).values_list("space", flat=True)) == {space.pk, other.pk}
        assert embedded_in(other) == 1

    def test_publishing_waits_for_the_active_space_alone(self, moving, upload, space):
        fresh = upload("fresh.md", "# Fresh\n\nNews from the harbour.")
        ingestion.read_next()
        token = uuid.uuid4()
        work = storing.claim_work(space.pk, token, 10_000)
        embedding.write(space.pk, token, work, serving.server(space).encode_passages([one.text for one in work]))
        assert fresh.newest.state == State.READY

    def test_an_unchanged_chunk_of_a_new_revision_is_encoded_for_neither_space(self, built, collection, alice):
        document = collection.documents.get(title="long")
        ingestion.receive_revision(document, ContentFile(f"{LONG}\n\n# New\n\nOne more.".encode()), "l.md", user=alice)
        ingestion.read_next()
        assert EmbeddingWork.objects.count() == 2

    def test_what_is_deleted_or_superseded_leaves_nothing(self, moving, collection, other, alice, work):
        assert reembedding.feed([other.pk])
        ingestion.remove(collection.documents.filter(title="tides"))
        document = collection.documents.get()
        ingestion.receive_revision(document, ContentFile(b"# Short\n\nNow."), "s.md", user=alice)
        work()
        assert sweep(moving).state == Stage.BUILT
        assert embedded_in(other) == 1
        assert "All is well" in examine()

    @pytest.mark.parametrize("spent", [0, 1, 2])
    def test_a_worker_that_dies_costs_its_unit_and_no_more(self, moving, other, work, space, spent):
        reembedding.feed([other.pk])
        for _death in range(spent):
            assert storing.claim_work(other.pk, uuid.uuid4(), 200)
            EmbeddingWork.objects.exclude(lease_token=None).update(
                lease_expires_at=timezone.now() - timedelta(seconds=1)
            )
        work()
        assert sweep(moving).state == Stage.BUILT
        assert embedded_in(other) == embedded_in(space)

    def test_a_slice_queued_again_as_it_was_done_is_passed_over(self, moving, other):
        reembedding.feed([other.pk])
        token = uuid.uuid4()
        work = storing.claim_work(other.pk, token, 100_000)
        encoded = serving.server(other).encode_passages([one.text for one in work])
        storing.write_embeddings(other.pk, token, work, encoded)
        EmbeddingWork.objects.create(
            chunk_id=work[0].chunk_id, space=other, turn=0, tokens=1, attempts=1, lease_token=token,
            lease_expires_at=timezone.now() + timedelta(minutes=1),
        )  # fmt: skip
        storing.write_embeddings(other.pk, token, work[:1], encoded[:1])
        assert not EmbeddingWork.objects.exists()
        assert embedded_in(other) == len(work)


class TestPauseAndCancel:
    def test_paused_nothing_is_encoded_and_nothing_is_lost(self, moving, monkeypatch, work, space, other):
        monkeypatch.setattr(reembedding, "SLICE", 20)
        ingestion.embed_next()
        ingestion.embed_next()
        kept = embedded_in(other)
        assert 0 < kept < moving.total
        reembedding.feed([other.pk])
        reembedding.pause(moving)
        work()
        assert (embedded_in(other), EmbeddingWork.objects.count()) == (kept, 0)
        assert reembedding.progress_of(moving).done == kept
        reembedding.resume(moving)
        assert reembedding.progress_of(moving).done == kept
        work()
        assert embedded_in(other) == embedded_in(space)
        assert sweep(moving).state == Stage.BUILT

    def test_what_was_uploaded_meanwhile_is_not_missing(self, moving, work, upload, space, other):
        reembedding.pause(moving)
        upload("fresh.md", "# Fresh\n\nNews from the harbour.")
        work()
        assert embedded_in(other) == 0
        reembedding.resume(moving)
        work()
        assert embedded_in(other) == embedded_in(space)

    def test_what_is_started_again_while_it_is_dropped_stays(self, built, monkeypatch, collection, other, alice, work):
        monkeypatch.setattr(reembedding, "DROP_SLICE", 5)
        drop_slice = backlog.drop_slice
        started: list[Reembedding] = []

        def drop_and_start_again(*args: Any) -> int:
            dropped = drop_slice(*args)
            if not started:
                started.append(reembedding.start(collection, other, user=alice))
                work()
            return dropped

        reembedding.cancel(built)
        monkeypatch.setattr(backlog, "drop_slice", drop_and_start_again)
        ingestion.sweep()
        assert not backlog.lacking(collection.pk, other.pk).any

    def test_a_server_that_is_away_holds_up_nothing_else(self, moving, monkeypatch, upload, other):
        monkeypatch.setattr(HashingEncoder, "unit_tokens", 30)
        encode = HashingEncoder.encode_passages

        def encode_or_not(self: HashingEncoder, texts: Sequence[str], between: Any = None) -> Embeddings:
            if self.dimensions == 128:
                raise EncoderUnavailable("It cannot be reached.")
            return encode(self, texts, between)

        monkeypatch.setattr(HashingEncoder, "encode_passages", encode_or_not)
        monkeypatch.setattr(serving.server(other), "_rests_until", 0.0)  # and put back afterwards
        fresh = upload("fresh.md", LONG.replace("Words", "Other words"))
        ingestion.read_next()
        while ingestion.embed_next():
            pass
        assert fresh.newest.state == State.READY

    def test_cancelled_it_leaves_nothing(self, moving, monkeypatch, work, collection, space, other):
        monkeypatch.setattr(reembedding, "DROP_SLICE", 10)
        work()
        reembedding.cancel(moving)
        assert spaces_of(collection) == (space.pk, None, None)
        assert sweep(moving).state == Stage.CANCELLED
        assert embedded_in(other) == 0
        assert embedded_in(space) == Chunk.objects.count()
        assert "All is well" in examine()

    def test_a_worker_that_comes_late_with_cancelled_work(self, moving, other):
        reembedding.feed([other.pk])
        token = uuid.uuid4()
        work = storing.claim_work(other.pk, token, 200)
        reembedding.cancel(moving)
        embedding.write(other.pk, token, work, serving.server(other).encode_passages([one.text for one in work]))
        sweep(moving)
        assert (embedded_in(other), EmbeddingWork.objects.count()) == (0, 0)

    def test_work_given_back_after_the_end_goes(self, moving, other):
        reembedding.feed([other.pk])
        token = uuid.uuid4()
        storing.claim_work(other.pk, token, 200)
        reembedding.cancel(moving)
        storing.put_back(token, pause=timedelta(0))
        sweep(moving)
        assert not EmbeddingWork.objects.exists()

    def test_a_collection_is_deleted_with_it(self, moving, collection, work):
        work()
        ingestion.remove_collection(collection)
        assert not Reembedding.objects.exists()
        assert not Embedding.objects.exists()


class TestSwitching:
    def test_it_works(self, built, collection, space, other, work):
        reembedding.switch(built)
        assert spaces_of(collection) == (other.pk, None, space.pk)
        assert built.state == Stage.SWITCHED
        assert "All is well" in examine()

    def test_the_way_back_and_there_again(self, switched, collection, space, other):
        reembedding.roll_back(switched)
        assert spaces_of(collection) == (space.pk, other.pk, None)
        assert switched.state == Stage.BUILT
        reembedding.switch(switched)
        assert spaces_of(collection) == (other.pk, None, space.pk)

    def test_the_way_back_has_what_was_uploaded_since(self, switched, collection, upload, work, space):
        upload("fresh.md", "# Fresh\n\nNews from the harbour.")
        work()
        reembedding.roll_back(switched)
        assert spaces_of(collection)[0] == space.pk
        assert embedded_in(space) == Chunk.objects.count()
        assert "All is well" in examine()

    def test_dropped_the_space_before_goes(self, switched, collection, space, other):
        reembedding.drop(switched)
        assert spaces_of(collection) == (other.pk, None, None)
        assert sweep(switched).state == Stage.FINISHED
        assert embedded_in(space) == 0
        assert not LanguageMean.objects.filter(space=space).exists()
        assert "All is well" in examine()

    def test_it_waits_for_what_lacks_its_embedding_and_publishes_nothing_without(
        self, built, collection, upload, work, space, other
    ):
        some = Chunk.objects.filter(ordinal__lt=3).values("pk")
        Embedding.objects.filter(space=other, chunk__in=some)._raw_delete(using="default")
        reembedding.switch(built)
        assert built.state == Stage.SWITCHING
        fresh = upload("fresh.md", "# Fresh\n\nNews from the harbour.")
        ingestion.read_next()
        token = uuid.uuid4()
        claimed = storing.claim_work(space.pk, token, 10_000)
        embedding.write(space.pk, token, claimed, serving.server(space).encode_passages([o.text for o in claimed]))
        assert fresh.newest.state == State.EMBEDDING
        work()
        assert fresh.newest.state == State.READY
        assert spaces_of(collection)[0] == other.pk
        assert embedded_in(other) == Chunk.objects.count()

    def test_it_gives_up_waiting_when_nobody_serves_the_space(self, built, other, upload, work):
        Embedding.objects.filter(space=other).delete()
        reembedding.switch(built)
        assert sweep(built).state == Stage.SWITCHING
        Reembedding.objects.update(changed_at=timezone.now() - reembedding.PATIENCE)
        assert sweep(built).state == Stage.BUILT
        assert "15 minutes" in built.detail

    def test_what_was_read_before_the_other_space_was_there_is_not_stuck(self, built, upload, work, other):
        late = upload("late.md", "# Late\n\nRead long ago, encoded only now.")
        ingestion.read_next()
        EmbeddingWork.objects.filter(space=other).delete()
        reembedding.switch(built)
        work()
        assert late.newest.state == State.READY
        assert "All is well" in examine()


class TestWhatIsRefused:
    def test_two_at_once(self, moving, collection, other, alice):
        with pytest.raises(reembedding.Refused, match="already"):
            reembedding.start(collection, other, user=alice)

    def test_the_space_it_is_in(self, collection, space, alice):
        with pytest.raises(reembedding.Refused, match="in that space already"):
            reembedding.start(collection, space, user=alice)

    @pytest.mark.parametrize("act", [reembedding.resume, reembedding.switch, reembedding.roll_back, reembedding.drop])
    def test_what_does_not_fit_the_state(self, moving, act):
        with pytest.raises(reembedding.Refused, match="Building"):
            act(moving)

    def test_a_text_that_the_new_encoder_cannot_encode_stops_it_and_harms_no_document(
        self, moving, monkeypatch, collection, work, other
    ):
        def refuse(texts, between=None):
            raise EncoderError("The encoder returned numbers that are not finite.")

        monkeypatch.setattr(serving.server(other).encoder, "encode_passages", refuse)
        work()
        moving.refresh_from_db()
        assert (moving.state, moving.detail) == (Stage.PAUSED, "The encoder returned numbers that are not finite.")
        assert set(collection.documents.values_list("live_revision__state", flat=True)) == {State.READY}
        assert not EmbeddingWork.objects.exists()

    def test_a_passage_at_which_the_encoder_dies_each_time_stops_it(self, moving, other, collection):
        reembedding.feed([other.pk])
        EmbeddingWork.objects.update(attempts=3)
        assert sweep(moving).state == Stage.PAUSED
        assert set(collection.documents.values_list("live_revision__state", flat=True)) == {State.READY}
        assert not EmbeddingWork.objects.exists()


class TestTheCommand:
    def test_it_works(self, upload, work, collection, other, capsys):
        upload("tides.md", TIDES)
        work()
        call_command("reembed", collection.slug, "--to", other.name)
        assert "is embedded into" in capsys.readouterr().out
        work()
        ingestion.sweep()
        call_command("reembed", collection.slug, "--to", other.fingerprint[:12], "--switch")
        assert spaces_of(collection)[0] == other.pk


def test_the_configured_model_changes_and_collections_stay_where_they_are(
    settings, upload, work, collection, space, other, monkeypatch
):
    upload("tides.md", TIDES)
    work()
    monkeypatch.setattr(spaces, "configured", lambda: spaces.of("hashing", spaces.describe("hashing", dimensions=128)))
    settings.EMBEDDING_DIMENSIONS = 128
    assert spaces.ensure() == other == spaces.current()
    fresh = upload("fresh.md", "# Fresh\n\nNews from the harbour.")
    work()
    assert fresh.newest.state == State.READY
    assert embedded_in(space) == Chunk.objects.count()
    assert backlog.live_chunks(collection.pk) == Chunk.objects.count()
