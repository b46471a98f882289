"""The JSON shapes of spaces and of a collection's way from one into another."""

from dataclasses import asdict
from typing import Any

import redis
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from embeddings import queries
from embeddings.models import Registration, Space
from kb import reembedding, spaces
from kb.models import Collection, Reembedding
from kb.serializers import CleanField, Strict


class UsingCollectionSerializer(serializers.Serializer):  # type: ignore[type-arg]
    id = serializers.UUIDField()
    slug = serializers.CharField()
    name = serializers.CharField()


class IndexSerializer(serializers.Serializer):  # type: ignore[type-arg]
    kind = serializers.CharField()
    size = serializers.IntegerField(help_text="Bytes.")
    built = serializers.FloatField(allow_null=True, help_text="While it is being built: how far, 0 to 1.")
    phase = serializers.CharField(help_text="While it is being built: what Postgres is at.")


class SpaceSerializer(Strict, serializers.ModelSerializer):  # type: ignore[type-arg]
    """A space. Where the model lies and how much is in it is shown to staff; the collections to who may see them."""

    query_fingerprint = serializers.CharField(
        read_only=True, help_text="Of queries without an instruction of their own; a collection has that of its own."
    )
    served = serializers.SerializerMethodField(help_text="Whether a process answers for it now.")
    collections = serializers.SerializerMethodField()
    embeddings = serializers.SerializerMethodField()
    indexes = serializers.SerializerMethodField()

    class Meta:
        model = Space
        fields = [
            "id", "name", "model", "url", "fingerprint", "dtype", "dimensions", "pooling", "query_prompt",
            "query_fingerprint", "passage_prompt", "max_tokens", "storage", "served", "collections", "embeddings",
            "indexes", "created_at",
        ]  # fmt: skip
        read_only_fields = [name for name in fields if name != "storage"]

    def to_representation(self, instance: Space) -> dict[str, Any]:
        shown = super().to_representation(instance)
        if not self._for_staff():
            shown |= {"model": None, "url": None}
        return shown

    def get_served(self, space: Space) -> bool:
        try:
            return queries.is_answering(space.pk)
        except redis.RedisError:
            return False

    @extend_schema_field(UsingCollectionSerializer(many=True))
    def get_collections(self, space: Space) -> list[dict[str, Any]]:
        visible = Collection.objects.visible_to(self.context["request"].user)
        return [dict(UsingCollectionSerializer(one).data) for one in visible.filter(pk__in=spaces.users_of(space))]

    def get_embeddings(self, space: Space) -> int | None:
        return spaces.count(space) if self._for_staff() else None

    @extend_schema_field(IndexSerializer(many=True, allow_null=True))
    def get_indexes(self, space: Space) -> list[dict[str, Any]] | None:
        return [dict(IndexSerializer(one).data) for one in spaces.indexes(space)] if self._for_staff() else None

    def _for_staff(self) -> bool:
        return bool(self.context["request"].user.is_staff)


class RegistrationSerializer(Strict, serializers.ModelSerializer):  # type: ignore[type-arg]
    """A space that is asked for by the name of its model."""

    model = CleanField(max_length=300)
    dimensions = serializers.IntegerField(min_value=2, max_value=4000, required=False, allow_null=True)

    class Meta:
        model = Registration
        fields = ["id", "model", "dimensions", "dtype", "storage", "state", "detail", "space", "created_at"]
        read_only_fields = ["id", "state", "detail", "space", "created_at"]


class StartSerializer(Strict):
    """The space to go into."""

    space = serializers.PrimaryKeyRelatedField(queryset=Space.objects.all())


class HowFarSerializer(serializers.Serializer):  # type: ignore[type-arg]
    done = serializers.IntegerField(help_text="Passages.")
    total = serializers.IntegerField()
    percent = serializers.IntegerField()
    rate = serializers.FloatField(allow_null=True, help_text="Passages a second since it was last resumed.")
    eta_seconds = serializers.IntegerField(allow_null=True)
    index = IndexSerializer(allow_null=True, help_text="The new space's, while it is built after all passages.")


class NamedSpaceSerializer(serializers.ModelSerializer[Space]):
    class Meta:
        model = Space
        fields = ["id", "name"]


class ReembeddingSerializer(serializers.ModelSerializer[Reembedding]):
    """A collection's way into another space."""

    source = NamedSpaceSerializer()  # type: ignore[assignment]  # a field of ours named as an attribute of theirs
    target = NamedSpaceSerializer()
    started_by = serializers.CharField(source="started_by.username", default=None)
    progress = serializers.SerializerMethodField()
    actions = serializers.SerializerMethodField(help_text="What leads on from here.")

    class Meta:
        model = Reembedding
        fields = [
            "id", "state", "actions", "detail", "source", "target", "progress", "started_by", "created_at",
            "embedded_at", "switched_at", "ended_at",
        ]  # fmt: skip

    @extend_schema_field(HowFarSerializer)
    def get_progress(self, one: Reembedding) -> dict[str, Any]:
        progress, index = reembedding.progress_of(one), reembedding.index_of(one)
        return dict(HowFarSerializer({**asdict(progress), "percent": progress.percent, "index": index}).data)

    @extend_schema_field(serializers.ListField(child=serializers.ChoiceField(choices=[*reembedding.ACTIONS])))
    def get_actions(self, one: Reembedding) -> list[str]:
        return [*reembedding.offered(one)]
