"""Revision: one uploaded file of a document, what became of it, and who is working on it."""

import uuid
from typing import Self

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from kb.models.access import User
from kb.models.document import UNFINISHED, Document
from kb.reading.failures import Reason

ATTEMPTS = 3
"""So often is a revision read, or a chunk encoded, before it has failed (HARDENING, invariant I7)."""


class State(models.TextChoices):
    """How far a revision has come. `ready`, `failed` and `cancelled` are ends; a retry starts again."""

    RECEIVED = "received", _("Received")
    READING = "reading", _("Reading")
    EMBEDDING = "embedding", _("Embedding")
    READY = "ready", _("Ready")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")


class RevisionQuerySet(models.QuerySet["Revision"]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Revisions of the documents this person may see."""
        return self.filter(document__in=Document.objects.visible_to(user))

    def due_for_reading(self) -> Self:
        """Revisions to be read now: waiting, or in the hands of a worker whose lease has run out."""
        abandoned = Q(state=State.READING, lease_expires_at__lt=Now())
        waiting = Q(state=State.RECEIVED, next_attempt_at__lte=Now())
        return self.filter(abandoned | waiting)


class Revision(models.Model):
    """One file and its way from `received` to `ready`. The columns from `state` on are written by `ingestion` only."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    document = models.ForeignKey(
        Document, models.DO_NOTHING, db_constraint=False, related_name="revisions", verbose_name=_("document")
    )
    number = models.PositiveIntegerField(_("number"))
    file = models.FileField(_("file"), max_length=200)
    filename = models.CharField(_("file name"), max_length=255)
    media_type = models.CharField(_("media type"), max_length=100)
    size = models.PositiveBigIntegerField(_("size"))
    sha256 = models.CharField(_("SHA-256"), max_length=64, db_index=True)
    uploaded_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+", verbose_name=_("uploaded by"))
    created_at = models.DateTimeField(_("uploaded"), auto_now_add=True)

    state = models.CharField(_("state"), max_length=20, choices=State, default=State.RECEIVED)
    reason = models.CharField(_("reason"), max_length=40, blank=True)
    detail = models.TextField(_("what happened"), blank=True)
    warnings = models.JSONField(_("what was not read"), default=list, blank=True)
    reader = models.CharField(_("reader"), max_length=60, blank=True)
    language = models.CharField(_("language"), max_length=8, blank=True)
    pages = models.PositiveIntegerField(_("pages"), null=True, blank=True)
    progress_done = models.PositiveIntegerField(_("done"), default=0)
    progress_total = models.PositiveIntegerField(_("to do"), default=0)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    next_attempt_at = models.DateTimeField(_("next attempt"), db_default=Now())
    lease_token = models.UUIDField(_("lease"), null=True, blank=True)
    lease_expires_at = models.DateTimeField(_("leased until"), null=True, blank=True)
    published_at = models.DateTimeField(_("published"), null=True, blank=True)

    objects = RevisionQuerySet.as_manager()

    class Meta:
        verbose_name = _("revision")
        verbose_name_plural = _("revisions")
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["document", "number"], name="revision_number_once"),
            models.CheckConstraint(condition=Q(state__in=State.values), name="revision_state_known"),
            models.CheckConstraint(condition=Q(attempts__lte=ATTEMPTS), name="revision_attempts_limited"),
            models.CheckConstraint(
                condition=Q(state=State.FAILED, reason__in=[str(r) for r in Reason])
                | ~Q(state=State.FAILED) & Q(reason=""),
                name="revision_failed_with_a_reason",
            ),
            models.CheckConstraint(
                condition=Q(lease_token__isnull=True, lease_expires_at__isnull=True)
                | Q(lease_token__isnull=False, lease_expires_at__isnull=False, state=State.READING),
                name="revision_lease_while_reading",
            ),
            models.CheckConstraint(
                condition=Q(state=State.READY, published_at__isnull=False) | ~Q(state=State.READY),
                name="revision_ready_is_published",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at"],
                name="revision_unfinished",
                condition=Q(state__in=[State.RECEIVED, State.READING, State.EMBEDDING]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.filename} ({self.number})"

    @property
    def stored_name(self) -> str:
        """The name of the file in the storage."""
        return str(self.file.name)

    @property
    def unfinished(self) -> bool:
        return self.state in UNFINISHED
