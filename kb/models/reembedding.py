"""Reembedding: a collection on its way from one space into another, behind the search that goes on."""

import uuid
from dataclasses import dataclass
from typing import Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from embeddings.models import Space
from kb.models.access import User
from kb.models.collection import Collection


class Stage(models.TextChoices):
    """How far a re-embedding has come. `finished` and `cancelled` are ends."""

    BUILDING = "building", _("Building")
    PAUSED = "paused", _("Paused")
    BUILT = "built", _("Built")
    SWITCHING = "switching", _("Switching")
    SWITCHED = "switched", _("Switched")
    RETURNING = "returning", _("Rolling back")
    FINISHED = "finished", _("Finished")
    CANCELLED = "cancelled", _("Cancelled")


ENDED = (Stage.FINISHED, Stage.CANCELLED)


class ReembeddingQuerySet(models.QuerySet["Reembedding"]):
    def open(self) -> Self:
        """Those that still hold a second space of their collection."""
        return self.exclude(state__in=ENDED)

    def feeding(self) -> Self:
        """Those whose second space may lack embeddings that are wanted now."""
        lacking = Q(state=Stage.BUILDING, embedded_at__isnull=True)
        return self.filter(lacking | Q(state__in=[Stage.SWITCHING, Stage.RETURNING]))


class Reembedding(models.Model):
    """Written by `kb.reembedding` only. Until the switch the source is the collection's active space and the target
    the one being built; from then on the target is active and the source is kept, so that the way back is as short."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    collection = models.ForeignKey(
        Collection, models.CASCADE, related_name="reembeddings", verbose_name=_("collection")
    )
    source = models.ForeignKey(Space, models.CASCADE, related_name="+", verbose_name=_("from"))
    target = models.ForeignKey(Space, models.CASCADE, related_name="+", verbose_name=_("into"))
    state = models.CharField(_("state"), max_length=10, choices=Stage, default=Stage.BUILDING)
    detail = models.TextField(_("what happened"), blank=True)
    started_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+", verbose_name=_("started by"))
    created_at = models.DateTimeField(_("started"), auto_now_add=True)
    embedded_at = models.DateTimeField(_("all embedded"), null=True)
    switched_at = models.DateTimeField(_("switched"), null=True)
    ended_at = models.DateTimeField(_("ended"), null=True)

    total = models.PositiveIntegerField(_("passages"), default=0)
    passed = models.PositiveIntegerField(default=0, help_text="Passages looked at: embedded, or on the queue.")
    fed_revision = models.UUIDField(null=True, help_text="How far the passages were looked at: a revision…")
    fed_ordinal = models.IntegerField(default=-1, help_text="…and a chunk of it.")
    changed_at = models.DateTimeField(db_default=Now(), help_text="When the state last changed.")
    done_before = models.PositiveIntegerField(
        default=0, help_text="Passages embedded when they were last looked at from the start."
    )

    objects = ReembeddingQuerySet.as_manager()

    class Meta:
        verbose_name = _("re-embedding")
        verbose_name_plural = _("re-embeddings")
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["collection"],
                condition=~Q(state__in=["finished", "cancelled"]),
                name="reembedding_one_at_a_time",
            ),
            models.CheckConstraint(condition=~Q(source=models.F("target")), name="reembedding_into_another_space"),
            models.CheckConstraint(condition=Q(state__in=Stage.values), name="reembedding_state_known"),
            models.CheckConstraint(
                condition=Q(state__in=["finished", "cancelled"], ended_at__isnull=False)
                | ~Q(state__in=["finished", "cancelled"]) & Q(ended_at__isnull=True),
                name="reembedding_ended_at_its_end",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.collection_id}: {self.get_state_display()}"

    @property
    def unfinished(self) -> bool:
        """Whether it still moves by itself."""
        return self.state in (Stage.BUILDING, Stage.SWITCHING, Stage.RETURNING)

    @property
    def comparable(self) -> bool:
        """Whether every passage is in both spaces, and both are kept."""
        return self.state in (Stage.BUILT, Stage.SWITCHED)

    @property
    def second_space_id(self) -> uuid.UUID:
        """Of the two spaces, the one the collection is not served from."""
        return self.source_id if self.state in (Stage.SWITCHED, Stage.RETURNING) else self.target_id

    @property
    def given_up_space_id(self) -> uuid.UUID:
        """Once it has ended: the space that the collection has left, or did not move into."""
        return self.target_id if self.state == Stage.CANCELLED else self.source_id


@dataclass(frozen=True)
class Progress:
    """How far a re-embedding is: passages, passages a second since it was last resumed, seconds left."""

    done: int
    total: int
    rate: float | None
    eta_seconds: int | None

    @property
    def percent(self) -> int:
        return 100 if not self.total else int(100 * self.done / self.total)


def progress(reembedding: Reembedding, *, waiting: int) -> Progress:
    """The progress when `waiting` of the passages that were looked at still stand on the queue."""
    total, seen = reembedding.total, reembedding.passed - waiting
    if reembedding.state in (Stage.SWITCHING, Stage.RETURNING):
        done = max(0, total - waiting)
    else:
        done = total if reembedding.embedded_at else min(total, max(reembedding.done_before, seen))
    seconds = (timezone.now() - reembedding.changed_at).total_seconds()
    fresh = done - reembedding.done_before
    if reembedding.state != Stage.BUILDING or reembedding.embedded_at or fresh <= 0 or seconds <= 0:
        return Progress(done, total, None, None)
    rate = fresh / seconds
    return Progress(done, total, round(rate, 1), round((total - done) / rate))
