"""A small library in two languages, and golden queries about it."""

from collections.abc import Callable

import pytest

from kb import ingestion
from kb.models import Chunk, Collection, Document, User
from search.models import GoldenQuery, Judgement
from search.models.golden import Grade

TIDES = "# Tides\n\nThe tide turns twice a day.\n\n## The moon\n\nThe moon pulls the sea towards it.\n"
BOATS = "# Boats\n\nThe dinghy has an outboard engine.\n"
LEAVE = "# 员工手册\n\n## 年假\n\n每位员工每年享有十五天带薪年假。\n"

Golden = Callable[..., GoldenQuery]


@pytest.fixture
def notes(upload, work, answering) -> dict[str, Document]:
    documents = {
        name: upload(f"{name}.md", text, title=name)
        for name, text in [("tides", TIDES), ("boats", BOATS), ("leave", LEAVE)]
    }
    work()
    ingestion.sweep()
    for document in documents.values():
        document.refresh_from_db()
    return documents


@pytest.fixture
def golden(collection: Collection, alice: User) -> Golden:
    """A golden query with documents or chunks that answer it, each with its grade."""

    def make(text: str, *answers: Document | Chunk, grade: Grade = Grade.ANSWERS, **more: object) -> GoldenQuery:
        query = GoldenQuery.objects.create(collection=collection, text=text, created_by=alice, **more)
        for one in answers:
            Judgement.objects.create(golden_query=query, grade=grade, **place(one))
        return query

    return make


def place(judged: Document | Chunk) -> dict[str, object]:
    """Where a judgement about it is."""
    if isinstance(judged, Document):
        return {"document": judged}
    document = judged.revision.document
    return {"document": document, "revision": judged.revision, "start": judged.start, "end": judged.end}


def chunk_with(words: str) -> Chunk:
    """The live chunk in which these words are."""
    return Chunk.objects.get(text__contains=words, revision__live_for__isnull=False)
