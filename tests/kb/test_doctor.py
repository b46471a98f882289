"""The doctor sees what is wrong, and nothing where all is well."""

from contextlib import suppress
from io import StringIO

import pytest
from django.core.management import call_command

from embeddings import spaces
from embeddings.models import Space
from kb import reembedding
from kb.models import Chunk, Collection, Embedding

pytestmark = pytest.mark.django_db

TESSERACT = "#!/bin/sh\nprintf 'List of available languages (3):\\neng\\ndeu\\nosd\\n'\n"

LONG = "# Tides\n\n" + "\n\n".join(f"第{n}天的潮汐很高。The tide of day {n} is high. 🌊" for n in range(3_000))
"""Longer than the parts in which places are checked."""


def examine() -> str:
    out = StringIO()
    with suppress(SystemExit):
        call_command("doctor", stdout=out)
    return out.getvalue()


def test_which_scans_are_recognised(collection, tmp_path, monkeypatch):
    Collection.objects.update(ocr_languages="eng+chi_sim")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "Scans are not recognised: Tesseract is not installed." in examine()
    (tmp_path / "tesseract").write_text(TESSERACT)
    (tmp_path / "tesseract").chmod(0o755)
    assert "Scans are recognised in eng. Tesseract has no data for chi_sim." in examine()
    Collection.objects.update(ocr_languages="deu")
    assert "Scans are recognised in deu.\n" in examine()


def test_all_is_well(upload, work, collection):
    collection.chunk_overlap = 60
    collection.save()
    upload("tides.md", LONG)
    work()
    assert len(LONG) > 100_000
    assert Chunk.objects.count() > 100
    assert "All is well" in examine()


def test_passages_of_before_there_were_stems(upload, work):
    upload("tides.md", "# Tides\n\nThe tides were rising slowly.")
    work()
    [before] = Chunk.objects.values_list("lexemes", flat=True)
    Chunk.objects.update(lexemes="'tides':1 'rising':2")
    assert "1 passages are found by their words as they stand alone" in examine()
    call_command("doctor", "--repair", stdout=StringIO())
    assert list(Chunk.objects.values_list("lexemes", flat=True)) == [before]
    assert "as they stand" not in examine()


@pytest.mark.parametrize("change", [{"text": "No such words."}, {"start": 1_000_000, "end": 1_000_010}])
def test_a_chunk_that_is_not_the_text_at_its_place(upload, work, change):
    upload("tides.md", LONG)
    work()
    chunk = Chunk.objects.order_by("-ordinal")[0]
    Chunk.objects.filter(pk=chunk.pk).update(**change)
    assert f"places: chunk {chunk.pk} of revision {chunk.revision_id} is not the text at its place.\n" in examine()


class TestSpaces:
    @pytest.fixture
    def other(self):
        return spaces.keep(spaces.of("hashing", spaces.describe("hashing", dimensions=128)))

    def test_embeddings_of_a_space_that_is_not_the_collections(self, upload, work, collection, other):
        upload("tides.md", "# Tides\n\nThe tide turns.")
        work()
        Embedding.objects.update(space=other)
        told = examine()
        assert f"spaces: 1 embeddings of “{collection.name}” are in space {other.name}" in told
        assert "has no sound embedding in the active space" in told
        assert f"is not of the size of space {other.name}" in told

    def test_a_collection_that_is_not_where_its_re_embedding_says(self, collection, other, alice):
        reembedding.start(collection, other, user=alice)
        assert "All is well" in examine()
        Collection.objects.update(building_space=None)
        assert f"second space: the re-embedding of “{collection.name}” is building" in examine()

    def test_an_index_that_is_gone(self, space):
        Space.objects.update(indexed="halfvec")
        assert f"indexes: the index of space {space.name} is gone or not whole." in examine()

    def test_a_space_that_nobody_serves(self, collection, other, alice):
        reembedding.start(collection, other, user=alice)
        assert f"No process serves the encoder of {other.name}" in examine().replace(f"{collection.active_space}, ", "")
