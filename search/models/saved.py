"""SavedSearch: a search that a person gave a name, to run it again with one click."""

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

from kb.models import User

MOST = 200
"""Saved searches of one person."""

LONGEST_NAME = 100


class SavedSearch(models.Model):
    """`asked` is what stands in the address of the search (`addresses.Address.asked`): it is run as whoever runs it, so
    it never shows more than that person may see."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="saved_searches", verbose_name=_("user"))
    name = models.CharField(_("name"), max_length=LONGEST_NAME)
    asked = models.TextField()
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("saved search")
        verbose_name_plural = _("saved searches")
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["user", "name"], name="saved_search_name_once")]

    def __str__(self) -> str:
        return self.name
