"""The REST API of collections and documents. Views decode, call one function, and answer."""

from collections.abc import Sequence
from typing import Any, cast

from django.db.models import Count, QuerySet
from django.http import FileResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import APIException, PermissionDenied
from rest_framework.parsers import FormParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle

from embeddings import spaces
from kb import ingestion, language, originals, previews, uploads
from kb.models import Chunk, Collection, Document, State, User
from kb.parsers import JSONParser
from kb.serializers import (
    ORDERINGS,
    ChunkingPreviewRequestSerializer,
    ChunkingPreviewSerializer,
    ChunkSerializer,
    CollectionSerializer,
    DocumentListQuery,
    DocumentSerializer,
    RevisionUploadSerializer,
    UploadSerializer,
    check_sizes,
)
from kb.throttling import Throttle


class Unpreviewable(APIException):
    """A document that takes too long for a preview."""

    status_code = 422


class Unready(APIException):
    """The server cannot read a file just now."""

    status_code = 503


class CollectionViewSet(viewsets.ModelViewSet):  # type: ignore[type-arg]
    """Collections that the caller may see."""

    serializer_class = CollectionSerializer
    http_method_names = ["get", "post", "patch", "delete", "head", "options"]
    lookup_value_converter = "uuid"
    queryset = Collection.objects.none()

    @property
    def write_scope(self) -> str:
        """Changing or deleting a collection takes more than adding to it."""
        return "manage" if self.action in ("partial_update", "destroy") else "write"

    def get_throttles(self) -> list[BaseThrottle]:
        if self.action == "chunking_preview":
            return [Throttle("preview")]
        return [Throttle("upload")] if self.action == "documents" and self.request.method == "POST" else []

    def get_queryset(self) -> QuerySet[Collection]:
        visible = Collection.objects.visible_to(self.request.user).select_related("owner", "active_space")
        return visible.annotate(document_count=Count("documents", distinct=True))

    def perform_create(self, serializer: serializers.BaseSerializer[Collection]) -> None:
        _refuse_limited_token(self.request)
        serializer.save(owner=self.request.user, active_space=spaces.current())

    def perform_update(self, serializer: serializers.BaseSerializer[Collection]) -> None:
        self._must_manage(serializer.instance)  # type: ignore[arg-type]
        serializer.save()

    def perform_destroy(self, instance: Collection) -> None:
        self._must_manage(instance)
        ingestion.remove_collection(instance)

    @extend_schema(
        methods=["get"],
        parameters=[
            OpenApiParameter("state", str, enum=State.values),
            OpenApiParameter("tag", str, many=True),
            OpenApiParameter("language", str),
            OpenApiParameter("q", str, description="Part of the title or file name."),
            OpenApiParameter("ordering", str, enum=list(ORDERINGS)),
        ],
        responses=DocumentSerializer(many=True),
    )
    @extend_schema(
        methods=["post"],
        request={"multipart/form-data": UploadSerializer},
        responses={
            202: DocumentSerializer,
            200: OpenApiResponse(DocumentSerializer, description="The same bytes were here already."),
        },
    )
    @action(detail=True, methods=["get", "post"], parser_classes=[MultiPartParser, FormParser], serializer_class=None)
    def documents(self, request: Request, pk: Any = None) -> Response:
        collection = self.get_object()
        return self._receive(request, collection) if request.method == "POST" else self._list(request, collection)

    def _receive(self, request: Request, collection: Collection) -> Response:
        if not Collection.objects.writable_by(request.user).filter(pk=collection.pk).exists():
            raise PermissionDenied(_("You may read this collection, but not add to it."))
        fields = UploadSerializer(data=_form(request))
        fields.is_valid(raise_exception=True)
        given = fields.validated_data
        file = given.pop("file")
        receipt = ingestion.receive(collection, file, file.name, user=_person(request), **given)
        return _answer(receipt.document, status=202 if receipt.created else 200)

    def _list(self, request: Request, collection: Collection) -> Response:
        asked = DocumentListQuery(data=_parameters(request, lists=("tag",)))
        asked.is_valid(raise_exception=True)
        wanted = asked.validated_data
        found = Document.objects.filter(collection=collection).shown_like(
            state=wanted.get("state", ""),
            tags=wanted.get("tag", ()),
            language=language.primary(wanted.get("language", "")),
            text=wanted.get("q", ""),
        )
        self.paginator.ordering = ORDERINGS[wanted["ordering"]]  # type: ignore[union-attr]
        page = self.paginate_queryset(found.with_revisions())
        return self.get_paginated_response(DocumentSerializer(page, many=True).data)

    @extend_schema(
        request=ChunkingPreviewRequestSerializer,
        responses={
            200: ChunkingPreviewSerializer,
            422: OpenApiResponse(description="The document is too long for a preview, or cannot be read."),
            503: OpenApiResponse(description="The server cannot read files just now."),
        },
    )
    @action(detail=True, methods=["post"], url_path="chunking-preview")
    def chunking_preview(self, request: Request, pk: Any = None) -> Response:
        """What other settings would make of a document, beside what it is today. Nothing is kept."""
        collection = self.get_object()
        self._must_manage(collection)
        asked = ChunkingPreviewRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        given = dict(asked.validated_data)
        documents = Document.objects.filter(collection=collection).with_revisions()
        document = get_object_or_404(documents, pk=given.pop("document"))
        check_sizes(given, collection)
        for name, value in given.items():
            setattr(collection, name, value)
        try:
            return Response(ChunkingPreviewSerializer(previews.of(document, collection)).data)
        except previews.TooLong as why:
            raise Unpreviewable(str(why)) from why
        except previews.Busy as why:
            raise Unready(str(why)) from why

    def _must_manage(self, collection: Collection) -> None:
        if not Collection.objects.managed_by(self.request.user).filter(pk=collection.pk).exists():
            raise PermissionDenied(_("Only the owner and managers of a collection may change or delete it."))


