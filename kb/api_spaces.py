"""The REST API of spaces, and of a collection's way from one into another."""

from typing import Any, cast
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import APIException, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from embeddings import registry
from embeddings.models import Registration, Space
from kb import reembedding, spaces
from kb.models import Collection, Reembedding, User
from kb.serializers_spaces import (
    ReembeddingSerializer,
    RegistrationSerializer,
    SpaceSerializer,
    StartSerializer,
)


class NotNow(APIException):
    """What is asked for does not fit the state that things are in."""

    status_code = 409


class SpaceViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.UpdateModelMixin, mixins.DestroyModelMixin,
    viewsets.GenericViewSet[Space],
):  # fmt: skip
    """The registry of spaces. Everybody signed in may look: a space is chosen from it. Staff may add and delete."""

    serializer_class = SpaceSerializer
    http_method_names = ["get", "post", "patch", "delete", "head", "options"]
    lookup_value_converter = "uuid"
    queryset = Space.objects.order_by("-created_at", "-id")
    write_scope = "manage"

    @extend_schema(
        request=RegistrationSerializer,
        responses={
            201: OpenApiResponse(RegistrationSerializer, description="Done: the space is there."),
            202: OpenApiResponse(RegistrationSerializer, description="The model's files are read by a worker."),
        },
    )
    def create(self, request: Request) -> Response:
        """Add a space by naming its model. What is not known at once is looked at by a worker: ask again for the
        registration."""
        _must_be_staff(request)
        given = RegistrationSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        registration = cast(Registration, given.save())
        if not registry.is_quick(registration):
            return Response(RegistrationSerializer(registration).data, status=202)
        registry.work_out(registration)
        if registration.state == Registration.State.FAILED:
            raise serializers.ValidationError({"model": [registration.detail]})
        return Response(RegistrationSerializer(registration).data, status=201)

    @extend_schema(responses=RegistrationSerializer)
    @action(detail=False, url_path="registrations/<uuid:registration_id>")
    def registrations(self, request: Request, registration_id: UUID) -> Response:
        """What became of a space that was asked for."""
        _must_be_staff(request)
        return Response(RegistrationSerializer(get_object_or_404(Registration, pk=registration_id)).data)

    def perform_update(self, serializer: serializers.BaseSerializer[Space]) -> None:
        _must_be_staff(self.request)
        serializer.save()

    def perform_destroy(self, instance: Space) -> None:
        _must_be_staff(self.request)
        try:
            spaces.remove(instance)
        except spaces.InUse as why:
            raise NotNow(str(why)) from why


class ReembedView(APIView):
    """A collection's way into another space: the one under way, or the last there was."""

    write_scope = "manage"

    @extend_schema(responses=ReembeddingSerializer)
    def get(self, request: Request, pk: UUID) -> Response:
        return Response(ReembeddingSerializer(_last_of(_managed(request, pk))).data)

    @extend_schema(request=StartSerializer, responses={202: ReembeddingSerializer})
    def post(self, request: Request, pk: UUID) -> Response:
        """Embed the collection into another space, behind the one it is searched in."""
        collection = _managed(request, pk)
        asked = StartSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        try:
            started = reembedding.start(collection, asked.validated_data["space"], user=cast(User, request.user))
        except reembedding.Refused as why:
            raise NotNow(str(why)) from why
        return Response(ReembeddingSerializer(started).data, status=202)


class ReembedActionView(APIView):
    """`pause`, `resume`, `cancel`; once it is built `switch`; after that `roll-back` or `drop`."""

    write_scope = "manage"

    @extend_schema(
        operation_id="collections_reembed_act",
        request=None,
        responses={202: ReembeddingSerializer, 409: OpenApiResponse(description="Not now.")},
    )
    def post(self, request: Request, pk: UUID, act: str) -> Response:
        one = _last_of(_managed(request, pk))
        if act not in reembedding.ACTIONS:
            raise Http404
        try:
            reembedding.ACTIONS[act](one)
        except reembedding.Refused as why:
            raise NotNow(str(why)) from why
        return Response(ReembeddingSerializer(one).data, status=202)


def _managed(request: Request, pk: UUID) -> Collection:
    """The collection, which the caller must see, and manage."""
    collection = get_object_or_404(Collection.objects.visible_to(request.user), pk=pk)
    if not Collection.objects.managed_by(request.user).filter(pk=pk).exists():
        raise PermissionDenied(_("Only the owner and managers of a collection may re-embed it."))
    return collection


def _last_of(collection: Collection) -> Reembedding:
    found: QuerySet[Reembedding] = collection.reembeddings.select_related("source", "target", "started_by")
    one = found.first()
    if one is None:
        raise Http404
    return one


def _must_be_staff(request: Any) -> None:
    if not request.user.is_staff:
        raise PermissionDenied(_("Only staff may change the registry of spaces."))
