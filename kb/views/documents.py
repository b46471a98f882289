"""Pages of documents: the text as it was read, the passage marked, and what may be done with the document."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from kb import excerpts, ingestion, pictures
from kb.forms import DocumentForm
from kb.models import Document, Revision
from kb.pictures import Frame, Picture
from kb.reading.failures import Unreadable
from kb.views import access, returning

_RANGE = re.compile(r"(\d{1,9})-(\d{1,9})", re.ASCII)


@login_required
@require_GET
def detail(request: HttpRequest, document_id: UUID) -> HttpResponse:
    """A document, opened at `?revision=N&chars=START-END`."""
    return _page(request, access.document(request, document_id))


def _page(request: HttpRequest, document: Document, form: DocumentForm | None = None) -> HttpResponse:
    revision = access.revision(request, document)
    passage = _passage(request)
    excerpt = excerpts.of(revision, passage, part=_number(request, "part"))
    context = {
        "document": document,
        "revision": revision,
        "newest": document.newest,
        "excerpt": excerpt,
        "leaf": _leaf(request, revision, passage, excerpt),
        "place": _place(revision, passage),
        "form": form or DocumentForm(instance=document),
        "may_write": access.may_write(request, document.collection),
        "chunk_count": revision.chunks.count(),
    }
    return render(request, "documents/detail.html", context)


@dataclass(frozen=True)
class _Leaf:
    """The page of a PDF that is shown: its picture, or the sentence that says why there is none."""

    number: int
    picture: Picture | None
    frames: list[Frame]
    failure: str = ""


def _leaf(
    request: HttpRequest, revision: Revision, passage: tuple[int, int] | None, excerpt: excerpts.Excerpt | None
) -> _Leaf | None:
    if revision.media_type != pictures.MEDIA_TYPE or not revision.pages or excerpt is None:
        return None
    number = min(max(_number(request, "page") or excerpt.page, 1), revision.pages)
    frames = pictures.frames(revision, passage, number) if passage else []
    try:
        return _Leaf(number, pictures.of_page(revision, number), frames)
    except Unreadable as failure:
        return _Leaf(number, None, [], str(failure.detail))


def _place(revision: Revision, passage: tuple[int, int] | None) -> str:
    """The part of the address that stays the same from page to page of one revision."""
    chars = {"chars": f"{passage[0]}-{passage[1]}"} if passage else {}
    return urlencode({"revision": revision.number, **chars})


def _passage(request: HttpRequest) -> tuple[int, int] | None:
    found = _RANGE.fullmatch(request.GET.get("chars", ""))
    return (int(found[1]), int(found[2])) if found else None


def _number(request: HttpRequest, name: str) -> int | None:
    given = request.GET.get(name, "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 10 else None


@login_required
@require_POST
def edit(request: HttpRequest, document_id: UUID) -> HttpResponse:
    """Change title and tags."""
    document = access.writable_document(request, document_id)
    form = DocumentForm(request.POST, instance=document)
    if not form.is_valid():
        return _page(request, access.document(request, document_id), form)
    document.save(update_fields=["title", "tags", "updated_at"])
    messages.success(request, _("Title and tags are saved."))
    return returning.after(request, document.get_absolute_url())


@login_required
@require_POST
def retry(request: HttpRequest, document_id: UUID) -> HttpResponse:
    """Read a failed or cancelled revision again."""
    return _do(request, document_id, ingestion.retry, refusal=_("There is nothing to try again."))


@login_required
@require_POST
def cancel(request: HttpRequest, document_id: UUID) -> HttpResponse:
    """Stop the work on the newest revision."""
    return _do(request, document_id, ingestion.cancel, refusal=_("There is nothing to stop any more."))


@login_required
@require_POST
def reindex(request: HttpRequest, document_id: UUID) -> HttpResponse:
    """Read the newest file again, with today's reader and passage sizes."""
    return _do(request, document_id, ingestion.reindex, refusal=_("It is being read already."))


def _do(request: HttpRequest, document_id: UUID, act: Callable[[Document], bool], *, refusal: str) -> HttpResponse:
    document = access.writable_document(request, document_id)
    if not act(document):
        messages.info(request, refusal)
    return returning.after(request, document.get_absolute_url())


@login_required
@require_POST
def delete(request: HttpRequest, document_id: UUID) -> HttpResponse:
    """Delete a document with all its revisions."""
    document = access.writable_document(request, document_id)
    ingestion.remove(Document.objects.filter(pk=document.pk))
    messages.success(request, _("“%(title)s” is deleted.") % {"title": document.title})
    return returning.after(request, document.collection.get_absolute_url())
