"""Each kind of index finds what comparing every embedding finds."""

import json
import uuid
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections

from embeddings.models import Space, Storage
from kb import spaces
from kb.models import Collection, Embedding, User
from search import nearest
from search.benchmarks import measure
from search.benchmarks.corpus import Corpus
from tests.search.test_plans import plans

pytestmark = pytest.mark.django_db(transaction=True)

DIMENSIONS = 2 * spaces.LEADING


@pytest.mark.slow
def test_it_works(monkeypatch):
    monkeypatch.setattr(nearest, "ALWAYS_EXACT_ROWS", 0)
    monkeypatch.setattr(nearest, "EXACT_ROWS", 0)
    with Corpus(3_000, DIMENSIONS) as corpus:
        asked = corpus.queries(20)
        for kind in Storage.values:
            spaces.drop(corpus.space, corpus.space.storage)
            corpus.space.storage = kind
            corpus.space.save()
            spaces.build(corpus.space)
            assert any(spaces.index_name(corpus.space, kind) in plan for plan in plans(corpus, mode="semantic"))
            with measure.answering(corpus, asked):
                assert measure.recall(corpus, asked) >= 0.98, kind
            [index] = spaces.indexes(corpus.space)
            assert index.kind == kind


@pytest.mark.parametrize("dimensions", [8, spaces.LEADING, spaces.LEADING + 8])
@pytest.mark.parametrize("kind", Storage.values)
def test_every_kind_takes_every_size(kind, dimensions):
    space = Space.objects.create(
        id=uuid.UUID(int=1), name="s", fingerprint="s", dimensions=dimensions, max_tokens=512,
        storage=kind,
    )  # fmt: skip
    spaces.build(space)
    [index] = spaces.indexes(space)
    assert (index.kind, index.built) == (kind, None)
    with connection.cursor() as cursor:  # what a search asks such an index
        distance = spaces.distance(space, kind)
        query = [str([0.5] * dimensions)] * distance.count("%s")
        cursor.execute(f"SELECT FROM kb_embedding e WHERE space_id = %s ORDER BY {distance}", [space.pk, *query])
    spaces.drop(space, kind)
    assert spaces.indexes(space) == []


def test_what_each_costs_is_measured_and_nothing_is_kept():
    out = StringIO()
    call_command("bench", "index", "--rows", "300", "--dimensions", "64", "--queries", "3", "--json", stdout=out)
    kinds = json.loads(out.getvalue())
    assert [one["kind"] for one in kinds] == Storage.values
    for one in kinds:
        assert one["seconds"] > 0 < one["size"]
        assert one["alone"]["800"]["recall"] == one["in_search"]["recall"] == 1.0
    assert kinds[0]["in_search"]["times_halfvec"] == 1.0
    for model in (User, Collection, Embedding, Space):
        assert not model.objects.exists()


def test_nothing_is_measured_while_another_index_is_built():
    held = connections.create_connection("default")
    with held.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [spaces._LOCK])
        with pytest.raises(CommandError, match="Another process builds an index"):
            call_command("bench", "index", "--rows", "10")
    held.close()


def test_an_index_that_outgrows_its_memory_says_so(settings, caplog):
    settings.INDEX_MEMORY_MB = 1
    with Corpus(500, 2_048):
        assert "no longer fits into maintenance_work_mem" in caplog.text
        assert "KB_INDEX_MEMORY_MB" in caplog.text
