"""The index of each space."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import pytest
from django.db import IntegrityError, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from embeddings import spaces
from embeddings.models import Space, Storage
from kb import ingestion, reembedding
from kb import spaces as kb_spaces
from kb.models import Embedding, Reembedding, Stage, User
from search import nearest, retrieval
from search.hits import Query
from tests.kb.running import waiting
from tests.kb.test_doctor import examine


def definition(space: Space) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname LIKE %s", [f"%{space.pk.hex}"])
        return "; ".join(row[0] for row in cursor.fetchall())


@pytest.fixture
def filled(transactional_db, upload, work, space, monkeypatch) -> Iterator[Space]:
    """A space with 300 passages, where that is many."""
    monkeypatch.setattr(kb_spaces, "INDEX_ROWS", 200)
    monkeypatch.setattr(nearest, "EXACT_ROWS", 200)
    upload("ferries.md", "\n\n".join(f"# Ferry {n}\n\nFerry {n} sails to island {n * 7} at dawn." for n in range(300)))
    work()
    yield space
    for one in Space.objects.all():
        for kind in Storage.values:
            kb_spaces.drop(one, kind)


class TestTheIndex:
    def test_a_small_space_has_none(self, transactional_db, space, upload, work):
        upload("tides.md", "# Tides\n\nThe tide turns.")
        work()
        kb_spaces.tend()
        assert definition(space) == ""
        assert kb_spaces.is_ready(space)

    @pytest.mark.parametrize("storage", Storage.values)
    def test_a_large_one_has_it_and_finds_the_same(self, filled, alice, answering, storage):
        query = Query("which ferry sails to island 49", mode="semantic", limit=5)
        exact = retrieval.search(alice, query)
        Space.objects.update(storage=storage)
        assert not kb_spaces.is_ready(Space.objects.get())
        kb_spaces.tend()
        assert kb_spaces.is_ready(Space.objects.get())
        [index] = kb_spaces.indexes(filled)
        assert (index.kind, index.built) == (storage, None)
        assert f"halfvec({filled.dimensions})" in definition(filled)
        assert str(filled.pk) in definition(filled)
        by_index = retrieval.search(alice, query)
        assert [hit.citation.id for hit in by_index.hits] == [hit.citation.id for hit in exact.hits]
        assert "All is well" in examine()

    def test_another_storage_takes_the_place_of_the_one_before(self, filled):
        kb_spaces.tend()
        Space.objects.update(storage=Storage.BINARY)
        kb_spaces.tend()
        assert [index.kind for index in kb_spaces.indexes(filled)] == ["binary"]
        assert Space.objects.get().indexed == "binary"

    def test_one_that_a_crash_left_is_built_anew(self, filled):
        name = kb_spaces.index_name(filled, "halfvec")
        with connection.cursor() as cursor, pytest.raises(IntegrityError):
            cursor.execute(f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON kb_embedding (space_id)")
        assert [index.built for index in kb_spaces.indexes(filled)] == [0.0]
        kb_spaces.tend()
        assert [index.built for index in kb_spaces.indexes(filled)] == [None]
        assert "halfvec(64)" in definition(filled)

    def test_one_builds_at_a_time(self, filled):
        with closing(connections.create_connection("default")) as held, held.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [kb_spaces._LOCK])
            kb_spaces.tend()
            assert definition(filled) == ""
            cursor.execute("SELECT pg_advisory_unlock(%s)", [kb_spaces._LOCK])
            kb_spaces.tend()
        assert definition(filled) != ""

    def test_it_goes_with_what_was_in_it(self, filled):
        kb_spaces.tend()
        Embedding.objects.all()._raw_delete(using="default")
        kb_spaces.tend()
        assert definition(filled) == ""
        assert Space.objects.get().indexed == ""

    def test_a_re_embedding_builds_it_at_the_end(self, filled, collection, alice, work):
        other = spaces.keep(spaces.of("hashing", spaces.describe("hashing", dimensions=128)))
        one = reembedding.start(collection, other, user=alice)
        kb_spaces.tend()
        assert definition(other) == ""
        work()
        ingestion.sweep()
        one.refresh_from_db()
        assert one.state == Stage.BUILDING
        kb_spaces.tend()
        ingestion.sweep()
        one.refresh_from_db()
        assert one.state == Stage.BUILT
        assert "halfvec(128)" in definition(other)


class TestWhileItIsBuilt:
    """A build waits for whoever writes: first before it begins, then before it is valid. So it can be looked at."""

    @pytest.fixture
    def other(self, filled, collection, alice, work) -> Space:
        """The new space of a collection, with all its passages and no index yet."""
        kb_spaces.tend()
        space = spaces.keep(spaces.of("hashing", spaces.describe("hashing", dimensions=128)))
        reembedding.start(collection, space, user=alice)
        work()
        return space

    def test_how_far_it_is_is_shown_wherever_somebody_looks(self, other, collection, alice, api, client):
        User.objects.filter(pk=alice.pk).update(is_staff=True, is_superuser=True)
        client.force_login(User.objects.get(pk=alice.pk))
        [one] = Reembedding.objects.all()
        console = (f"/console/embeddings/space/{other.pk}/change/", f"/console/kb/reembedding/{one.pk}/change/")
        pages = (*console, f"/collections/{collection.slug}/settings/")

        def shown() -> tuple[list[object], list[bool]]:
            [by_space] = api.get(f"/api/v1/spaces/{other.pk}/").json()["indexes"]
            by_collection = api.get(f"/api/v1/collections/{collection.pk}/reembed/").json()["progress"]["index"]
            assert by_space == by_collection
            words = f"The index is being built: {100 * by_space['built']:.0f} %"
            return [by_space["built"], by_space["phase"]], [
                words in client.get(page).content.decode() for page in pages
            ]

        with _writing() as first, ThreadPoolExecutor(1) as thread:
            built = thread.submit(_tend)
            waiting.until(lambda: _phase(other) == "waiting for writers before build")
            assert shown() == ([0.0, "waiting for writers before build"], [True] * 3)
            with _writing():
                first.rollback()
                waiting.until(lambda: _phase(other) == "waiting for writers before validation")
                assert shown() == ([1.0, "waiting for writers before validation"], [True] * 3)
            built.result()
        assert [index.built for index in kb_spaces.indexes(other)] == [None]
        assert api.get(f"/api/v1/collections/{collection.pk}/reembed/").json()["progress"]["index"] is None


@contextmanager
def _writing() -> Iterator[BaseDatabaseWrapper]:
    """A transaction that has written embeddings and is not done."""
    with closing(connections.create_connection("default")) as held:
        held.set_autocommit(False)
        with held.cursor() as cursor:
            cursor.execute("LOCK TABLE kb_embedding IN ROW EXCLUSIVE MODE")
        yield held


def _tend() -> None:
    try:
        kb_spaces.tend()
    finally:
        connections.close_all()


def _phase(space: Space) -> str:
    return "".join(index.phase for index in kb_spaces.indexes(space))
