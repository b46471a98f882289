"""Who people are, what they were granted, and the tokens that programs carry for them."""

import hashlib
import secrets
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.contrib.auth.models import AbstractUser, AnonymousUser, Group
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from kb.models.collection import Collection


class User(AbstractUser):
    """A person. `access_token` is the token the current request came with, if any: it narrows what
    `visible_to(user)` shows, so that no path can forget it."""

    access_token: "AccessToken | None" = None


@dataclass(frozen=True)
class Grantee:
    """Whom grants are looked up for: all of a person, and of the token of this request, that the statement which asks
    for them is made of. Two with the same are asked for by the same statement. `token_id` is None where no token
    narrows what they see."""

    user_id: int
    is_superuser: bool
    token_id: uuid.UUID | None

    @classmethod
    def of(cls, user: User | AnonymousUser) -> "Grantee | None":
        """None for whoever sees nothing: those who have not signed in, and those who may no longer."""
        if not isinstance(user, User) or not user.is_active:
            return None
        token = user.access_token
        return cls(user.pk, user.is_superuser, token.pk if token and token.limited else None)


class Role(models.TextChoices):
    """What a member may do. Each role may do all that the ones before it may; the owner may do everything."""

    VIEWER = "viewer", _("Viewer")
    CONTRIBUTOR = "contributor", _("Contributor")
    MANAGER = "manager", _("Manager")


class Membership(models.Model):
    """A grant: one person or one group has one role in one collection."""

    collection = models.ForeignKey(
        "kb.Collection", models.CASCADE, related_name="memberships", verbose_name=_("collection")
    )
    user = models.ForeignKey(
        User, models.CASCADE, null=True, blank=True, related_name="memberships", verbose_name=_("user")
    )
    group = models.ForeignKey(
        Group, models.CASCADE, null=True, blank=True, related_name="memberships", verbose_name=_("group")
    )
    role = models.CharField(_("role"), max_length=20, choices=Role)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints = [
            models.CheckConstraint(
                condition=Q(user__isnull=True) ^ Q(group__isnull=True), name="membership_of_user_or_group"
            ),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="membership_role_known"),
            models.UniqueConstraint(fields=["collection", "user"], name="membership_once_a_user"),
            models.UniqueConstraint(fields=["collection", "group"], name="membership_once_a_group"),
        ]

    def __str__(self) -> str:
        return f"{self.user or self.group}: {self.role}"


class AccessTokenQuerySet(models.QuerySet["AccessToken"]):
    def usable(self) -> Self:
        """Tokens neither revoked nor expired, of people who may still sign in."""
        alive = Q(expires_at__isnull=True) | Q(expires_at__gt=timezone.now())
        return self.filter(alive, revoked_at__isnull=True, user__is_active=True)

    def presented(self, secret: str) -> "AccessToken | None":
        """The usable token with this secret, if there is one."""
        return self.usable().select_related("user").filter(digest=_digest(secret)).first()

    def known(self, secret: str) -> bool:
        """Whether there is or was a token with this secret."""
        return self.filter(digest=_digest(secret)).exists()

    def issue(
        self,
        user: User,
        name: str,
        *,
        scopes: Sequence[str] = ("read",),
        expires_at: datetime | None = None,
        secret: str = "",
    ) -> tuple["AccessToken", str]:
        """A new token and its secret, which is stored nowhere and cannot be shown again."""
        token = AccessToken(user=user, name=name, scopes=list(scopes), expires_at=expires_at)
        secret = token.give_secret(secret)
        token.save(force_insert=True)
        return token, secret


class AccessToken(models.Model):
    """What a program presents instead of a password: 256 random bits, stored only as their SHA-256."""

    SCOPES = ("read", "write", "manage")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="access_tokens", verbose_name=_("user"))
    name = models.CharField(_("name"), max_length=100)
    prefix = models.CharField(_("begins with"), max_length=8, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    scopes = ArrayField(models.CharField(max_length=10), verbose_name=_("scopes"), help_text=_("read, write, manage"))
    limited = models.BooleanField(
        default=False,
        editable=False,
        help_text="Reaches only its collections: also when the last of them was deleted and there are none.",
    )
    collections = models.ManyToManyField(
        "kb.Collection",
        blank=True,
        verbose_name=_("collections"),
        help_text=_("Only these collections; none chosen means all the person may see."),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)

    objects = AccessTokenQuerySet.as_manager()

    class Meta:
        verbose_name = _("access token")
        verbose_name_plural = _("access tokens")
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(scopes__contained_by=["read", "write", "manage"]), name="token_scopes_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    def give_secret(self, secret: str = "") -> str:
        """Put a secret on a token that is not saved yet, a random one if none is given. Returns it."""
        secret = secret or f"ccd_{secrets.token_urlsafe(32)}"
        self.prefix, self.digest = secret[:8], _digest(secret)
        return secret

    def limit_to(self, collections: "Iterable[Collection]") -> None:
        """Reach these collections only, from now on."""
        self.collections.set(collections)
        self.limited = True
        self.save(update_fields=["limited"])

    def touch(self) -> None:
        """Note the use, at most once a minute: a busy program should not write a row with every request."""
        now = timezone.now()
        if self.last_used_at and (now - self.last_used_at).total_seconds() < 60:
            return
        self.last_used_at = now
        self.save(update_fields=["last_used_at"])


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
