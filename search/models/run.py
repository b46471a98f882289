"""Evaluation run: how good the search of a collection was at one moment, by its golden queries."""

import uuid
from typing import Self

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from embeddings.models import Space
from kb.models import Collection, User
from search.models.golden import GoldenQuery

ATTEMPTS = 3
"""So often is a run taken up without getting on before it has failed."""


class RunState(models.TextChoices):
    """How far a run has come. `done` and `failed` are ends."""

    WAITING = "waiting", _("Waiting")
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")


UNFINISHED = (RunState.WAITING, RunState.RUNNING)


class EvaluationRunQuerySet(models.QuerySet["EvaluationRun"]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Runs over the collections this person may see."""
        return self.filter(collection__in=Collection.objects.visible_to(user))

    def unfinished(self) -> Self:
        """Runs from which figures are still to come."""
        return self.filter(state__in=UNFINISHED)

    def due(self) -> Self:
        """Runs to be taken up now: waiting, or in the hands of a worker whose lease has run out."""
        unheld = Q(lease_expires_at__isnull=True) | Q(lease_expires_at__lt=Now())
        return self.unfinished().filter(unheld, next_attempt_at__lte=Now())


class EvaluationRun(models.Model):
    """One measuring of a collection. `settings` is what the search and the collection were set to; `figures` is
    `{"all": measures, "pairs": {"en>zh": measures}}`, empty until the run is done."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    collection = models.ForeignKey(
        Collection, models.CASCADE, related_name="evaluation_runs", verbose_name=_("collection")
    )
    space = models.ForeignKey(Space, models.SET_NULL, null=True, related_name="+", verbose_name=_("space measured"))
    space_name = models.CharField(_("name of the space then"), max_length=200)
    reranker = models.CharField(
        _("reranker"), max_length=300, blank=True, help_text=_("What ordered the first passages; empty: nothing did.")
    )
    settings = models.JSONField(_("settings"))
    started_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+", verbose_name=_("started by"))
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    state = models.CharField(_("state"), max_length=10, choices=RunState, default=RunState.WAITING)
    detail = models.TextField(_("what happened"), blank=True)
    figures = models.JSONField(_("figures"), default=dict)
    queries = models.PositiveIntegerField(_("golden queries"), default=0)
    unmeasured = models.PositiveIntegerField(
        _("left out"), default=0, help_text=_("Golden queries to which nothing that is searchable is an answer.")
    )
    started_at = models.DateTimeField(_("started"), null=True)
    finished_at = models.DateTimeField(_("finished"), null=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    next_attempt_at = models.DateTimeField(db_default=Now())
    lease_token = models.UUIDField(null=True)
    lease_expires_at = models.DateTimeField(null=True)

    objects = EvaluationRunQuerySet.as_manager()

    class Meta:
        verbose_name = _("evaluation run")
        verbose_name_plural = _("evaluation runs")
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=RunState.values), name="run_state_known"),
            models.CheckConstraint(
                condition=Q(state=RunState.RUNNING, lease_token__isnull=False, lease_expires_at__isnull=False)
                | ~Q(state=RunState.RUNNING) & Q(lease_token__isnull=True, lease_expires_at__isnull=True),
                name="run_lease_while_running",
            ),
            models.CheckConstraint(
                condition=Q(state__in=UNFINISHED, finished_at__isnull=True)
                | Q(finished_at__isnull=False) & ~Q(state__in=UNFINISHED),
                name="run_finished_at_its_end",
            ),
            models.UniqueConstraint(
                fields=["collection", "space", "reranker"], condition=Q(state__in=UNFINISHED), name="run_once_at_a_time"
            ),
        ]
        indexes = [models.Index(fields=["collection", "-created_at", "-id"], name="run_newest_first")]

    def __str__(self) -> str:
        return f"{self.collection}, {timezone.localtime(self.created_at):%Y-%m-%d %H:%M}"

    def get_absolute_url(self) -> str:
        return reverse("golden", args=[self.collection.slug])

    @property
    def unfinished(self) -> bool:
        return self.state in UNFINISHED

    @property
    def way(self) -> tuple[object, str]:
        """What was measured of the collection: a space, by its name where it is gone, and the reranker or none. Runs of
        one way show how the search changed."""
        return self.space_id or self.space_name, self.reranker


class Outcome(models.Model):
    """What a run found for one golden query. A run that was broken off goes on after the last of them.

    `judged` is empty for a query that nothing searchable answers; else the ranking as a whole, then once more for each
    language that answers it: `[{"language", "gains", "ideal"}]`, as `evaluation.Judged` explains them.
    """

    run = models.ForeignKey(EvaluationRun, models.CASCADE, related_name="outcomes")
    golden_query = models.ForeignKey(GoldenQuery, models.CASCADE, related_name="+")
    language = models.CharField(max_length=8)
    judged = models.JSONField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "golden_query"], name="outcome_once_a_query")]

    def __str__(self) -> str:
        return f"{self.golden_query_id} in {self.run_id}"
