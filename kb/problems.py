"""Errors as RFC 9457 problem documents: type, title, status, detail, and `errors` per field."""

from http import HTTPStatus
from typing import Any

from django.core.exceptions import ObjectDoesNotExist, PermissionDenied
from django.db import IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import defaults
from rest_framework import exceptions
from rest_framework.response import Response

from kb import sentences
from kb.reading.failures import Reason, Unreadable

MEDIA_TYPE = "application/problem+json"

_MISSING = gettext_lazy("There is no such thing here, or you may not see it.")

_STATUS_OF = {
    Reason.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Reason.UNSUPPORTED_TYPE: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    Reason.STORAGE_FULL: HTTPStatus.INSUFFICIENT_STORAGE,
}


def document(status: int, detail: str, **more: Any) -> dict[str, Any]:
    """The body of an error."""
    return {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}


def response(status: int, detail: str, **more: Any) -> JsonResponse:
    """An error outside the API's own views."""
    return JsonResponse(document(status, detail, **more), status=status, content_type=MEDIA_TYPE)


def status_of(failure: Unreadable) -> int:
    """The HTTP status of an upload refused at the door."""
    return _STATUS_OF.get(failure.reason, HTTPStatus.BAD_REQUEST)


def handle(exception: Exception, context: dict[str, Any]) -> Response | None:
    """The exception handler of the API."""
    from rest_framework.views import exception_handler  # that module imports this one, by the settings

    if isinstance(exception, Unreadable):
        status = status_of(exception)
        return _answer(document(status, sentences.said(str(exception.detail)), reason=str(exception.reason)), status)
    if isinstance(exception, OperationalError | InterfaceError):
        return _answer(document(503, _("The database does not answer. Try again in a moment.")), 503)
    if isinstance(exception, ObjectDoesNotExist):
        exception = Http404()
    if isinstance(exception, IntegrityError):
        return _answer(document(409, _("This was changed or deleted by someone else just now. Try again.")), 409)
    answered = exception_handler(exception, context)
    if answered is None:
        return None
    answered.data = _problem_of(exception, answered.status_code)
    answered.content_type = MEDIA_TYPE
    return answered


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400 for what never reached a view."""
    if _is_api(request):
        return response(400, _("This request cannot be understood."))
    return defaults.bad_request(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404 for an address that is none."""
    if _is_api(request):
        return response(404, str(_MISSING))
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """500: our fault, and in the log."""
    if _is_api(request):
        return response(500, _("Something went wrong on the server. It is in its log."))
    return defaults.server_error(request)


def _is_api(request: HttpRequest) -> bool:
    return request.path.startswith(("/api/", "/v1/"))


def _answer(body: dict[str, Any], status: int) -> Response:
    return Response(body, status=status, content_type=MEDIA_TYPE)


def _problem_of(exception: Exception, status: int) -> dict[str, Any]:
    # A missing object and one that may not be seen answer alike, byte for byte.
    if isinstance(exception, Http404 | exceptions.NotFound):
        return document(404, str(_MISSING))
    if isinstance(exception, PermissionDenied):
        return document(403, _("You may see this, but not change it."))
    if isinstance(exception, exceptions.ValidationError):
        return document(status, _("Some of what was sent cannot be used."), errors=exception.detail)
    detail = getattr(exception, "detail", str(exception))
    return document(status, str(detail))
