"""The JSON shapes of a search (API, `/api/v1/search/`)."""

import base64
import struct
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from rest_framework import serializers

from embeddings import reranking
from kb.serializers import Asking, MetadataField, Strict
from search import highlights
from search.fields import CodeField
from search.hits import GROUPS, MODES, Answer, Citation, Cursor, Hit, Neighbour, Query
from search.shape import DEEPEST

_SEALED = struct.Struct(">Hdd16s?")
"""A Cursor: the fields in their order."""


def _unsealed(given: str) -> Cursor:
    try:
        rank, order, fused, chunk_id, reranked = _SEALED.unpack(base64.urlsafe_b64decode(given))
    except (ValueError, struct.error) as error:
        raise serializers.ValidationError(_("This is not a cursor that an answer gave.")) from error
    if rank >= DEEPEST:
        raise serializers.ValidationError(_("This is not a cursor that an answer gave."))
    return Cursor(rank, order, fused, UUID(bytes=chunk_id), reranked)


def _sealed(cursor: Cursor | None) -> str | None:
    if cursor is None:
        return None
    fields = cursor.rank, cursor.order, cursor.fused, cursor.chunk_id.bytes, cursor.reranked
    return base64.urlsafe_b64encode(_SEALED.pack(*fields)).decode()


class QuerySerializer(Asking):
    """What a search is asked. Null is as good as leaving a field out."""

    query = serializers.CharField(
        max_length=4000,
        required=False,
        help_text='Words; passages with -words are left out. "Words in quotes" must stand together by words alone and '
        "where nothing else is asked; beside other words they weigh much. Not needed with `like`.",
    )
    collections = serializers.ListField(child=serializers.CharField(max_length=80), max_length=100, required=False)
    documents = serializers.ListField(child=serializers.UUIDField(), max_length=100, required=False)
    limit = serializers.IntegerField(min_value=1, max_value=100, default=10)
    mode = serializers.ChoiceField(choices=MODES, default="hybrid")
    languages = serializers.ListField(
        child=CodeField(),
        max_length=50,
        required=False,
        help_text="Of the passages, by their codes: `en`, `zh`. A region (`pt-BR`) is left out of account.",
    )
    tags = serializers.ListField(child=serializers.CharField(max_length=100), max_length=50, required=False)
    metadata = MetadataField(required=False, help_text="A JSON object that a document's metadata must contain.")
    media_types = serializers.ListField(child=serializers.CharField(max_length=100), max_length=20, required=False)
    created_after = serializers.DateTimeField(required=False)
    created_before = serializers.DateTimeField(required=False)
    rerank = serializers.BooleanField(
        required=False,
        default=None,
        help_text="Let the reranker order the first passages; by default where one is set up, but for words alone.",
    )
    balance_languages = serializers.BooleanField(
        required=False,
        default=None,
        help_text="Centre embeddings by language. Left out, the collections say: by default where there are several.",
    )
    min_score = serializers.FloatField(
        min_value=0, max_value=1, required=False, help_text="The least chance of answering that a hit may have."
    )
    like = serializers.UUIDField(required=False, help_text="A passage: what says something similar is looked for.")
    group = serializers.ChoiceField(
        choices=GROUPS,
        default="passage",
        help_text="With `document`, a document is one hit, and up to three further ones of it are its `more`.",
    )
    context = serializers.IntegerField(  # type: ignore[assignment]  # as `label` below
        min_value=0, max_value=5, default=0, help_text="So many passages on either side of each hit come along."
    )
    folding = serializers.BooleanField(default=True, help_text="Passages that say the same are one hit.")
    highlights = serializers.ChoiceField(
        choices=("terms", "sentences"),
        default="terms",
        help_text="With `sentences`, also the sentences that answer, of the first "
        f"{highlights.MOST_PASSAGES} passages, as many as the encoder reads within a second.",
    )
    cursor = serializers.CharField(max_length=64, required=False, help_text="The next_cursor of the page before.")

    def validate_cursor(self, given: str | None) -> Cursor | None:
        return _unsealed(given) if given else None

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        if "query" not in given and "like" not in given:
            raise serializers.ValidationError({"query": [_("Say what you are looking for.")]})
        if given.get("query") and "like" in given:
            raise serializers.ValidationError({"like": [_("Ask with words or with a passage, not with both.")]})
        after, before = given.get("created_after"), given.get("created_before")
        if after and before and after > before:
            raise serializers.ValidationError({"created_before": [_("This is earlier than created_after.")]})
        if given["rerank"] and "like" in given:
            raise serializers.ValidationError({"rerank": [_("A reranker is asked with words, not with a passage.")]})
        return given

    def validate_rerank(self, wanted: bool | None) -> bool | None:
        if wanted and not reranking.is_configured():
            raise serializers.ValidationError(_("There is no reranker here: RERANKER_MODEL or RERANKER_URL names one."))
        return wanted

    def to_query(self) -> Query:
        """The checked query."""
        given = dict(self.validated_data)
        given.pop("highlights")
        text, after = given.pop("query", ""), given.pop("cursor", None)
        given["documents"] = [str(document) for document in given.get("documents", ())]
        values: dict[str, Any] = {name: _fixed(value) for name, value in given.items()}
        return Query(text, after=after, **values)


