"""Searches that are kept: the ones a person saved under a name, and the recent ones."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from kb.models import User
from kb.reading import text
from kb.views import access, returning
from search import addresses
from search.models import QueryMean, RecentSearch, SavedSearch, Unremembered
from search.models.recent import SHOWN
from search.models.saved import LONGEST_NAME, MOST


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def searches(request: HttpRequest) -> HttpResponse:
    """All that is kept; a POST keeps one more."""
    person = access.person(request)
    if request.method == "POST":
        _save(request, person)
        return returning.after(request, reverse("searches"))
    context = {
        "saved": SavedSearch.objects.filter(user=person),
        "recent": [addresses.kept(one.asked) for one in RecentSearch.objects.of(person)[:SHOWN]],
        "remembers": not Unremembered.objects.filter(user=person).exists(),
    }
    return render(request, "search/searches.html", context)


def _save(request: HttpRequest, person: User) -> None:
    """A name that is taken names the new search from now on."""
    address = addresses.kept(request.POST.get("asked", ""))
    name = text.one_line(request.POST.get("name", ""))[:LONGEST_NAME]
    if not name or not address.pairs:
        messages.error(request, _("Give the search a name."))
    elif SavedSearch.objects.filter(user=person).exclude(name=name).count() >= MOST:
        messages.error(request, _("You have saved %(n)s searches already. Delete one first.") % {"n": MOST})
    else:
        _one, is_new = SavedSearch.objects.update_or_create(user=person, name=name, defaults={"asked": address.asked})
        replaced = _("The search is saved as “%(name)s”, in place of the one that had this name.")
        messages.success(request, (_("The search is saved as “%(name)s”.") if is_new else replaced) % {"name": name})


@login_required
@require_POST
def delete(request: HttpRequest, search_id: UUID) -> HttpResponse:
    """Delete a saved search."""
    saved = get_object_or_404(SavedSearch, user=access.person(request), pk=search_id)
    saved.delete()
    messages.success(request, _("“%(title)s” is deleted.") % {"title": saved.name})
    return returning.after(request, reverse("searches"))


@login_required
@require_POST
def forget(request: HttpRequest) -> HttpResponse:
    """Forget the recent searches, and the means of what was asked."""
    person = access.person(request)
    with transaction.atomic():
        RecentSearch.objects.filter(user=person).delete()
        QueryMean.objects.filter(user=person).delete()
    messages.success(request, _("Your recent searches are forgotten."))
    return returning.after(request, reverse("searches"))


@login_required
@require_POST
def remember(request: HttpRequest) -> HttpResponse:
    """Keep recent searches from now on, or keep none and forget those there are."""
    person = access.person(request)
    if request.POST.get("remember"):
        Unremembered.objects.filter(user=person).delete()
        messages.success(request, _("Your searches are remembered for 30 days, for you alone."))
        return returning.after(request, reverse("searches"))
    with transaction.atomic():
        Unremembered.objects.get_or_create(user=person)
        RecentSearch.objects.filter(user=person).delete()
        QueryMean.objects.filter(user=person).delete()
    messages.success(request, _("Your searches are not remembered any more, and the recent ones are forgotten."))
    return returning.after(request, reverse("searches"))
