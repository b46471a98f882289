"""The JSON shapes of a search (API, `/api/v1/search/`)."""

from typing import Any

from rest_framework import serializers

from kb.serializers import Strict
from search.hits import MODES, Answer, Citation, Hit, Query

DEEPEST = 190
"""How far pages go: the two searches bring 200 candidates each, so what stands beyond would be arbitrary."""


class QuerySerializer(Strict):
    """What a search is asked."""

    query = serializers.CharField(max_length=4000)
    collections = serializers.ListField(child=serializers.CharField(max_length=80), max_length=100, required=False)
    limit = serializers.IntegerField(min_value=1, max_value=100, default=10)
    mode = serializers.ChoiceField(choices=MODES, default="hybrid")
    languages = serializers.ListField(child=serializers.CharField(max_length=8), max_length=50, required=False)
    tags = serializers.ListField(child=serializers.CharField(max_length=100), max_length=50, required=False)
    media_types = serializers.ListField(child=serializers.CharField(max_length=100), max_length=20, required=False)
    created_after = serializers.DateTimeField(required=False)
    created_before = serializers.DateTimeField(required=False)
    rerank = serializers.BooleanField(required=False, help_text="There is no reranker yet: only false is taken.")
    balance_languages = serializers.BooleanField(
        required=False,
        allow_null=True,
        default=None,
        help_text="Centre embeddings by language; by default where a scope has passages in more than one.",
    )
    min_score = serializers.FloatField(min_value=0, max_value=1, required=False)
    cursor = serializers.RegexField(r"^\d{1,3}$", required=False, allow_null=True)

    def validate_rerank(self, wanted: bool) -> bool:
        if wanted:
            raise serializers.ValidationError("There is no reranker here.")
        return wanted

    def to_query(self) -> Query:
        """The checked query."""
        given = dict(self.validated_data)
        text, cursor, _rerank = given.pop("query"), given.pop("cursor", None), given.pop("rerank", None)
        values: dict[str, Any] = {name: _fixed(value) for name, value in given.items()}
        return Query(text, offset=min(int(cursor or 0), DEEPEST), **values)


def _fixed(value: Any) -> Any:
    """Lists as tuples: a query does not change once it is made."""
    return tuple(value) if isinstance(value, list) else value


class BoxSerializer(serializers.Serializer):  # type: ignore[type-arg]
    page = serializers.IntegerField()
    box = serializers.ListField(child=serializers.FloatField(), min_length=4, max_length=4)


class CitedDocumentSerializer(serializers.Serializer):  # type: ignore[type-arg]
    id = serializers.UUIDField()
    title = serializers.CharField()
    filename = serializers.CharField()
    media_type = serializers.CharField()


class CitedCollectionSerializer(serializers.Serializer):  # type: ignore[type-arg]
    id = serializers.UUIDField()
    slug = serializers.CharField()
    name = serializers.CharField()


class CitationSerializer(serializers.Serializer):  # type: ignore[type-arg]
    id = serializers.UUIDField()
    label = serializers.CharField()  # type: ignore[assignment]  # a field of ours named as an attribute of theirs
    document = CitedDocumentSerializer()
    collection = CitedCollectionSerializer()
    revision = serializers.IntegerField()
    heading_path = serializers.ListField(child=serializers.CharField())
    pages = serializers.ListField(child=serializers.IntegerField(), allow_null=True)
    boxes = BoxSerializer(many=True)
    slides = serializers.ListField(child=serializers.IntegerField(), allow_null=True)
    sheets = serializers.ListField(child=serializers.IntegerField(), allow_null=True)
    rows = serializers.ListField(child=serializers.IntegerField(), allow_null=True, help_text="Of the sheet.")
    chapters = serializers.ListField(child=serializers.IntegerField(), allow_null=True)
    chars = serializers.ListField(child=serializers.IntegerField())
    url = serializers.CharField()


class ScoresSerializer(serializers.Serializer):  # type: ignore[type-arg]
    semantic = serializers.FloatField(allow_null=True)
    lexical = serializers.FloatField(allow_null=True)
    fused = serializers.FloatField()
    rerank = serializers.FloatField(allow_null=True)


