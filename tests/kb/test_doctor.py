"""The doctor sees what is wrong, and nothing where all is well."""

from contextlib import suppress
from io import StringIO

import pytest
from django.core.management import call_command

from kb.models import Chunk

pytestmark = pytest.mark.django_db

LONG = "# Tides\n\n" + "\n\n".join(f"第{n}天的潮汐很高。The tide of day {n} is high. 🌊" for n in range(3_000))
"""Longer than the parts in which places are checked."""


def examine() -> str:
    out = StringIO()
    with suppress(SystemExit):
        call_command("doctor", stdout=out)
    return out.getvalue()


def test_all_is_well(upload, work, collection):
    collection.chunk_overlap = 60
    collection.save()
    upload("tides.md", LONG)
    work()
    assert len(LONG) > 100_000
    assert Chunk.objects.count() > 100
    assert "All is well" in examine()


@pytest.mark.parametrize("change", [{"text": "No such words."}, {"start": 1_000_000, "end": 1_000_010}])
def test_a_chunk_that_is_not_the_text_at_its_place(upload, work, change):
    upload("tides.md", LONG)
    work()
    chunk = Chunk.objects.order_by("-ordinal")[0]
    Chunk.objects.filter(pk=chunk.pk).update(**change)
    assert examine() == f"places: chunk {chunk.pk} of revision {chunk.revision_id} is not the text at its place.\n"
