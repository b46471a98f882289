"""Files that come from a browser: one or several at once, from the form or from the drop zone."""

from collections.abc import Callable, Iterator
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from kb import ingestion, problems, uploads
from kb.ingestion import Receipt
from kb.reading.failures import Reason, Unreadable
from kb.views import access, returning

Receive = Callable[[TemporaryUploadedFile], Receipt]
Outcome = Receipt | Unreadable


@login_required
@require_POST
def add(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Receive files into a collection."""
    collection = access.writable_collection(request, slug)

    def receive(file: TemporaryUploadedFile) -> Receipt:
        return ingestion.receive(collection, file, file.name or "", user=access.person(request))

    return _answer(request, list(_received(request, receive)), collection.get_absolute_url())


@login_required
@require_POST
def revise(request: HttpRequest, document_id: UUID) -> HttpResponseBase:
    """Receive a newer file of a document."""
    document = access.writable_document(request, document_id)

    def receive(file: TemporaryUploadedFile) -> Receipt:
        return ingestion.receive_revision(document, file, file.name or "", user=access.person(request))

    return _answer(request, list(_received(request, receive)), document.get_absolute_url())


def _received(request: HttpRequest, receive: Receive) -> Iterator[Outcome]:
    """What became of each file; a bad one does not keep the others out."""
    try:
        files = list(uploads.uploaded(request))
    except Unreadable as failure:
        yield failure
        return
    if not files:
        yield Unreadable(Reason.NO_TEXT, _("Choose a file first."))
    for file in files:
        try:
            yield receive(file)
        except Unreadable as failure:
            yield failure


def _answer(request: HttpRequest, outcomes: list[Outcome], address: str) -> HttpResponseBase:
    """The drop zone sends files one by one and wants JSON; the form wants a page that says what happened."""
    if request.accepts("text/html"):
        _tell(request, outcomes)
        return returning.to(address)
    for outcome in outcomes:
        if isinstance(outcome, Unreadable):
            return problems.response(problems.status_of(outcome), str(outcome.detail), reason=outcome.reason)
    documents = [_json(outcome) for outcome in outcomes if isinstance(outcome, Receipt)]
    return JsonResponse({"documents": documents}, status=202)


def _json(receipt: Receipt) -> dict[str, object]:
    document = receipt.document
    return {"id": document.pk, "title": document.title, "created": receipt.created}


def _tell(request: HttpRequest, outcomes: list[Outcome]) -> None:
    receipts = [outcome for outcome in outcomes if isinstance(outcome, Receipt)]
    new = sum(receipt.created for receipt in receipts)
    if new:
        messages.success(request, ngettext("%(n)s file received.", "%(n)s files received.", new) % {"n": new})
    for receipt in receipts:
        if not receipt.created:
            told = _("This file was here already: “%(title)s”.") % {"title": receipt.document.title}
            messages.info(request, told)
    for failure in outcomes:
        if isinstance(failure, Unreadable):
            messages.error(request, str(failure.detail))