def _fixed(value: Any) -> Any:
    """Lists as tuples: a query does not change once it is made."""
    return tuple(value) if isinstance(value, list) else value


class HighlightsQuerySerializer(Strict):
    """Which passages to look at once more."""

    query = serializers.CharField(max_length=4000)
    passages = serializers.ListField(child=serializers.UUIDField(), min_length=1, max_length=highlights.MOST_PASSAGES)


class SentencesSerializer(serializers.Serializer):  # type: ignore[type-arg]
    sentences = serializers.DictField(
        child=serializers.ListField(child=serializers.ListField(child=serializers.IntegerField())),
        help_text="By passage, the ranges of the sentences that answer, as far as the encoder was fast enough.",
    )


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
    rerank = serializers.FloatField(allow_null=True, help_text="Null for passages that no reranker has read.")


class NeighbourSerializer(serializers.Serializer):  # type: ignore[type-arg]
    id = serializers.UUIDField()
    text = serializers.CharField()
    chars = serializers.ListField(child=serializers.IntegerField(), min_length=2, max_length=2)


class ContextSerializer(serializers.Serializer):  # type: ignore[type-arg]
    before = NeighbourSerializer(many=True)
    after = NeighbourSerializer(many=True)


class PassageHitSerializer(serializers.Serializer):  # type: ignore[type-arg]
    rank = serializers.IntegerField()
    score = serializers.FloatField(
        help_text="The chance that the passage answers, 0 to 1: the reranker's own, or as measured on XQuAD."
    )
    scores = ScoresSerializer()
    text = serializers.CharField()
    highlights = serializers.ListField(child=serializers.ListField(child=serializers.IntegerField()))
    language = serializers.CharField()
    citation = CitationSerializer()


class HitSerializer(PassageHitSerializer):
    folded = serializers.IntegerField(help_text="Passages left out below this one because they say the same.")
    context = ContextSerializer(  # type: ignore[assignment]
        required=False, help_text="Where `context` was asked for."
    )
    more = PassageHitSerializer(many=True, required=False, help_text="Where hits are grouped by document.")
    sentences = serializers.ListField(
        child=serializers.ListField(child=serializers.IntegerField()),
        required=False,
        help_text="Ranges of the sentences that answer, where they were asked for; empty where there was no time.",
    )


class AnswerSerializer(serializers.Serializer):  # type: ignore[type-arg]
    query = serializers.CharField()
    took_ms = serializers.FloatField()
    mode = serializers.ChoiceField(choices=MODES)
    degraded = serializers.CharField(help_text="Empty, or why this is less than what was asked for.")
    notices = serializers.ListField(
        child=serializers.CharField(),
        help_text="A sentence for each collection, document and media type that was named and is not there for the "
        "caller: the answer is what the others have.",
    )
    reranked = serializers.BooleanField(
        help_text="The order is the reranker's. Where it was to be and is not, `degraded` says why."
    )
    nothing_good = serializers.BooleanField(help_text="No passage is likely to answer.")
    hits = HitSerializer(many=True)
    next_cursor = serializers.CharField(allow_null=True)
    timings_ms = serializers.DictField(child=serializers.FloatField())


class PassageSerializer(serializers.Serializer):  # type: ignore[type-arg]
    text = serializers.CharField()
    language = serializers.CharField()
    citation = CitationSerializer()
    superseded = serializers.BooleanField(help_text="A newer revision of the document is live.")
    newer = serializers.CharField(
        allow_null=True,
        help_text="Where the same words stand in the live revision, with small changes perhaps, or the document, where "
        "most of them are gone; null where this one is not superseded.",
    )


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


def sentences_json(found: highlights.Ranges) -> dict[str, list[list[int]]]:
    """Ranges as SentencesSerializer describes them."""
    return {str(chunk_id): [list(span) for span in spans] for chunk_id, spans in found.items()}


def answer_json(answer: Answer, notices: Sequence[str] = ()) -> dict[str, Any]:
    """An answer as AnswerSerializer describes it."""
    return {
        "query": answer.query.text,
        "took_ms": answer.took_ms,
        "mode": answer.mode,
        "degraded": " ".join(why for why in (answer.degraded, answer.not_reranked) if why),
        "notices": list(notices),
        "reranked": answer.reranked,
        "nothing_good": answer.nothing_good,
        "hits": [_hit_json(answer.query, hit) for hit in answer.hits],
        "next_cursor": _sealed(answer.next),
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


def _hit_json(query: Query, hit: Hit) -> dict[str, Any]:
    body = {**_passage_hit_json(hit), "folded": hit.folded}
    if query.context:
        body["context"] = {"before": _neighbours_json(hit.before), "after": _neighbours_json(hit.after)}
    if query.group == "document":
        body["more"] = [_passage_hit_json(other) for other in hit.more]
    return body


def _neighbours_json(neighbours: Iterable[Neighbour]) -> list[dict[str, Any]]:
    return [{"id": str(one.id), "text": one.text, "chars": list(one.chars)} for one in neighbours]


def _passage_hit_json(hit: Hit) -> dict[str, Any]:
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
