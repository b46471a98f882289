"""Golden queries as they are made from a page of hits: this answers, this does not."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.shortcuts import get_object_or_404

from kb.models import Chunk, Collection, User
from kb.reading import text
from search.hits import Answer, Hit
from search.models import GoldenQuery, Judgement
from search.models.golden import Grade

_Place = tuple[UUID, int | None, int | None, int | None]
"""A document, the number of a revision, where characters of it begin and end."""


@dataclass(frozen=True)
class Verdicts:
    """What has been said of the hits of an answer, and of which collections this person may say it."""

    collections: frozenset[UUID]
    grades: dict[_Place, Grade]

    def of(self, hit: Hit) -> Grade | None:
        """How a hit was graded, if it was."""
        cited = hit.citation
        return self.grades.get((cited.document_id, cited.revision, *cited.chars))


def verdicts(user: User | AnonymousUser, answer: Answer) -> Verdicts:
    """Of the hits of an answer: for contributors and above."""
    held = {hit.citation.collection_id for hit in answer.hits}
    writable = frozenset(Collection.objects.writable_by(user).filter(pk__in=held).values_list("pk", flat=True))
    if not writable:
        return Verdicts(writable, {})
    judgements = Judgement.objects.filter(
        golden_query__collection__in=writable,
        golden_query__text=text.one_line(answer.query.text),
        document__in={hit.citation.document_id for hit in answer.hits},
        revision__isnull=False,
    )
    rows = judgements.values_list("document", "revision__number", "start", "end", "grade")
    return Verdicts(writable, {(one, number, start, end): Grade(grade) for one, number, start, end, grade in rows})


def judge(user: User, chunk: Chunk, asked: str, grade: Grade) -> None:
    """Keep how well a passage answers what was asked, as a golden query of its collection, made if it is new."""
    collection = chunk.revision.document.collection
    with transaction.atomic():
        hold(collection)
        query, _new = GoldenQuery.objects.get_or_create(
            collection=collection, text=text.one_line(asked), defaults={"created_by": user}
        )
        Judgement.objects.update_or_create(golden_query=query, **_place(chunk), defaults={"grade": grade})


def withdraw(chunk: Chunk, asked: str) -> None:
    """Take back what was said of a passage; and the golden query, when nothing else was said for it."""
    collection = chunk.revision.document.collection
    queries = GoldenQuery.objects.filter(collection=collection, text=text.one_line(asked))
    with transaction.atomic():
        hold(collection)
        Judgement.objects.filter(golden_query__in=queries, **_place(chunk)).delete()
        queries.filter(judgements__isnull=True, note="").delete()


def add(user: User, query: GoldenQuery, judgements: Sequence[Judgement]) -> None:
    """Keep a new golden query with its judgements."""
    query.created_by = user
    with transaction.atomic():
        hold(query.collection)
        query.save(force_insert=True)
        for judgement in judgements:
            judgement.golden_query = query
        Judgement.objects.bulk_create(judgements)


def hold(collection: Collection) -> None:
    """Let nobody else change the golden queries of a collection by what is there already, until the transaction ends:
    clicks, forms and imports go one after the other. Raises Http404 where the collection has been deleted meanwhile."""
    get_object_or_404(Collection.objects.select_for_update(no_key=True, of=("self",)), pk=collection.pk)


def _place(chunk: Chunk) -> dict[str, Any]:
    return {
        "document": chunk.revision.document,
        "revision": chunk.revision,
        "start": chunk.start,
        "end": chunk.end,
    }
