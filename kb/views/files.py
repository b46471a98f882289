"""What was uploaded, served so that a browser never runs what is in it: originals, and pictures of pages."""

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.utils.cache import get_conditional_response
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from kb import originals, pictures
from kb.reading.confined.children import Lost
from kb.reading.failures import Unreadable
from kb.views import access


@login_required
@require_safe
def original(request: HttpRequest, document_id: UUID) -> FileResponse:
    """The file of a revision, as it came."""
    return originals.response(access.revision(request, access.document(request, document_id)))


@login_required
@require_safe
def page_picture(request: HttpRequest, document_id: UUID, page: int) -> HttpResponseBase:
    """A page of a PDF as PNG. A browser may keep it, and asks each time whether it still may show it."""
    revision = access.revision(request, access.document(request, document_id))
    if revision.media_type != pictures.MEDIA_TYPE:
        raise Http404
    try:
        picture = pictures.of_page(revision, page)
    except Unreadable as failure:
        raise Http404 from failure
    except Lost:
        told = _("The server cannot read files just now. Please try again in a moment.")
        return HttpResponse(told, status=503, content_type="text/plain; charset=utf-8")
    response = HttpResponse(picture.path.read_bytes(), content_type="image/png")
    response["Cache-Control"] = "private, no-cache"
    response["ETag"] = f'"{revision.pk.hex}-{page}"'
    return get_conditional_response(request, etag=response["ETag"], response=response) or response
