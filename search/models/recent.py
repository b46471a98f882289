"""RecentSearch: what a person searched for lately, for that person alone."""

import uuid
from datetime import timedelta

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from kb.models import User

KEPT = timedelta(days=30)

SHOWN = 30
"""Recent searches of one person that are listed."""


class RecentSearchQuerySet(models.QuerySet["RecentSearch"]):
    def of(self, user: User) -> "RecentSearchQuerySet":
        """What this person searched for in the last 30 days, the latest first."""
        return self.filter(user=user, at__gt=timezone.now() - KEPT)

    def remember(self, user: User, asked: str) -> None:
        """Note a search, once however often it is made, unless the person does not want it. What has grown old goes."""
        if Unremembered.objects.filter(user=user).exists():
            return
        self.filter(at__lt=timezone.now() - KEPT).delete()
        # The key is made of both, so that the same search is the same row.
        key = uuid.uuid5(_SEARCHES, f"{user.pk} {asked}")
        fresh = RecentSearch(id=key, user=user, asked=asked, at=timezone.now())
        self.bulk_create([fresh], update_conflicts=True, unique_fields=["id"], update_fields=["at"])


_SEARCHES = uuid.UUID("6f0d3c0e-0d5e-4b6f-9a55-5d0c4f3f7f3e")


class RecentSearch(models.Model):
    """`asked` is what stands in the address of the search. Kept here and not in the browser: the next person at a
    computer must not read it there."""

    id = models.UUIDField(primary_key=True, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="recent_searches", verbose_name=_("user"))
    asked = models.TextField()
    at = models.DateTimeField(_("last made"), db_index=True)

    objects = RecentSearchQuerySet.as_manager()

    class Meta:
        verbose_name = _("recent search")
        verbose_name_plural = _("recent searches")
        ordering = ["-at"]

    def __str__(self) -> str:
        return self.asked[:80]


class Unremembered(models.Model):
    """A person who does not want recent searches to be kept."""

    user = models.OneToOneField(User, models.CASCADE, primary_key=True, related_name="+")

    def __str__(self) -> str:
        return str(self.user)
