"""The console of the corpus, its people and the queue."""

from collections.abc import Callable
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.db.models import Count, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from kb import ingestion, wording
from kb.admin.rows import ReadOnly, ShownValues, Visible, Whole, Writable
from kb.admin.spaces import ReembeddingAdmin
from kb.models import (
    AccessToken,
    Chunk,
    Collection,
    Document,
    EmbeddingWork,
    LanguageMean,
    Membership,
    Reembedding,
    Revision,
    State,
    User,
)
from kb.models.document import DocumentQuerySet
from kb.reading.failures import Reason

admin.site.register(User, UserAdmin)


class MembershipInline(admin.TabularInline[Membership, Collection]):
    model = Membership
    autocomplete_fields = ("user", "group")
    extra = 0


@admin.register(Collection)
class CollectionAdmin(Whole, admin.ModelAdmin[Collection]):
    list_display = ("name", "owner", "documents_column", "instruction_domain", "active_space", "created_at")
    list_filter = ("instruction_domain", "balance_languages", "active_space")
    list_select_related = ("owner", "active_space")
    search_fields = ("name", "slug", "description", "owner__username")
    date_hierarchy = "created_at"
    autocomplete_fields = ("owner",)
    readonly_fields = ("active_space", "building_space", "previous_space", "created_at", "updated_at")
    inlines = (MembershipInline,)
    actions = ("reembed",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Collection]:
        return super().get_queryset(request).annotate(document_count=Count("documents"))

    @admin.display(description=_("documents"), ordering="document_count")
    def documents_column(self, collection: Collection) -> int:
        return cast(int, collection.document_count)  # type: ignore[attr-defined]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> Any:
        """With the way to its re-embedding."""
        collection = self.get_object(request, object_id)
        under_way = collection.reembeddings.open().first() if collection else None
        more = {"under_way": under_way, "may_reembed": self.has_reembed_permission(request)}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **more})

    @admin.action(description=_("Re-embed into another space"), permissions=["reembed"])
    def reembed(self, request: HttpRequest, queryset: QuerySet[Collection]) -> TemplateResponse:
        starting = cast(ReembeddingAdmin, self.admin_site.get_model_admin(Reembedding))
        return starting.ask(request, queryset)

    def has_reembed_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("kb.add_reembedding"))

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Collections are made on their own page, which gives them the space that is served now."""
        return False

    def delete_model(self, request: HttpRequest, obj: Collection) -> None:
        ingestion.remove_collection(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Collection]) -> None:
        for collection in queryset:
            ingestion.remove_collection(collection)


class StateFilter(admin.SimpleListFilter):
    """Documents by the state of the revision they are judged by."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(State.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(state=self.value()) if self.value() else queryset


class ReasonFilter(admin.SimpleListFilter):
    """Documents with a revision that failed for a reason."""

    title = _("reason")
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(reason.value, wording.reason_name(reason)) for reason in Reason]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(revisions__reason=self.value()).distinct() if self.value() else queryset


class RevisionInline(ReadOnly, admin.TabularInline[Revision, Document]):
    model = Revision
    fields = (
        "number",
        "filename",
        "media_type",
        "size",
        "state",
        "reason",
        "detail",
        "language",
        "pages",
        "created_at",
    )
    readonly_fields = fields
    show_change_link = True
    extra = 0


@admin.register(Document)
class DocumentAdmin(Writable, Whole, admin.ModelAdmin[Document]):
    list_display = (
        "title", "collection", "state_column", "reason_column", "kind_column", "language_column", "chunks_column",
        "created_at",
    )  # fmt: skip
    list_filter = (
        StateFilter, ReasonFilter, ("live_revision__media_type", ShownValues), ("live_revision__language", ShownValues),
        ("collection", admin.RelatedOnlyFieldListFilter),
    )  # fmt: skip
    list_select_related = ("collection",)
    list_per_page = 50
    search_fields = ("title", "revisions__filename", "=revisions__sha256")
    date_hierarchy = "created_at"
    fields = ("title", "collection", "tags", "metadata", "created_by", "created_at", "updated_at")
    readonly_fields = ("collection", "created_by", "created_at", "updated_at")
    inlines = (RevisionInline,)
    actions = ("retry", "reindex")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Document]:
        documents = cast(DocumentQuerySet, super().get_queryset(request)).with_shown().with_revisions()
        return documents.order_by(*self.get_ordering(request) or ("-created_at", "-id"))

    @admin.display(description=_("state"), ordering="state")
    def state_column(self, document: Document) -> str:
        return document.shown.get_state_display()

    @admin.display(description=_("reason"))
    def reason_column(self, document: Document) -> str | Promise:
        return wording.reason_name(document.newest.reason)

    @admin.display(description=_("Kind"))
    def kind_column(self, document: Document) -> str | Promise:
        return wording.kind(document.shown.media_type)

    @admin.display(description=_("language"))
    def language_column(self, document: Document) -> str:
        return document.shown.language

    @admin.display(description=_("chunks"), ordering="chunk_count")
    def chunks_column(self, document: Document) -> int:
        return cast(int, document.chunk_count)  # type: ignore[attr-defined]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A document comes with a file, by way of its collection's page."""
        return False

    def delete_model(self, request: HttpRequest, obj: Document) -> None:
        ingestion.remove(Document.objects.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Document]) -> None:
        ingestion.remove(Document.objects.filter(pk__in=queryset.values("pk")))

    @admin.action(description=_("Retry what failed or was cancelled"), permissions=["change"])
    def retry(self, request: HttpRequest, queryset: QuerySet[Document]) -> None:
        self._do(request, queryset, ingestion.retry)

    @admin.action(description=_("Read again (reindex)"), permissions=["change"])
    def reindex(self, request: HttpRequest, queryset: QuerySet[Document]) -> None:
        self._do(request, queryset, ingestion.reindex)

    def _do(self, request: HttpRequest, queryset: QuerySet[Document], act: Callable[[Document], bool]) -> None:
        documents = cast(DocumentQuerySet, queryset).writable_by(request.user)
        done = sum(act(document) for document in documents)
        told = ngettext("%(n)s document is being read.", "%(n)s documents are being read.", done) % {"n": done}
        self.message_user(request, told, messages.SUCCESS if done else messages.WARNING)


