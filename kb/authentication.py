"""Who calls the API, and what the token they carry lets them do."""

from typing import TYPE_CHECKING

from django.utils.translation import gettext as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import authentication, exceptions, permissions
from rest_framework.request import Request

from kb.models import AccessToken, User

if TYPE_CHECKING:  # rest_framework.views imports this module, by the settings
    from rest_framework.views import APIView

SCHEME = "Bearer"


class TokenAuthentication(authentication.BaseAuthentication):
    """`Authorization: Bearer <token>`. The token goes along on the user, where `visible_to` heeds its limits."""

    def authenticate(self, request: Request) -> tuple[User, AccessToken] | None:
        scheme, _space, secret = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != SCHEME.lower():
            return None
        token = AccessToken.objects.presented(secret.strip())
        if token is None:
            raise exceptions.AuthenticationFailed(_("This token is unknown, expired or revoked."))
        token.touch()
        token.user.access_token = token
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return SCHEME


class ScopedAccess(permissions.IsAuthenticated):
    """Signed in; and with a token, one whose scopes cover the method: `read` for safe ones, `write` for the rest.

    A view may ask for another scope with `write_scope`. Which objects are reachable is not decided here but by
    `visible_to(user)`.
    """

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if not super().has_permission(request, view):
            return False
        token = request.auth
        if not isinstance(token, AccessToken):
            return True
        needed = "read" if request.method in permissions.SAFE_METHODS else _write_scope(view)
        return needed in _implied(token.scopes)


def _write_scope(view: "APIView") -> str:
    return str(getattr(view, "write_scope", "write"))


def _implied(scopes: list[str]) -> set[str]:
    """A token that may manage may write; one that may write may read."""
    order = AccessToken.SCOPES
    highest = max((order.index(scope) for scope in scopes), default=-1)
    return set(order[: highest + 1])


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the OpenAPI document describes the tokens."""

    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer"}
