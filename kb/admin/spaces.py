"""The console of spaces: their registry and indexes, and collections on their way from one into another."""

from collections.abc import Iterable
from typing import Any, cast
from uuid import UUID

import redis
from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import AdminForm
from django.contrib.admin.widgets import AutocompleteSelectMultiple
from django.contrib.humanize.templatetags.humanize import intcomma
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import get_object_or_404, redirect, render
from django.template.defaultfilters import filesizeformat
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django_htmx.http import HttpResponseClientRefresh

from embeddings import queries, registry
from embeddings.models import Registration, Space
from kb import reembedding, spaces, wording
from kb.admin.rows import ReadOnly, Whole
from kb.models import Collection, Reembedding, User


@admin.register(Space)
class SpaceAdmin(Whole, admin.ModelAdmin[Space]):
    """What a space is follows from its model's files; only the kind of its index is chosen."""

    list_display = (
        "name", "model", "dimensions", "dtype", "storage", "served_column", "used_column", "embeddings_column",
        "index_column", "created_at",
    )  # fmt: skip
    readonly_fields = (
        "name", "model", "url", "fingerprint", "dimensions", "dtype", "pooling", "query_prompt", "passage_prompt",
        "max_tokens", "served_column", "used_by", "embeddings_column", "indexes", "created_at",
    )  # fmt: skip
    fields = ("storage", *readonly_fields)
    actions = None

    def get_urls(self) -> list[URLPattern]:
        indexes = self.admin_site.admin_view(self.indexes_view)
        return [path("<uuid:pk>/indexes/", indexes, name="embeddings_space_indexes"), *super().get_urls()]

    def indexes_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """The indexes by themselves, as they are now."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return HttpResponse(self.indexes(get_object_or_404(Space, pk=pk)))

    @admin.display(description=_("served"), boolean=True)
    def served_column(self, space: Space) -> bool | None:
        try:
            return queries.is_answering(space.pk)
        except redis.RedisError:
            return None

    @admin.display(description=_("collections"))
    def used_column(self, space: Space) -> int:
        return spaces.users_of(space).count()

    @admin.display(description=_("collections"))
    def used_by(self, space: Space) -> SafeString:
        users = spaces.users_of(space).order_by("name")
        return render_to_string("admin/embeddings/space/users.html", {"space": space, "users": users})

    @admin.display(description=_("embeddings"))
    def embeddings_column(self, space: Space) -> str:
        return intcomma(spaces.count(space))

    @admin.display(description=_("index built"))
    def index_column(self, space: Space) -> SafeString:
        return format_html_join(", ", "{}", ((_in_short(index),) for index in spaces.indexes(space))) or SafeString("–")

    @admin.display(description=_("index"))
    def indexes(self, space: Space) -> SafeString:
        there, is_ready = spaces.indexes(space), spaces.is_ready(space)
        is_due = not is_ready and all(index.built is None for index in there)
        shown = {"space": space, "indexes": there, "is_ready": is_ready, "is_due": is_due}
        return render_to_string("admin/embeddings/space/indexes.html", shown)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A space is added by naming its model, under “new spaces”."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Space | None = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or not spaces.users_of(obj).exists())

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> Any:
        try:
            return super().delete_view(request, object_id, extra_context)
        except spaces.InUse as why:
            self.message_user(request, str(why), messages.ERROR)
            return redirect("admin:embeddings_space_changelist")

    def delete_model(self, request: HttpRequest, obj: Space) -> None:
        spaces.remove(obj)


def _in_short(index: spaces.Index) -> str:
    if index.built is None:
        return f"{wording.storage(index.kind)}: {filesizeformat(index.size)}"
    return f"{wording.storage(index.kind)}: {index.percent} %"


@admin.register(Registration)
class RegistrationAdmin(admin.ModelAdmin[Registration]):
    """A space is added here by naming its model; what became of it is shown."""

    list_display = ("model", "dimensions", "dtype", "storage", "state", "detail", "space", "created_at")
    list_filter = ("state",)
    list_select_related = ("space",)
    fields = ("model", "dimensions", "dtype", "storage")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Registration, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if registry.is_quick(obj):
            registry.work_out(obj)


class StartForm(forms.Form):
    """Collections, and the space they are to go into."""

    collections = forms.ModelMultipleChoiceField(
        Collection.objects.order_by("name"),
        label=_("Collections"),
        widget=AutocompleteSelectMultiple(Reembedding._meta.get_field("collection"), admin.site),
    )
    space = forms.ModelChoiceField(Space.objects.all(), label=_("Move into"), empty_label=None)


@admin.register(Reembedding)
class ReembeddingAdmin(ReadOnly, admin.ModelAdmin[Reembedding]):
    """Begun, watched and brought to their end here, by the same functions as on the page of a collection's settings."""

    list_display = ("collection", "source", "target", "state", "progress_column", "detail", "started_by", "created_at")
    list_filter = ("state", "target")
    list_select_related = ("collection", "source", "target", "started_by")
    fields = (
        "collection", "source", "target", "state", "started_by", "created_at", "embedded_at", "switched_at", "ended_at",
    )  # fmt: skip

    def get_urls(self) -> list[URLPattern]:
        state, act = self.admin_site.admin_view(self.state_view), self.admin_site.admin_view(self.act_view)
        return [
            path("<uuid:pk>/state/", state, name="kb_reembedding_state"),
            path("<uuid:pk>/act/<slug:act>/", act, name="kb_reembedding_act"),
            *super().get_urls(),
        ]

    @admin.display(description=_("progress"))
    def progress_column(self, one: Reembedding) -> str:
        progress = reembedding.progress_of(one)
        left = "" if progress.eta_seconds is None else f", {wording.duration(progress.eta_seconds)}"
        return f"{progress.percent} %{left}"

    # --- Beginning ---

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("kb.add_reembedding"))

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Collections go into a space; those are chosen already that the address names."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return self.ask(request, Collection.objects.filter(slug__in=request.GET.getlist("collection")))
        form = StartForm(request.POST)
        if not form.is_valid():
            if form.has_error("collections", "invalid"):
                raise Http404  # no id at all: not from our page, which could not show it again
            return self._ask(request, form)
        started = self._start(request, form.cleaned_data["collections"], form.cleaned_data["space"])
        if len(started) == 1:
            return redirect("admin:kb_reembedding_change", started[0].pk)
        return redirect("admin:kb_reembedding_changelist")

    def ask(self, request: HttpRequest, collections: Iterable[Collection]) -> TemplateResponse:
        """The page that asks where these collections are to go."""
        return self._ask(request, StartForm(initial={"collections": [one.pk for one in collections]}))

    def _ask(self, request: HttpRequest, form: StartForm) -> TemplateResponse:
        fieldsets = [(None, {"fields": [*form.fields]})]
        shown = AdminForm(form, fieldsets, {}, model_admin=self)  # type: ignore[arg-type]  # any form does
        context = {"title": _("Re-embed collections"), "adminform": shown, "opts": self.opts, "media": shown.media}
        context |= self.admin_site.each_context(request)
        return TemplateResponse(request, "admin/kb/reembedding/start.html", context)

    def _start(self, request: HttpRequest, collections: Iterable[Collection], space: Space) -> list[Reembedding]:
        started = []
        for collection in collections:
            try:
                one = reembedding.start(collection, space, user=cast(User, request.user))
            except reembedding.Refused as why:
                self.message_user(request, f"{collection.name}: {why}", messages.ERROR)
                continue
            self.log_addition(request, one, space.name)
            started.append(one)
        return started

    # --- The rest of the way ---

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> Any:
        one = self.get_object(request, object_id)
        shown = self._shown(request, one) if one else {}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **shown})

    def state_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """How far it is; the whole page anew when it has come to another stage than the one that is shown."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        one = self._one(pk)
        if one.state != request.GET.get("state"):
            return HttpResponseClientRefresh()
        return render(request, "collections/reembedding_state.html", self._shown(request, one))

    def act_view(self, request: HttpRequest, pk: UUID, act: str) -> HttpResponse:
        """Do what is asked for; asked for by a link, what cannot be undone is confirmed first."""
        if not self._may_act(request):
            raise PermissionDenied
        one = self._one(pk)
        if act not in reembedding.ACTIONS:
            raise Http404
        if request.method == "POST":
            return self._act(request, one, act)
        if act not in reembedding.FINAL:
            return HttpResponseNotAllowed(["POST"])
        context = {"title": wording.act(act), "act": act, "reembedding": one, "opts": self.opts}
        context |= self.admin_site.each_context(request)
        return TemplateResponse(request, "admin/kb/reembedding/confirmation.html", context)

    def _act(self, request: HttpRequest, one: Reembedding, act: str) -> HttpResponse:
        try:
            reembedding.ACTIONS[act](one)
        except reembedding.Refused as why:
            self.message_user(request, str(why), messages.ERROR)
        else:
            self.log_change(request, one, str(wording.act(act)))
        return redirect("admin:kb_reembedding_change", one.pk)

    def _shown(self, request: HttpRequest, one: Reembedding) -> dict[str, Any]:
        managed = Collection.objects.managed_by(request.user).filter(pk=one.collection_id)
        return {
            "title": gettext("Re-embedding of “%(name)s”") % {"name": one.collection.name},
            "subtitle": None,
            "state_url": reverse("admin:kb_reembedding_state", args=[one.pk]),
            **reembedding.shown(one),
            "acts": reembedding.offered(one) if self._may_act(request) else (),
            "may_compare": one.comparable and managed.exists(),
        }

    @staticmethod
    def _one(pk: UUID) -> Reembedding:
        return get_object_or_404(Reembedding.objects.select_related("collection", "source", "target"), pk=pk)

    @staticmethod
    def _may_act(request: HttpRequest) -> bool:
        return bool(request.user.has_perm("kb.change_reembedding"))
