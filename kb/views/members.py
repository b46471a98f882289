"""Grants in a collection: given, changed, taken away."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from kb.forms import MemberForm, RoleForm
from kb.views import access
from kb.views.collections import render_settings


@login_required
@require_POST
def add(request: HttpRequest, slug: str) -> HttpResponse:
    """Grant a role to a person or group."""
    collection = access.managed_collection(request, slug)
    form = MemberForm(request.POST, collection=collection)
    if not form.is_valid():
        return render_settings(request, collection, member_form=form)
    membership = form.save()
    told = {"name": membership.user or membership.group, "role": membership.get_role_display()}
    messages.success(request, _("%(name)s is a member now: %(role)s.") % told)
    return redirect("collection_settings", slug)


@login_required
@require_POST
def change(request: HttpRequest, slug: str, membership_id: int) -> HttpResponse:
    """Give a member another role."""
    collection = access.managed_collection(request, slug)
    form = RoleForm(request.POST, instance=get_object_or_404(collection.memberships, pk=membership_id))
    if form.is_valid():
        form.save()
        messages.success(request, _("The role is changed."))
    return redirect("collection_settings", slug)


@login_required
@require_POST
def remove(request: HttpRequest, slug: str, membership_id: int) -> HttpResponse:
    """Take a grant away: from now on this member finds nothing here."""
    collection = access.managed_collection(request, slug)
    membership = get_object_or_404(collection.memberships.select_related("user", "group"), pk=membership_id)
    membership.delete()
    messages.success(request, _("%(name)s is no longer a member.") % {"name": membership.user or membership.group})
    return redirect("collections" if not access.may_manage(request, collection) else "collection_settings", slug)
