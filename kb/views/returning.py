"""Where a person goes after a form was sent: back to where they were, never to another site."""

from django.http import HttpRequest, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme


def after(request: HttpRequest, otherwise: str) -> HttpResponseRedirect:
    """A redirect (303: GET what is there) to the form's field `next` when that is an address of ours."""
    target = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure()):
        target = otherwise
    return to(target)


def to(target: str) -> HttpResponseRedirect:
    """A redirect (303) to an address of ours."""
    response = HttpResponseRedirect(target)
    response.status_code = 303
    return response
