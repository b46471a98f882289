"""Pages of collections: all of them, one with its documents, its settings."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Page, Paginator
from django.db.models import Count, Q
from django.forms import BaseForm
from django.forms.utils import ErrorList
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from embeddings import spaces
from kb import ingestion, previews, sentences
from kb.forms import CollectionForm, DocumentFilter, MemberForm, PreviewForm, SettingsForm
from kb.models import Collection, Document
from kb.reading.failures import Unreadable
from kb.views import access, reembedding, returning

PAGE_SIZE = 50

TRIED_OUT = 200
"""The newest documents, among which one is chosen to try settings on."""


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def index(request: HttpRequest) -> HttpResponse:
    """Every collection this person may see, and the form that makes another."""
    form = CollectionForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        form.instance.owner = access.person(request)
        form.instance.active_space = spaces.current()
        return returning.to(form.save().get_absolute_url())
    collections = Collection.objects.visible_to(request.user).select_related("owner").with_counts()
    return render(request, "collections/index.html", {"collections": collections, "form": form})


@login_required
@require_GET
def detail(request: HttpRequest, slug: str) -> HttpResponse:
    """One collection: the drop zone, and the table of its documents, which looks again while one is unfinished."""
    collection = access.collection(request, slug)
    asked = DocumentFilter(request.GET)
    shown = _documents(collection, asked)
    return render(
        request,
        "collections/detail.html",
        {
            "collection": collection,
            "form": asked,
            "counts": _counts(collection),
            "page": shown,
            "may_write": access.may_write(request, collection),
            "may_manage": access.may_manage(request, collection),
        },
    )


@dataclass(frozen=True)
class _Counts:
    """Documents of a collection by what became of them; `pending` are newer revisions still on their way."""

    all: int
    ready: int
    working: int
    failed: int
    pending: bool


def _counts(collection: Collection) -> _Counts:
    documents = Document.objects.filter(collection=collection)
    states = DocumentFilter.STATES
    counted = documents.with_shown().aggregate(
        all=Count("pk"), **{name: Count("pk", filter=Q(state__in=states[name])) for name in states}
    )
    return _Counts(**counted, pending=documents.with_unfinished_revision().exists())


def _documents(collection: Collection, asked: DocumentFilter) -> Page[Document]:
    asked.is_valid()  # a value that makes no sense narrows nothing
    wanted = asked.cleaned_data
    states = DocumentFilter.STATES.get(wanted.get("show", ""), ())
    found = Document.objects.filter(collection=collection).shown_like(states=states, text=wanted.get("q", ""))
    return Paginator(found.with_revisions(), PAGE_SIZE).get_page(wanted.get("page") or 1)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def settings(request: HttpRequest, slug: str) -> HttpResponse:
    """What the collection is, how its files are read; members; the end of the collection."""
    collection = access.managed_collection(request, slug)
    form = SettingsForm(request.POST or None, instance=collection)
    if request.method != "POST" or not form.is_valid():
        return render_settings(request, collection, form=form)
    form.save()
    if "apply" not in request.POST:
        messages.success(request, _("The settings are saved."))
        return redirect("collection_settings", slug)
    count = ingestion.reindex_all(collection)
    told = ngettext(
        "The settings are saved. %(n)s document is read again; until it is ready it is found as it was.",
        "The settings are saved. %(n)s documents are read again; until each is ready it is found as it was.",
        count,
    )
    messages.success(request, told % {"n": count})
    return returning.to(collection.get_absolute_url())


@login_required
@require_POST
def preview(request: HttpRequest, slug: str) -> HttpResponse:
    """The settings as they are typed, tried on a document. Nothing is saved."""
    collection = access.managed_collection(request, slug)
    form = SettingsForm(request.POST, instance=collection)
    chosen = PreviewForm(request.POST, documents=Document.objects.filter(collection=collection).with_revisions())
    try:
        tried, status = _tried(form, chosen), 200
    except previews.Busy as why:
        tried, status = {"refusal": str(why)}, 503
    if request.headers.get("HX-Request"):  # htmx shows no answer that is an error
        return render(request, "collections/preview.html", tried)
    answer = render_settings(request, collection, form=form, tried=tried)
    answer.status_code = status
    return answer


def _tried(form: SettingsForm, chosen: PreviewForm) -> dict[str, Any]:
    """The preview, or in words why there is none."""
    if not form.is_valid() or not chosen.is_valid():
        return {"mistakes": [*_mistakes(form), *_mistakes(chosen)]}
    try:
        return {"preview": previews.of(chosen.cleaned_data["document"], form.instance)}
    except previews.TooLong as why:
        return {"refusal": str(why)}
    except Unreadable as failure:
        return {"refusal": sentences.said(str(failure.detail))}


def _mistakes(form: BaseForm) -> Iterator[tuple[str, ErrorList]]:
    """What is wrong, by the name of its field; of no field in particular without."""
    for name, errors in form.errors.items():
        yield (str(form[name].label) if name in form.fields else ""), errors


def render_settings(
    request: HttpRequest,
    collection: Collection,
    *,
    form: SettingsForm | None = None,
    member_form: MemberForm | None = None,
    tried: dict[str, Any] | None = None,
) -> HttpResponse:
    """The page of settings, with a form that was filled in wrongly in its place, or with a preview."""
    documents = collection.documents.filter(live_revision__isnull=False)
    context = {
        **(tried or {}),
        # The form changes its instance before it is found wrong: the page's own heading comes from the database.
        "collection": Collection.objects.select_related("owner").get(pk=collection.pk),
        "form": form or SettingsForm(instance=collection),
        "member_form": member_form or MemberForm(collection=collection),
        "memberships": collection.memberships.select_related("user", "group").order_by("created_at"),
        "document_count": collection.documents.count(),
        "documents": documents.values_list("pk", "title")[:TRIED_OUT],
        "chosen": request.POST.get("document", ""),
        **reembedding.shown(collection),
    }
    return render(request, "collections/settings.html", context)


@login_required
@require_POST
def delete(request: HttpRequest, slug: str) -> HttpResponse:
    """Delete a collection with everything in it."""
    collection = access.managed_collection(request, slug)
    ingestion.remove_collection(collection)
    messages.success(request, _("“%(name)s” is deleted with all its documents.") % {"name": collection.name})
    return returning.to(reverse("collections"))
