"""The part of a collection's settings that says which space it is searched in, and takes it into another."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import retarget

from embeddings.models import Space
from kb import reembedding
from kb.models import Collection
from kb.views import access, returning


class TargetForm(forms.Form):
    """The space to go into."""

    space = forms.ModelChoiceField(Space.objects.none(), label=_("Move into"), empty_label=None)

    def __init__(self, *args: Any, collection: Collection, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        others = Space.objects.exclude(pk=collection.active_space_id)
        self.fields["space"].queryset = others  # type: ignore[attr-defined]


def shown(collection: Collection) -> dict[str, Any]:
    """What the template needs."""
    context = {
        "collection": collection,
        "active_space": collection.active_space,
        "target_form": TargetForm(collection=collection),
    }
    one = collection.reembeddings.open().select_related("source", "target").first()
    if one is None:
        return context
    return {
        **context,
        **reembedding.shown(one),
        "acts": reembedding.offered(one),
        "state_url": reverse("reembedding", args=[collection.slug]),
    }


@login_required
@require_GET
def show(request: HttpRequest, slug: str) -> HttpResponse:
    """The part by itself, as it is now; only how far it is, where the page shows the stage (`?state=`) that it has.
    Whoever opens it as a page is shown the settings that it is a part of."""
    collection = access.managed_collection(request, slug)
    if not request.headers.get("HX-Request"):
        return redirect("collection_settings", collection.slug)
    context = shown(collection)
    if "reembedding" in context and context["reembedding"].state == request.GET.get("state"):
        return render(request, "collections/reembedding_state.html", context)
    return retarget(render(request, "collections/reembedding.html", context), "#space")


@login_required
@require_POST
def start(request: HttpRequest, slug: str) -> HttpResponse:
    """Embed the collection into another space."""
    collection = access.managed_collection(request, slug)
    form = TargetForm(request.POST, collection=collection)
    if not form.is_valid():
        raise Http404
    try:
        reembedding.start(collection, form.cleaned_data["space"], user=access.person(request))
    except reembedding.Refused as why:
        messages.error(request, str(why))
    return _back(slug)


@login_required
@require_POST
def act(request: HttpRequest, slug: str, act: str) -> HttpResponse:
    """Pause, resume, cancel, switch, roll back, or drop the space before."""
    collection = access.managed_collection(request, slug)
    one = collection.reembeddings.open().first()
    if act not in reembedding.ACTIONS or one is None:
        raise Http404
    try:
        reembedding.ACTIONS[act](one)
    except reembedding.Refused as why:
        messages.error(request, str(why))
    return _back(slug)


def _back(slug: str) -> HttpResponse:
    return returning.to(f"{reverse('collection_settings', args=[slug])}#space")
