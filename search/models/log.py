"""Search log: that something was asked, how long the answer took and how good it was; the words only if that is
wanted."""

from datetime import timedelta
from typing import Self

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from kb.models import Collection, User
from search.hits import MODES

LOW_SCORE = 0.25
"""An answer whose best hit is below this is only loosely related to its query."""


class SearchLogQuerySet(models.QuerySet["SearchLogEntry"]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """What this person asked, and what was asked of collections that they manage, all of which they may still
        see. A superuser sees all."""
        if not isinstance(user, User) or not user.is_active:
            return self.none()
        if user.is_superuser and user.access_token is None:
            return self.all()
        seen = list(Collection.objects.visible_to(user).values_list("pk", flat=True))
        managed = list(Collection.objects.managed_by(user).values_list("pk", flat=True))
        own = Q(user=user, collections__contained_by=seen)
        return self.filter(own | Q(collections__contained_by=managed, collections__len__gt=0))

    def without_hits(self) -> Self:
        """Queries to which nothing was found at all."""
        return self.filter(hits=0, offset=0)

    def with_low_score(self) -> Self:
        """Queries to which something was found, none of it close."""
        return self.filter(hits__gt=0, offset=0, best_score__lt=LOW_SCORE)

    def expired(self) -> Self:
        """Entries older than the settings let them be."""
        return self.filter(at__lt=Now() - timedelta(days=settings.SEARCH_LOG_DAYS))


class SearchLogEntry(models.Model):
    """One search. `collections` are those it looked into, by id: they may be gone by now. `text` is empty unless the
    settings ask for it; `offset` is that of a later page."""

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(_("asked"), db_default=Now(), db_index=True)
    user = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+", verbose_name=_("user"))
    collections = ArrayField(models.UUIDField(), verbose_name=_("collections"))
    mode = models.CharField(_("mode"), max_length=10)
    offset = models.PositiveIntegerField(_("hits before"), default=0)
    took_ms = models.FloatField(_("milliseconds"))
    timings_ms = models.JSONField(_("steps"))
    hits = models.PositiveIntegerField(_("hits"))
    best_score = models.FloatField(_("best score"), null=True)
    degraded = models.BooleanField(_("degraded"))
    text = models.TextField(_("query"), blank=True)

    objects = SearchLogQuerySet.as_manager()

    class Meta:
        verbose_name = _("search")
        verbose_name_plural = _("search log")
        ordering = ["-at", "-id"]
        constraints = [
            models.CheckConstraint(condition=Q(mode__in=MODES), name="search_mode_known"),
            models.CheckConstraint(
                condition=Q(hits=0, best_score__isnull=True) | Q(hits__gt=0, best_score__isnull=False),
                name="search_scored_where_found",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S}"
