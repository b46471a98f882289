"""The part of a collection's settings that says which space it is searched in, and takes it into another."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_POST

from embeddings.models import Space
from kb import reembedding
from kb.models import Collection, Stage
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
    one = collection.reembeddings.open().select_related("source", "target").first()
    return {
        "active_space": collection.active_space,
        "reembedding": one,
        "progress": reembedding.progress_of(one) if one else None,
        "may_compare": one is not None and one.state in (Stage.BUILT, Stage.SWITCHED),
        "target_form": TargetForm(collection=collection),
    }


@login_required
@require_GET
def show(request: HttpRequest, slug: str) -> HttpResponse:
    """The part by itself, as it is now."""
    collection = access.managed_collection(request, slug)
    return render(request, "collections/reembedding.html", {"collection": collection, **shown(collection)})


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
