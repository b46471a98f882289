"""What stands around every request."""

import logging
from collections.abc import Callable
from functools import partial

from django.db import IntegrityError, InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponsePermanentRedirect
from django.middleware.common import CommonMiddleware
from django.shortcuts import render
from django.utils.http import escape_leading_slashes
from django.utils.translation import gettext as _

from kb import problems

log = logging.getLogger(__name__)

Respond = Callable[[HttpRequest], HttpResponseBase]


def database_refusals(get_response: Respond) -> Respond:
    """Answers 503 with a sentence, not 500, while Postgres is away; and 409 on the pages where somebody else was
    quicker, as the API does."""

    def respond(request: HttpRequest) -> HttpResponseBase:
        return get_response(request)

    def process_exception(request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, IntegrityError):
            log.warning("Somebody else was quicker: %s", exception, exc_info=exception)
            return render(request, "409.html", status=409)
        if not isinstance(exception, OperationalError | InterfaceError):
            return None
        log.error("The database does not answer: %s", exception)
        if request.path.startswith(("/api/", "/readyz")):
            return problems.response(503, _("The database does not answer. Try again in a moment."))
        return render(request, "503.html", status=503)

    respond.process_exception = process_exception  # type: ignore[attr-defined]
    return respond


class WholeAddress(CommonMiddleware):
    """Django's, but what is posted to an address without its last slash comes along to the one with it (308): after a
    301 most clients ask again without it."""

    response_redirect_class = partial(HttpResponsePermanentRedirect, preserve_request=True)  # type: ignore[assignment]

    def get_full_path_with_slash(self, request: HttpRequest) -> str:
        """Without the exception that Django raises here while developing: nothing that was posted is lost."""
        return escape_leading_slashes(request.get_full_path(force_append_slash=True))
