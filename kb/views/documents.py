"""Pages of documents: the text as it was read, the passage marked, and what may be done with the document."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import HttpResponseClientRefresh

from kb import counterparts, excerpts, ingestion, outlines, places
from kb.counterparts import Counterpart
from kb.forms import DocumentForm
from kb.models import Document, Revision, RevisionText
from kb.views import access, returning

_RANGE = re.compile(r"(\d{1,9})-(\d{1,9})", re.ASCII)


@login_required
@require_GET
def detail(request: HttpRequest, document_id: UUID) -> HttpResponse:
    """A document, opened at `?revision=N&chars=START-END`, or at `?at=CHARACTER`, `?page=N` or `?part=N`."""
    return _page(request, access.document(request, document_id))


def _page(request: HttpRequest, document: Document, form: DocumentForm | None = None) -> HttpResponse:
    revision = access.revision(request, document)
    page = _number(request, "page")
    excerpt = excerpts.of(
        revision, _marked(request), part=_number(request, "part"), at=_number(request, "at"), page=page
    )
    context = {
        "document": document,
        "revision": revision,
        "newest": document.newest,
        "excerpt": excerpt,
        "outline": outlines.of(revision) if excerpt else None,
        "place": excerpt and places.of(revision, excerpt.marked, excerpt.page_starts, page=page or excerpt.page),
        "current": _current(document, revision, excerpt.marked if excerpt else None),
        "lost": bool(request.GET.get("chars")) and excerpt is not None and excerpt.marked is None,
        "form": form or DocumentForm(instance=document),
        "chars": _chars(request),
        "may_write": access.may_write(request, document.collection),
    }
    return render(request, "documents/detail.html", context)


@dataclass(frozen=True)
class _Current:
    """The current revision, where another one is read, and where in it the same words stand."""

    number: int
    passage: Counterpart | None


def _current(document: Document, revision: Revision, marked: tuple[int, int] | None) -> _Current | None:
    live = document.live_revision
    if live is None or live.pk == revision.pk:
        return None
    return _Current(live.number, counterparts.of(revision, marked, live) if marked else None)


@login_required
@require_GET
def text(request: HttpRequest, document_id: UUID) -> HttpResponse:
    """Another part of the text, to go before or after what is there."""
    document = access.document(request, document_id)
    revision = access.revision(request, document)
    excerpt = excerpts.of(revision, _marked(request), part=_number(request, "part") or 1)
    context = {
        "document": document,
        "revision": revision,
        "excerpt": excerpt,
        "chars": _chars(request),
        "way": request.GET.get("way"),
    }
    return render(request, "documents/text.html", context)


@login_required
@require_GET
def place(request: HttpRequest, document_id: UUID) -> HttpResponse:
    """What is shown beside the text: the passage that was chosen, and a page of the PDF."""
    document = access.document(request, document_id)
    revision = access.revision(request, document)
    page_starts = RevisionText.objects.filter(revision=revision).values_list("page_starts", flat=True).first()
    shown = places.of(revision, _marked(request), page_starts or [], page=_number(request, "page"))
    context = {"document": document, "revision": revision, "place": shown, "chars": _chars(request)}
    return render(request, "documents/place.html", context)


@login_required
@require_GET
def outline(request: HttpRequest, document_id: UUID) -> HttpResponse:
    """Entries of a long outline that were left out."""
    document = access.document(request, document_id)
    revision = access.revision(request, document)
    begin, end = _range(request, "entries") or (0, 0)
    context = {"document": document, "revision": revision, "outline": outlines.of(revision, begin, end)}
    return render(request, "documents/outline.html", context)


@login_required
@require_GET
def state(request: HttpRequest, document_id: UUID) -> HttpResponse:
    """How far the work is. When the text that was waited for is there, the page loads again."""
    document = access.document(request, document_id)
    revision = access.revision(request, document)
    if not document.newest.unfinished and revision.pk == document.newest.pk:
        return HttpResponseClientRefresh()
    context = {
        "document": document,
        "revision": revision,
        "newest": document.newest,
        "may_write": access.may_write(request, document.collection),
    }
    return render(request, "documents/live_state.html", context)


def _marked(request: HttpRequest) -> tuple[int, int] | None:
    return _range(request, "chars")


def _chars(request: HttpRequest) -> str:
    """What is marked, as it goes along in further addresses."""
    marked = _marked(request)
    return f"&chars={marked[0]}-{marked[1]}" if marked else ""


def _range(request: HttpRequest, name: str) -> tuple[int, int] | None:
    found = _RANGE.fullmatch(request.GET.get(name, ""))
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