@admin.register(Revision)
class RevisionAdmin(Visible, ReadOnly, admin.ModelAdmin[Revision]):
    list_display = (
        "filename", "number", "document", "state", "reason", "media_type", "language", "pages", "attempts",
        "created_at",
    )  # fmt: skip
    list_filter = ("state", "reason", "media_type", "language")
    list_select_related = ("document",)
    search_fields = ("filename", "document__title", "=sha256")
    date_hierarchy = "created_at"


@admin.register(Chunk)
class ChunkAdmin(Visible, ReadOnly, admin.ModelAdmin[Chunk]):
    list_display = ("text_column", "document_column", "ordinal", "language", "tokens")
    list_filter = ("language",)
    list_select_related = ("revision__document",)
    search_fields = ("revision__document__title", "=id")
    show_full_result_count = False
    ordering = ("revision", "ordinal")
    exclude = ("lexemes",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Chunk]:
        return super().get_queryset(request).defer("lexemes")

    @admin.display(description=_("text"))
    def text_column(self, chunk: Chunk) -> str:
        return chunk.text[:80]

    @admin.display(description=_("document"))
    def document_column(self, chunk: Chunk) -> str:
        return chunk.revision.document.title


class TokenForm(forms.ModelForm[AccessToken]):
    scopes = forms.MultipleChoiceField(
        label=capfirst(_("scopes")),
        choices=[(scope, scope) for scope in AccessToken.SCOPES],
        widget=forms.CheckboxSelectMultiple,
    )

    class Meta:
        model = AccessToken
        fields = ("user", "name", "scopes", "collections", "expires_at", "revoked_at")


@admin.register(AccessToken)
class AccessTokenAdmin(admin.ModelAdmin[AccessToken]):
    form = TokenForm
    list_display = ("name", "prefix", "user", "scopes", "created_at", "expires_at", "last_used_at", "revoked_at")
    list_filter = ("revoked_at", "expires_at")
    list_select_related = ("user",)
    search_fields = ("name", "prefix", "user__username")
    date_hierarchy = "created_at"
    autocomplete_fields = ("user", "collections")
    readonly_fields = ("prefix", "created_at", "last_used_at")

    def save_model(self, request: HttpRequest, obj: AccessToken, form: ModelForm[AccessToken], change: bool) -> None:
        """The secret of a new token is shown this once: only its digest is stored."""
        if not change:
            told = _("Copy the token now, it is not shown again:")
            self.message_user(request, format_html("{} <code>{}</code>", told, obj.give_secret()), messages.WARNING)
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """A token that was given collections stays limited when they are deleted, until it is revoked."""
        super().save_related(request, form, formsets, change)
        chosen = form.instance.collections.all()
        if chosen:
            form.instance.limit_to(chosen)


@admin.register(EmbeddingWork)
class EmbeddingWorkAdmin(Visible, ReadOnly, admin.ModelAdmin[EmbeddingWork]):
    list_display = ("id", "document_column", "space", "owner", "turn", "tokens", "attempts", "lease_expires_at")
    list_filter = (("space", admin.RelatedOnlyFieldListFilter), "attempts")
    list_select_related = ("chunk__revision__document", "space", "owner")
    ordering = ("turn", "id")
    show_full_result_count = False

    @admin.display(description=_("document"))
    def document_column(self, work: EmbeddingWork) -> str:
        return work.chunk.revision.document.title


@admin.register(LanguageMean)
class LanguageMeanAdmin(ReadOnly, admin.ModelAdmin[LanguageMean]):
    list_display = ("collection", "space", "language", "passages", "updated_at")
    list_filter = ("language", "space")
    list_select_related = ("collection", "space")
    exclude = ("mean",)
    ordering = ("collection", "language")
