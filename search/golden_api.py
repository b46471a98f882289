"""The REST API of golden queries and evaluation runs, below their collection."""

from typing import cast
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.http import FileResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from kb import uploads
from kb.models import Collection, User
from search import exchange, formats, golden, runs
from search.golden_serializers import (
    EvaluationRequestSerializer,
    EvaluationRunSerializer,
    GoldenQuerySerializer,
    ImportedSerializer,
    ImportSerializer,
)
from search.models import EvaluationRun, GoldenQuery

_DEFAULT_FORM = "jsonl"


class _OfCollection(viewsets.GenericViewSet):  # type: ignore[type-arg]
    """What stands below a collection that the caller may see."""

    def collection(self) -> Collection:
        visible = Collection.objects.visible_to(self.request.user).select_related("active_space")
        return get_object_or_404(visible, pk=self.kwargs["collection_id"])

    def writable_collection(self) -> Collection:
        collection = self.collection()
        if not Collection.objects.writable_by(self.request.user).filter(pk=collection.pk).exists():
            raise PermissionDenied(_("You may read this collection, but not add to it."))
        return collection

    def person(self) -> User:
        """Who asks; the permission class let nobody else through."""
        return cast(User, self.request.user)

    def list(self, request: Request, collection_id: UUID) -> Response:
        self.collection()
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(self.get_serializer(page, many=True).data)


class GoldenViewSet(_OfCollection):
    """Golden queries of a collection: questions of which it is known what answers them."""

    serializer_class = GoldenQuerySerializer
    queryset = GoldenQuery.objects.none()

    def get_queryset(self) -> QuerySet[GoldenQuery]:
        visible = GoldenQuery.objects.visible_to(self.request.user).filter(collection=self.kwargs["collection_id"])
        return visible.select_related("created_by").prefetch_related("judgements__revision")

    def retrieve(self, request: Request, collection_id: UUID, golden_id: UUID) -> Response:
        return Response(self.get_serializer(get_object_or_404(self.get_queryset(), pk=golden_id)).data)

    @extend_schema(responses={201: GoldenQuerySerializer})
    def create(self, request: Request, collection_id: UUID) -> Response:
        collection = self.writable_collection()
        told = GoldenQuerySerializer(data=request.data, context={"collection": collection})
        told.is_valid(raise_exception=True)
        query, judgements = told.to_golden_query()
        golden.add(self.person(), query, judgements)
        return Response(self.get_serializer(self.get_queryset().get(pk=query.pk)).data, status=201)

    def destroy(self, request: Request, collection_id: UUID, golden_id: UUID) -> Response:
        collection = self.writable_collection()
        with transaction.atomic():
            golden.hold(collection)
            get_object_or_404(self.get_queryset(), pk=golden_id).delete()
        return Response(status=204)

    @extend_schema(
        request={"multipart/form-data": ImportSerializer},
        responses={
            200: ImportedSerializer,
            400: OpenApiResponse(
                description="Nothing was imported; `errors.file` has a sentence with its line for each mistake."
            ),
        },
    )
    @action(detail=False, methods=["post"], url_path="import", parser_classes=[MultiPartParser])
    def bring_in(self, request: Request, collection_id: UUID) -> Response:
        """Import a file, all of it or nothing. A query that is there already is given what the file says of it."""
        collection = self.writable_collection()
        files = list(uploads.uploaded(request))
        if len(files) != 1:
            raise serializers.ValidationError({"file": [_("There must be one file.")]})
        try:
            imported = exchange.receive(self.person(), collection, files[0])
        except exchange.Mistaken as mistaken:
            raise serializers.ValidationError({"file": [str(one) for one in mistaken.mistakes]}) from mistaken
        return Response(ImportedSerializer(imported).data)

    @extend_schema(
        parameters=[OpenApiParameter("as", str, enum=list(formats.FORMATS), default=_DEFAULT_FORM)],
        responses={
            **{(200, one.media_type): OpenApiTypes.BINARY for one in formats.FORMATS.values()},
            400: OpenApiResponse(description="`as` names no form that there is."),
        },
    )
    @action(detail=False, methods=["get"], url_path="export")
    def write_out(self, request: Request, collection_id: UUID) -> FileResponse:
        """All of them as a file: CSV, JSON lines, or a zip in the form of BEIR or TREC."""
        collection = self.collection()
        form = request.query_params.get("as", _DEFAULT_FORM)
        if form not in formats.FORMATS:
            told = _("This must be one of these: %(forms)s.") % {"forms": ", ".join(formats.FORMATS)}
            raise serializers.ValidationError({"as": [told]})
        return exchange.download(collection, formats.FORMATS[form])


class EvaluationViewSet(_OfCollection):
    """Evaluation runs of a collection: how good its search was, by its golden queries."""

    serializer_class = EvaluationRunSerializer
    queryset = EvaluationRun.objects.none()

    def get_queryset(self) -> QuerySet[EvaluationRun]:
        visible = EvaluationRun.objects.visible_to(self.request.user).filter(collection=self.kwargs["collection_id"])
        return visible.select_related("started_by")

    def retrieve(self, request: Request, collection_id: UUID, run_id: UUID) -> Response:
        return Response(self.get_serializer(get_object_or_404(self.get_queryset(), pk=run_id)).data)

    @extend_schema(request=EvaluationRequestSerializer, responses={202: EvaluationRunSerializer})
    def create(self, request: Request, collection_id: UUID) -> Response:
        """Start a run, or join the one that is under way. It asks with what the caller may see."""
        collection = self.writable_collection()
        asked = EvaluationRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        space_id = asked.space_id()
        if space_id is not None:
            self._must_manage(collection)
        try:
            run = runs.start(self.person(), collection, space_id=space_id, reranked=asked.reranked())
        except runs.Unmeasurable as why:
            raise serializers.ValidationError({"space" if space_id else "collection": [str(why)]}) from why
        return Response(self.get_serializer(run).data, status=202)

    def _must_manage(self, collection: Collection) -> None:
        if not Collection.objects.managed_by(self.request.user).filter(pk=collection.pk).exists():
            raise PermissionDenied(_("Only the owner and managers of a collection may measure it in another space."))
