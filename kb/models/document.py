"""Document: a thing with a title that a reader would cite. It has one or more revisions; one of them is live."""

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

from django.contrib.auth.models import AnonymousUser
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Count, F, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from kb.models.access import User
from kb.models.collection import Collection

if TYPE_CHECKING:
    from kb.models.revision import Revision


UNFINISHED = ("received", "reading", "embedding")
"""States of a revision from which it still comes to an end by itself."""


class DocumentQuerySet(models.QuerySet["Document"]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Documents of the collections this person may see."""
        return self.filter(collection__in=Collection.objects.visible_to(user))

    def writable_by(self, user: User | AnonymousUser) -> Self:
        """Documents of the collections this person may add to."""
        return self.filter(collection__in=Collection.objects.writable_by(user))

    def with_shown(self) -> Self:
        """With `shown_id`, `state` and `chunk_count` of the revision a document is judged by: the live one, or
        while there is none the newest."""
        from kb.models.chunk import Chunk  # the two files describe one chain; a module-level import would be a ring
        from kb.models.revision import Revision

        newest = Revision.objects.filter(document=OuterRef("pk")).order_by("-number")
        shown = self.annotate(shown_id=Coalesce(F("live_revision_id"), Subquery(newest.values("pk")[:1])))
        counted = Chunk.objects.filter(revision=OuterRef("shown_id")).order_by().values("revision")
        return shown.annotate(
            state=Subquery(Revision.objects.filter(pk=OuterRef("shown_id")).order_by().values("state")),
            newest_id=Subquery(newest.values("pk")[:1]),
            chunk_count=Coalesce(Subquery(counted.annotate(n=Count("pk")).values("n")), 0),
        )

    def unfinished(self) -> Self:
        """With what `with_shown` adds: documents whose shown revision is still on its way."""
        return self.with_shown().filter(state__in=UNFINISHED)

    def with_unfinished_revision(self) -> Self:
        """Documents with work going on, be it on a newer revision than the one shown."""
        return self.filter(revisions__state__in=UNFINISHED).distinct()

    def failed(self) -> Self:
        """With what `with_shown` adds: documents whose shown revision failed."""
        return self.with_shown().filter(state="failed")

    def with_revisions(self) -> Self:
        """With all revisions of each document at hand, so that `shown` and `newest` cost no query of their own."""
        return self.prefetch_related("revisions")

    def shown_like(
        self,
        *,
        state: str = "",
        states: Sequence[str] = (),
        tags: Sequence[str] = (),
        language: str = "",
        text: str = "",
    ) -> Self:
        """With what `with_shown` adds, narrowed; an empty value narrows nothing."""
        found = self.with_shown()
        if state:
            found = found.filter(state=state)
        if states:
            found = found.filter(state__in=states)
        if tags:
            found = found.filter(tags__contains=list(tags))
        if language:
            found = found.filter(revisions__pk=F("shown_id"), revisions__language=language)
        if text:
            found = found.filter(Q(title__icontains=text) | Q(revisions__filename__icontains=text)).distinct()
        return found


class Document(models.Model):
    """What people see, tag, cite and delete. Deleting the row deletes all below it, in the database itself."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    collection = models.ForeignKey(
        Collection, models.DO_NOTHING, db_constraint=False, related_name="documents", verbose_name=_("collection")
    )
    title = models.CharField(_("title"), max_length=500)
    tags = ArrayField(models.CharField(max_length=100), default=list, blank=True, verbose_name=_("tags"))
    metadata = models.JSONField(_("metadata"), default=dict, blank=True)
    live_revision = models.OneToOneField(
        "kb.Revision", models.DO_NOTHING, db_constraint=False, null=True, blank=True, related_name="live_for"
    )
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+", verbose_name=_("created by"))
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    objects = DocumentQuerySet.as_manager()

    class Meta:
        verbose_name = _("document")
        verbose_name_plural = _("documents")
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["collection", "-created_at", "-id"], name="document_newest_first"),
            GinIndex(fields=["tags"], name="document_tags"),
        ]

    def __str__(self) -> str:
        return self.title

    EDITABLE = ("title", "tags", "metadata")
    """What people change. `live_revision` is written by name only: a form that was open must not undo a publish."""

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            kwargs = {"update_fields": [*self.EDITABLE, "updated_at"], **kwargs}
        super().save(*args, **kwargs)

    def get_absolute_url(self) -> str:
        return reverse("document", args=[self.pk])

    @property
    def newest(self) -> "Revision":
        """The revision uploaded last. Every document has one."""
        return max(self.revisions.all(), key=lambda revision: revision.number)

    @property
    def shown(self) -> "Revision":
        """The revision this document is judged by: the live one, or while there is none the newest."""
        live = (revision for revision in self.revisions.all() if revision.pk == self.live_revision_id)
        return next(live, None) or self.newest