class DocumentViewSet(
    mixins.RetrieveModelMixin, mixins.UpdateModelMixin, mixins.DestroyModelMixin, viewsets.GenericViewSet[Document]
):
    """Documents of the collections that the caller may see."""

    serializer_class = DocumentSerializer
    http_method_names = ["get", "post", "patch", "delete", "head", "options"]
    lookup_value_converter = "uuid"
    queryset = Document.objects.none()
    parser_classes = [JSONParser]

    def get_throttles(self) -> list[BaseThrottle]:
        return [Throttle("upload")] if self.action == "revisions" else []

    def get_queryset(self) -> QuerySet[Document]:
        return Document.objects.visible_to(self.request.user).with_shown().with_revisions()

    def perform_update(self, serializer: serializers.BaseSerializer[Document]) -> None:
        self._must_write(serializer.instance)  # type: ignore[arg-type]
        serializer.save()

    def perform_destroy(self, instance: Document) -> None:
        self._must_write(instance)
        ingestion.remove(Document.objects.filter(pk=instance.pk))

    @extend_schema(request={"multipart/form-data": RevisionUploadSerializer}, responses={202: DocumentSerializer})
    @action(detail=True, methods=["post"], parser_classes=[MultiPartParser, FormParser])
    def revisions(self, request: Request, pk: Any = None) -> Response:
        document = self._writable()
        fields = RevisionUploadSerializer(data=_form(request))
        fields.is_valid(raise_exception=True)
        file = fields.validated_data["file"]
        ingestion.receive_revision(document, file, file.name, user=_person(request))
        return _answer(document, status=202)

    @extend_schema(request=None, responses={202: DocumentSerializer})
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: Any = None) -> Response:
        document = self._writable()
        ingestion.retry(document)
        return _answer(document, status=202)

    @extend_schema(request=None, responses={202: DocumentSerializer})
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: Any = None) -> Response:
        document = self._writable()
        ingestion.cancel(document)
        return _answer(document, status=202)

    @extend_schema(
        parameters=[OpenApiParameter("revision", int, description="Its number; the one shown, if left out.")],
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
    )
    @action(detail=True, methods=["get"])
    def file(self, request: Request, pk: Any = None) -> FileResponse:
        document = self.get_object()
        number = request.query_params.get("revision", str(document.shown.number))
        if not number.isascii() or not number.isdigit() or len(number) > 9:
            raise serializers.ValidationError({"revision": [_("This must be a whole number.")]})
        return originals.response(get_object_or_404(document.revisions, number=int(number)))

    @extend_schema(responses=ChunkSerializer(many=True))
    @action(detail=True, methods=["get"])
    def chunks(self, request: Request, pk: Any = None) -> Response:
        document = self.get_object()
        self.paginator.ordering = ("ordinal",)  # type: ignore[union-attr]
        found = Chunk.objects.filter(revision=document.shown).defer("lexemes")
        page = self.paginate_queryset(found)  # type: ignore[arg-type]
        return self.get_paginated_response(ChunkSerializer(page, many=True).data)  # type: ignore[arg-type]

    def _writable(self) -> Document:
        document = self.get_object()
        self._must_write(document)
        return document

    def _must_write(self, document: Document) -> None:
        if not Document.objects.writable_by(self.request.user).filter(pk=document.pk).exists():
            raise PermissionDenied(_("You may read this document, but not change it."))


def _answer(document: Document, *, status: int) -> Response:
    fresh = Document.objects.with_shown().with_revisions().get(pk=document.pk)
    return Response(DocumentSerializer(fresh).data, status=status)


def _person(request: Request) -> User:
    """Who asks; the permission class let nobody else through."""
    return cast(User, request.user)


def _form(request: Request) -> dict[str, Any]:
    """A multipart form as plain values: lists where the field repeats by nature."""
    data: Any = request.data
    if len(list(uploads.uploaded(request))) > 1:  # raises when a limit cut the upload off
        raise serializers.ValidationError({"file": [_("One file at a time.")]})
    form: dict[str, Any] = {name: data.get(name) for name in data if name != "tags"}
    if "tags" in data:
        form["tags"] = data.getlist("tags") if hasattr(data, "getlist") else data["tags"]
    return form


def _parameters(request: Request, *, lists: Sequence[str]) -> dict[str, Any]:
    """The parameters of an address as plain values."""
    sent = request.query_params
    return {name: sent.getlist(name) if name in lists else sent[name] for name in sent}


def _refuse_limited_token(request: Request) -> None:
    """A token that reaches only some collections must not make one: it could not reach what it made."""
    token = getattr(request.user, "access_token", None)
    if token is not None and token.limited:
        raise PermissionDenied(_("This token is limited to some collections and cannot make another."))
