"""The JSON shapes of the knowledge base (API, `/api/v1/`)."""

import json
from contextlib import suppress
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.fields import SkipField

from embeddings import instructions
from kb.models import Chunk, Collection, Document, Domain, Revision, State
from kb.models.collection import LARGEST, SMALLEST
from kb.models.document import UNFINISHED
from kb.parsers import DEPTH, is_too_deep
from kb.reading import text

ORDERINGS = {
    "-created_at": ("-created_at", "-id"),
    "created_at": ("created_at", "id"),
    "title": ("title", "id"),
    "-title": ("-title", "-id"),
    "-updated_at": ("-updated_at", "-id"),
    "updated_at": ("updated_at", "id"),
}
"""How a list of documents may be ordered, and by which columns: never by one alone, so that pages do not overlap."""


class Strict(serializers.Serializer):  # type: ignore[type-arg]
    """Refuses fields it does not know: a misspelt one must not be silently ignored."""

    def to_internal_value(self, data: Any) -> Any:
        writable = {name for name, field in self.fields.items() if not field.read_only}
        unknown = set(data) - writable if hasattr(data, "keys") else set()
        if unknown:
            raise serializers.ValidationError({str(name): [self._refusal(name)] for name in sorted(unknown, key=str)})
        return super().to_internal_value(data)

    def _refusal(self, name: object) -> str:
        return _("This field cannot be set.") if name in self.fields else _("There is no such field.")


class Asking(Strict):
    """Null is as good as leaving out a field that need not be given: some programs always send all fields."""

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        for field in fields.values():
            field.allow_null = field.allow_null or not field.required
        return fields

    def to_internal_value(self, data: Any) -> Any:
        told = super().to_internal_value(data)
        for field in self.fields.values():
            if field.source in told and told[field.source] is None:
                del told[field.source]
                with suppress(SkipField):
                    told[field.source] = field.get_default()
        return told


class CleanField(serializers.CharField):
    """One line of clean text; what is blank once it is clean counts as blank."""

    def run_validation(self, data: Any = serializers.empty) -> Any:
        return super().run_validation(text.one_line(data) if isinstance(data, str) else data)


class TagsField(serializers.ListField):
    """Clean words, each once."""

    child = CleanField(max_length=100)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=50, **kwargs)

    def to_internal_value(self, data: Any) -> list[str]:
        return list(dict.fromkeys(super().to_internal_value(data)))