class HitSerializer(serializers.Serializer):  # type: ignore[type-arg]
    rank = serializers.IntegerField()
    score = serializers.FloatField()
    scores = ScoresSerializer()
    text = serializers.CharField()
    highlights = serializers.ListField(child=serializers.ListField(child=serializers.IntegerField()))
    language = serializers.CharField()
    citation = CitationSerializer()


class AnswerSerializer(serializers.Serializer):  # type: ignore[type-arg]
    query = serializers.CharField()
    took_ms = serializers.FloatField()
    mode = serializers.ChoiceField(choices=MODES)
    degraded = serializers.CharField(help_text="Empty, or why this is less than what was asked for.")
    hits = HitSerializer(many=True)
    next_cursor = serializers.CharField(allow_null=True)
    timings_ms = serializers.DictField(child=serializers.FloatField())


class PassageSerializer(serializers.Serializer):  # type: ignore[type-arg]
    text = serializers.CharField()
    language = serializers.CharField()
    citation = CitationSerializer()
    superseded = serializers.BooleanField(help_text="A newer revision of the document is live.")


class AskedSerializer(serializers.Serializer):  # type: ignore[type-arg]
    question = serializers.CharField()
    overlap = serializers.FloatField(help_text="The share of the first ten passages that is the same.")
    before = serializers.BooleanField(help_text="Whether the space before finds the document the question is from.")
    after = serializers.BooleanField(help_text="Whether the new space does.")


class SampleSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """Means over questions taken from the collection itself."""

    overlap = serializers.FloatField()
    before = serializers.FloatField()
    after = serializers.FloatField()
    asked = AskedSerializer(many=True)


class MeasuredSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """An evaluation run."""

    id = serializers.UUIDField()
    space = serializers.UUIDField(source="space_id")
    state = serializers.CharField()
    detail = serializers.CharField()
    figures = serializers.DictField()


class ComparisonSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """Runs over the golden queries in the space before and the new one; or, without golden queries, a sample."""

    golden = MeasuredSerializer(many=True, allow_null=True)
    sample = SampleSerializer(allow_null=True)


def answer_json(answer: Answer) -> dict[str, Any]:
    """An answer as AnswerSerializer describes it."""
    reached = answer.query.offset + answer.query.limit
    return {
        "query": answer.query.text,
        "took_ms": answer.took_ms,
        "mode": answer.mode,
        "degraded": answer.degraded,
        "hits": [_hit_json(hit) for hit in answer.hits],
        "next_cursor": str(reached) if answer.has_more and reached <= DEEPEST else None,
        "timings_ms": answer.timings_ms,
    }


def citation_json(citation: Citation) -> dict[str, Any]:
    """A citation as CitationSerializer describes it."""
    return {
        "id": str(citation.id),
        "label": citation.label,
        "document": {
            "id": str(citation.document_id),
            "title": citation.document_title,
            "filename": citation.filename,
            "media_type": citation.media_type,
        },
        "collection": {
            "id": str(citation.collection_id),
            "slug": citation.collection_slug,
            "name": citation.collection_name,
        },
        "revision": citation.revision,
        "heading_path": citation.heading_path,
        "pages": citation.pages,
        "boxes": citation.boxes,
        "slides": citation.slides,
        "sheets": citation.sheets,
        "rows": citation.rows,
        "chapters": citation.chapters,
        "chars": list(citation.chars),
        "url": citation.url,
    }


def _hit_json(hit: Hit) -> dict[str, Any]:
    return {
        "rank": hit.rank,
        "score": hit.score,
        "scores": {
            "semantic": hit.scores.semantic,
            "lexical": hit.scores.lexical,
            "fused": hit.scores.fused,
            "rerank": hit.scores.rerank,
        },
        "text": hit.text,
        "highlights": [list(span) for span in hit.highlights],
        "language": hit.language,
        "citation": citation_json(hit.citation),
    }
