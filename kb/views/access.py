"""What a page may show and do: seen or 404, changeable or 403."""

from typing import cast
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from kb.models import Collection, Document, Revision, User


def person(request: HttpRequest) -> User:
    """Who asks: the pages let nobody in who has not signed in."""
    return cast(User, request.user)


def collection(request: HttpRequest, slug: str) -> Collection:
    """The collection, when this person may see it. Raises Http404."""
    visible = Collection.objects.visible_to(request.user).select_related("owner")
    return get_object_or_404(visible, slug=slug)


def writable_collection(request: HttpRequest, slug: str) -> Collection:
    """The collection, when this person may add to it. Raises Http404, PermissionDenied."""
    found = collection(request, slug)
    if not may_write(request, found):
        raise PermissionDenied
    return found


def managed_collection(request: HttpRequest, slug: str) -> Collection:
    """The collection, when this person may change its settings and members. Raises Http404, PermissionDenied."""
    found = collection(request, slug)
    if not may_manage(request, found):
        raise PermissionDenied
    return found


def document(request: HttpRequest, document_id: UUID) -> Document:
    """The document with its revisions, when this person may see it. Raises Http404."""
    visible = Document.objects.visible_to(request.user).with_revisions().select_related("collection")
    return get_object_or_404(visible, pk=document_id)


def writable_document(request: HttpRequest, document_id: UUID) -> Document:
    """The document, when this person may change it. Raises Http404, PermissionDenied."""
    found = document(request, document_id)
    if not may_write(request, found.collection):
        raise PermissionDenied
    return found


def revision(request: HttpRequest, document: Document) -> Revision:
    """The revision that `?revision=` names, else the one the document is judged by. Raises Http404."""
    number = request.GET.get("revision", "")
    if not number:
        return document.shown
    if not number.isascii() or not number.isdigit() or len(number) > 9:
        number = "0"
    return get_object_or_404(document.revisions, number=int(number))


def may_write(request: HttpRequest, collection: Collection) -> bool:
    return Collection.objects.writable_by(request.user).filter(pk=collection.pk).exists()


def may_manage(request: HttpRequest, collection: Collection) -> bool:
    return Collection.objects.managed_by(request.user).filter(pk=collection.pk).exists()
