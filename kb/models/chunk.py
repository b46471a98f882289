"""Chunk: a passage, stored with its place; and the text of a revision that its chunks are cut from."""

import uuid
from typing import Self

from django.contrib.auth.models import AnonymousUser
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from kb.models.access import User
from kb.models.revision import Revision


class RevisionText(models.Model):
    """All the text read out of a revision. For each of its chunks: `text[start:end]` is the chunk's text.

    In a table of its own: it may have 20 MB, and lists of revisions must not fetch it.
    """

    revision = models.OneToOneField(
        Revision, models.DO_NOTHING, db_constraint=False, primary_key=True, related_name="full_text"
    )
    text = models.TextField()
    outline = models.JSONField(default=list, help_text="Headings: [{level, title, start}].")
    stretches = models.JSONField(default=list, help_text="What stands where: [[start, end, kind, syntax]].")
    page_starts = ArrayField(
        models.PositiveIntegerField(), default=list, help_text="Where each page begins in the text."
    )

    def __str__(self) -> str:
        return f"Text of {self.revision_id}"


class ChunkQuerySet(models.QuerySet["Chunk"]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Chunks of the revisions this person may see, superseded ones included: citations are permanent."""
        return self.filter(revision__in=Revision.objects.visible_to(user))


class Chunk(models.Model):
    """A passage of a revision: characters [start, end) of its text."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    revision = models.ForeignKey(
        Revision, models.DO_NOTHING, db_constraint=False, related_name="chunks", verbose_name=_("revision")
    )
    ordinal = models.PositiveIntegerField(_("ordinal"))
    start = models.PositiveIntegerField(_("from character"))
    end = models.PositiveIntegerField(_("to character"))
    text = models.TextField(_("text"))
    heading_path = ArrayField(models.TextField(), default=list, verbose_name=_("headings"))
    context = models.TextField(
        _("context"),
        blank=True,
        help_text=_("Given to the encoder in front of the text: headings, a table's header row."),
    )
    kind = models.CharField(_("kind"), max_length=10)
    anchor = models.JSONField(_("place"))
    language = models.CharField(_("language"), max_length=8)
    tokens = models.PositiveIntegerField(_("tokens"))
    content_hash = models.CharField(_("fingerprint of the text"), max_length=64)
    lexemes = SearchVectorField(help_text="Written by `kb.lexemes`, in its own segmentation.")

    objects = ChunkQuerySet.as_manager()

    class Meta:
        verbose_name = _("chunk")
        verbose_name_plural = _("chunks")
        ordering = ["ordinal"]
        constraints = [
            models.UniqueConstraint(fields=["revision", "ordinal"], name="chunk_ordinal_once"),
            models.CheckConstraint(condition=Q(start__lt=F("end")), name="chunk_range"),
            models.CheckConstraint(condition=Q(tokens__gt=0), name="chunk_has_tokens"),
        ]
        indexes = [
            GinIndex(fields=["lexemes"], name="chunk_lexemes"),
            # The languages of a document, and whether it has passages in one, without a look at the passages.
            models.Index(fields=["revision", "language"], name="chunk_languages"),
        ]

    def __str__(self) -> str:
        return self.text[:80]
