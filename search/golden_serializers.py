"""The JSON shapes of golden queries and evaluation runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

from django.db.models.functions import Length
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import serializers

from embeddings import reranking
from kb.models import Chunk, Collection, Document, RevisionText
from kb.serializers import Asking, CleanField, Strict
from search import evaluation
from search.fields import CodeField
from search.models import EvaluationRun, GoldenQuery, Judgement
from search.models.golden import LONGEST, Grade

JUDGEMENTS = 500
"""Of a golden query that is made at once, at most. A file may have more."""


@dataclass(frozen=True)
class _Known:
    """What of the places that judgements name is in the collection, looked up for all of them at once."""

    documents: frozenset[UUID]
    texts: dict[tuple[UUID, int], tuple[UUID, int]]
    """By document and number of the revision: its id, and how many characters it has."""
    passages: dict[UUID, Chunk]

    @classmethod
    def of(cls, told: Sequence[dict[str, Any]], collection: Collection) -> Self:
        named = {one["document_id"] for one in told if "document_id" in one}
        documents = Document.objects.filter(collection=collection, pk__in=named)
        numbers = {one["revision"] for one in told if one.get("revision")}
        texts = RevisionText.objects.filter(revision__document__in=documents, revision__number__in=numbers)
        rows = texts.values_list("revision__document", "revision__number", "revision", Length("text"))
        chunks = Chunk.objects.filter(revision__document__collection=collection).select_related("revision")
        return cls(
            frozenset(documents.values_list("pk", flat=True)),
            {(document, number): (revision, length) for document, number, revision, length in rows},
            chunks.in_bulk({one["passage"] for one in told if "passage" in one}),
        )


class JudgementSerializer(Strict):
    """How well a document answers, or characters [start, end) of one of its revisions; a passage of a search may be
    named instead of both."""

    document = serializers.UUIDField(source="document_id", required=False)
    passage = serializers.UUIDField(required=False, write_only=True, help_text="The id of a hit's citation.")
    revision = serializers.IntegerField(min_value=1, required=False, allow_null=True)
    chars = serializers.ListField(
        child=serializers.IntegerField(min_value=0), min_length=2, max_length=2, required=False, allow_null=True
    )
    grade = serializers.ChoiceField(choices=Grade.choices, default=Grade.ANSWERS)

    def to_representation(self, one: Judgement) -> dict[str, Any]:
        return {
            "document": str(one.document_id),
            "revision": one.revision.number if one.revision else None,
            "chars": [one.start, one.end] if one.revision else None,
            "grade": one.grade,
        }

    def to_judgement(self, told: dict[str, Any], known: _Known) -> Judgement:
        """The judgement that checked values describe. Raises ValidationError for a place that is not there."""
        if "passage" in told:
            return self._of_passage(told, known)
        if told.get("document_id") not in known.documents:
            raise serializers.ValidationError({"document": [_("There is no such document in this collection.")]})
        judgement = Judgement(document_id=told["document_id"], grade=told["grade"])
        number, chars = told.get("revision"), told.get("chars")
        if number is None and chars is None:
            return judgement
        revision, length = known.texts.get((judgement.document_id, number or 0), (None, 0))
        if revision is None or chars is None or not chars[0] < chars[1] <= length:
            raise serializers.ValidationError({"chars": [_("This document has no such passage.")]})
        judgement.revision_id, (judgement.start, judgement.end) = revision, chars
        return judgement

    def _of_passage(self, told: dict[str, Any], known: _Known) -> Judgement:
        chunk = known.passages.get(told["passage"])
        if chunk is None or {"document_id", "revision", "chars"} & set(told):
            raise serializers.ValidationError({"passage": [_("Name a passage of this collection, and nothing else.")]})
        return Judgement(
            document_id=chunk.revision.document_id,
            revision=chunk.revision,
            start=chunk.start,
            end=chunk.end,
            grade=told["grade"],
        )


class GoldenQuerySerializer(Strict):
    id = serializers.UUIDField(read_only=True)
    query = CleanField(max_length=LONGEST, source="text")
    language = CodeField(required=False, allow_blank=True, help_text="Empty: as the words tell.")
    note = CleanField(required=False, allow_blank=True, max_length=LONGEST)
    judgements = JudgementSerializer(
        many=True,
        required=False,
        max_length=JUDGEMENTS,  # type: ignore[call-arg]  # of the list, which the stubs do not know
        help_text=f"At most {JUDGEMENTS}.",
        error_messages={"max_length": gettext_lazy("A golden query may be made with at most {max_length} judgements.")},
    )
    created_by = serializers.CharField(source="created_by.username", read_only=True, allow_null=True, default=None)
    created_at = serializers.DateTimeField(read_only=True)

    def validate_query(self, asked: str) -> str:
        if GoldenQuery.objects.filter(collection=self._collection, text=asked).exists():
            raise serializers.ValidationError(_("This is a golden query of the collection already."))
        return asked

    def validate_judgements(self, told: list[dict[str, Any]]) -> list[Judgement]:
        known, judgement = _Known.of(told, self._collection), JudgementSerializer()
        found: list[Judgement] = []
        errors: list[Any] = []
        for one in told:
            try:
                found.append(judgement.to_judgement(one, known))
                errors.append({})
            except serializers.ValidationError as error:
                errors.append(error.detail)
        if any(errors):
            raise serializers.ValidationError(errors)
        if len({(one.document_id, one.revision_id, one.start, one.end) for one in found}) < len(found):
            raise serializers.ValidationError(_("One place is judged twice."))
        return found

    def to_golden_query(self) -> tuple[GoldenQuery, list[Judgement]]:
        """The checked golden query, not saved yet, and its judgements."""
        told = dict(self.validated_data)
        judgements = told.pop("judgements", [])
        return GoldenQuery(collection=self._collection, **told), judgements

    @property
    def _collection(self) -> Collection:
        collection: Collection = self.context["collection"]
        return collection


class ImportSerializer(Strict):
    file = serializers.FileField(help_text="CSV, JSON lines, or a zip in the form of BEIR or TREC.")


class ImportedSerializer(serializers.Serializer):  # type: ignore[type-arg]
    queries = serializers.IntegerField()
    judgements = serializers.IntegerField()


class MeasuresSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """Means over so many queries."""

    queries = serializers.IntegerField()

    def get_fields(self) -> dict[str, Any]:
        return super().get_fields() | {name: serializers.FloatField(required=False) for name in evaluation.MEASURES}


class FiguresSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """Empty until the run is done."""

    all = MeasuresSerializer(required=False, help_text="Over all queries.")
    pairs = serializers.DictField(
        child=MeasuresSerializer(), required=False, help_text="By language of query and answer, such as `en>zh`."
    )


class EvaluationRequestSerializer(Asking):
    """How a collection is measured. Null is as good as leaving a field out."""

    space = serializers.UUIDField(
        required=False, help_text="Another space than the one that is served; for managers of the collection."
    )

    rerank = serializers.BooleanField(
        required=False,
        default=None,
        help_text="In the order of the reranker, or as found; by default in the reranker's where one is set up.",
    )

    def reranked(self) -> bool:
        asked: bool | None = self.validated_data["rerank"]
        return reranking.is_configured() if asked is None else asked

    def space_id(self) -> UUID | None:
        found: UUID | None = self.validated_data.get("space")
        return found


class EvaluationRunSerializer(serializers.ModelSerializer):  # type: ignore[type-arg]
    started_by = serializers.CharField(source="started_by.username", allow_null=True, default=None)
    space = serializers.UUIDField(source="space_id", allow_null=True)
    figures = FiguresSerializer()

    class Meta:
        model = EvaluationRun
        fields = [
            "id", "state", "detail", "space", "space_name", "reranker", "settings", "queries", "unmeasured", "figures",
            "started_by", "created_at", "started_at", "finished_at",
        ]  # fmt: skip
        read_only_fields = fields