class MetadataField(serializers.JSONField):
    """A JSON object that Postgres can hold; in a multipart form, its text."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        try:
            value = json.loads(data) if isinstance(data, str) else data
            written = json.dumps(value, allow_nan=False, ensure_ascii=False)
            written.encode()
        except (ValueError, RecursionError):
            raise serializers.ValidationError(_("This is not JSON that can be kept.")) from None
        if not isinstance(value, dict):
            raise serializers.ValidationError(_("This must be a JSON object."))
        if is_too_deep(value):
            raise serializers.ValidationError(_("This is nested more than %(levels)s levels deep.") % {"levels": DEPTH})
        if "\\u0000" in written:
            raise serializers.ValidationError(_("NUL characters cannot be kept."))
        return value


class CollectionSerializer(Strict, serializers.ModelSerializer):  # type: ignore[type-arg]
    name = CleanField(max_length=200)
    description = CleanField(required=False, allow_blank=True)
    own_instruction = CleanField(required=False, allow_blank=True, max_length=instructions.LONGEST)
    owner = serializers.CharField(source="owner.username", read_only=True)
    documents = serializers.IntegerField(source="document_count", read_only=True, default=0)
    space = serializers.UUIDField(source="active_space_id", read_only=True)
    query_fingerprint = serializers.CharField(
        read_only=True, help_text="Of the space, its query prompt and the instruction: another one, other embeddings."
    )

    class Meta:
        model = Collection
        fields = [
            "id", "slug", "name", "description", "instruction_domain", "own_instruction", "balance_languages",
            "chunk_target", "chunk_maximum", "chunk_overlap", "ocr_languages", "reads_annotations", "owner",
            "documents", "space", "query_fingerprint", "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = ["id", "slug", "created_at", "updated_at"]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        before = self.instance or Collection()
        check_sizes(attrs, before)
        own = attrs.get("own_instruction", before.own_instruction)
        if attrs.get("instruction_domain", before.instruction_domain) == Domain.CUSTOM and not own:
            raise serializers.ValidationError({"own_instruction": [_("Say it in your own words, or choose a domain.")]})
        return attrs


def check_sizes(given: dict[str, Any], fallback: Collection) -> None:
    """Raises ValidationError when the sizes of passages, what is not given taken from `fallback`, cannot be."""
    target = given.get("chunk_target", fallback.chunk_target)
    maximum = given.get("chunk_maximum", fallback.chunk_maximum)
    if not SMALLEST <= target <= maximum <= LARGEST:
        said = f"{SMALLEST} <= chunk_target <= chunk_maximum <= {LARGEST}."
        raise serializers.ValidationError({"chunk_target": [said]})
    if given.get("chunk_overlap", fallback.chunk_overlap) > target / 2:
        raise serializers.ValidationError({"chunk_overlap": ["chunk_overlap <= chunk_target / 2."]})


class ChunkingPreviewRequestSerializer(Strict, serializers.ModelSerializer):  # type: ignore[type-arg]
    """A document of the collection, and the settings to try on it; what is left out is as it is today."""

    document = serializers.UUIDField()

    class Meta:
        model = Collection
        fields = [
            "document", "chunk_target", "chunk_maximum", "chunk_overlap", "ocr_languages", "reads_annotations",
        ]  # fmt: skip
        extra_kwargs = {"reads_annotations": {"required": False}}


class PreviewedPassageSerializer(serializers.Serializer):  # type: ignore[type-arg]
    number = serializers.IntegerField()
    text = serializers.CharField(source="whole")
    repeated = serializers.SerializerMethodField(help_text="Characters it shares with the passage before.")
    tokens = serializers.IntegerField()
    heading_path = serializers.ListField(child=serializers.CharField())
    anchor = serializers.DictField()

    def get_repeated(self, shown: Any) -> int:
        return len(shown.repeated)


class SplitSerializer(serializers.Serializer):  # type: ignore[type-arg]
    total = serializers.IntegerField()
    tokens = serializers.IntegerField()
    smallest = serializers.IntegerField()
    median = serializers.IntegerField()
    largest = serializers.IntegerField()
    passages = PreviewedPassageSerializer(many=True)


class BarSerializer(serializers.Serializer):  # type: ignore[type-arg]
    begin = serializers.IntegerField()
    end = serializers.IntegerField()
    today = serializers.IntegerField()
    tried = serializers.IntegerField()


class ChunkingPreviewSerializer(serializers.Serializer):  # type: ignore[type-arg]
    document = serializers.UUIDField(source="document.pk")
    today = SplitSerializer()
    tried = SplitSerializer()
    bars = BarSerializer(many=True)


class ProgressSerializer(serializers.Serializer):  # type: ignore[type-arg]
    step = serializers.CharField()
    done = serializers.IntegerField()
    total = serializers.IntegerField()


class FailureSerializer(serializers.Serializer):  # type: ignore[type-arg]
    reason = serializers.CharField()
    detail = serializers.CharField()


class WarningSerializer(serializers.Serializer):  # type: ignore[type-arg]
    code = serializers.CharField()
    detail = serializers.CharField()


class PendingRevisionSerializer(serializers.ModelSerializer[Revision]):
    class Meta:
        model = Revision
        fields = ["number", "state", "filename"]


class DocumentSerializer(Strict, serializers.ModelSerializer):  # type: ignore[type-arg]
    """A document of `Document.objects.with_shown()`, with its revisions fetched into `known_revisions`."""

    collection = serializers.UUIDField(source="collection_id", read_only=True)
    title = CleanField(max_length=500, required=False)
    tags = TagsField(required=False)
    metadata = MetadataField(required=False)
    filename = serializers.CharField(source="shown.filename", read_only=True)
    media_type = serializers.CharField(source="shown.media_type", read_only=True)
    size = serializers.IntegerField(source="shown.size", read_only=True)
    sha256 = serializers.CharField(source="shown.sha256", read_only=True)
    state = serializers.CharField(source="shown.state", read_only=True)
    language = serializers.CharField(source="shown.language", read_only=True)
    pages = serializers.IntegerField(source="shown.pages", read_only=True, allow_null=True)
    revision = serializers.IntegerField(source="shown.number", read_only=True)
    chunks = serializers.IntegerField(source="chunk_count", read_only=True)
    progress = serializers.SerializerMethodField()
    failure = serializers.SerializerMethodField()
    warnings = WarningSerializer(source="shown.warnings", many=True, read_only=True)
    pending_revision = serializers.SerializerMethodField()

    class Meta:
        model = Document
        fields = [
            "id", "collection", "title", "tags", "metadata", "filename", "media_type", "size", "sha256", "state",
            "progress", "failure", "warnings", "language", "pages", "chunks", "revision", "pending_revision",
            "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = ["id", "created_at", "updated_at"]

    @extend_schema_field(ProgressSerializer)
    def get_progress(self, document: Document) -> dict[str, Any]:
        shown = document.shown
        return {"step": shown.state, "done": shown.progress_done, "total": shown.progress_total}

    @extend_schema_field(FailureSerializer(allow_null=True))
    def get_failure(self, document: Document) -> dict[str, str] | None:
        shown = document.shown
        return {"reason": shown.reason, "detail": shown.detail} if shown.reason else None

    @extend_schema_field(PendingRevisionSerializer(allow_null=True))
    def get_pending_revision(self, document: Document) -> dict[str, Any] | None:
        """The newer revision that is on its way, or that failed, while the live one serves."""
        newest = document.newest
        if newest.number <= document.shown.number or newest.state not in (*UNFINISHED, "failed"):
            return None
        return dict(PendingRevisionSerializer(newest).data)


class UploadSerializer(Strict):
    file = serializers.FileField(allow_empty_file=True, max_length=1000)
    title = CleanField(max_length=500, required=False, allow_blank=True)
    tags = TagsField(required=False)
    metadata = MetadataField(required=False)


class RevisionUploadSerializer(Strict):
    file = serializers.FileField(allow_empty_file=True, max_length=1000)


class _SpanField(serializers.ListField):
    """The first and the last of what a file counts; null where it has none, as where the chunk is older than the
    count."""

    def __init__(self, help_text: str) -> None:
        super().__init__(child=serializers.IntegerField(), allow_null=True, default=None, help_text=help_text)


class AnchorSerializer(serializers.Serializer):  # type: ignore[type-arg]
    pages = _SpanField("Of a PDF.")
    boxes = serializers.ListField(child=serializers.DictField())
    lines = _SpanField("Of Markdown, HTML and text.")
    paragraphs = _SpanField("Of a Word or OpenDocument text, empty ones included; each row of a table is one.")
    slides = _SpanField("Of a presentation.")
    sheets = _SpanField("Of a workbook, by their tabs.")
    rows = _SpanField("Of the sheet.")
    chapters = _SpanField("Of a book, as many as its spine has documents.")


class ChunkSerializer(serializers.ModelSerializer[Chunk]):
    anchor = AnchorSerializer()
    chars = serializers.SerializerMethodField()

    class Meta:
        model = Chunk
        fields = ["id", "ordinal", "text", "heading_path", "kind", "language", "tokens", "chars", "anchor"]

    def get_chars(self, chunk: Chunk) -> list[int]:
        return [chunk.start, chunk.end]


class DocumentListQuery(Strict):
    """What a list of documents is asked for."""

    state = serializers.ChoiceField(choices=State.values, required=False)
    tag = serializers.ListField(child=serializers.CharField(max_length=100), required=False)
    language = serializers.CharField(max_length=8, required=False)
    q = serializers.CharField(max_length=500, required=False, allow_blank=True)
    ordering = serializers.ChoiceField(choices=list(ORDERINGS), default="-created_at")
    limit = serializers.CharField(required=False)
    cursor = serializers.CharField(required=False)
    count = serializers.CharField(required=False)
