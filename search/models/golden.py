"""Golden query: a question of which it is known what answers it; and the judgements that say so."""

import uuid
from typing import Any, Self

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import MD5
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from kb import language
from kb.models import Collection, Document, Revision, User

LONGEST = 4_000
"""Characters of a golden query, as of any query."""


class Grade(models.IntegerChoices):
    """How well something answers. What is relevant counts from 1 on."""

    NOT = 0, _("Does not answer")
    RELATED = 1, _("Has to do with it")
    PARTLY = 2, _("Answers in part")
    ANSWERS = 3, _("Answers")


class GoldenQueryQuerySet(models.QuerySet["GoldenQuery"]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Golden queries of the collections this person may see."""
        return self.filter(collection__in=Collection.objects.visible_to(user))

    def writable_by(self, user: User | AnonymousUser) -> Self:
        """Golden queries of the collections this person may add to."""
        return self.filter(collection__in=Collection.objects.writable_by(user))


class GoldenQuery(models.Model):
    """A question asked of one collection, on one line. Its judgements are what a search is measured by."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    collection = models.ForeignKey(
        Collection, models.CASCADE, related_name="golden_queries", verbose_name=_("collection")
    )
    text = models.TextField(_("query"), max_length=LONGEST)
    language = models.CharField(_("language"), max_length=8, blank=True, help_text=_("Empty: as the words tell."))
    note = models.TextField(_("note"), max_length=LONGEST, blank=True)
    created_by = models.ForeignKey(
        User, models.SET_NULL, null=True, editable=False, related_name="+", verbose_name=_("made by")
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = GoldenQueryQuerySet.as_manager()

    class Meta:
        verbose_name = _("golden query")
        verbose_name_plural = _("golden queries")
        ordering = ["-created_at", "-id"]
        constraints = [
            # Of the digest: an index takes no text of this length.
            models.UniqueConstraint(
                F("collection"),
                MD5("text"),
                name="golden_query_once_a_collection",
                violation_error_message=_("This is a golden query of the collection already."),
            ),
            models.CheckConstraint(condition=~Q(text=""), name="golden_query_has_text"),
            models.CheckConstraint(condition=~Q(language=""), name="golden_query_has_language"),
        ]
        indexes = [models.Index(fields=["collection", "-created_at", "-id"], name="golden_newest_first")]

    def __str__(self) -> str:
        return self.text[:80]

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.clean()
        super().save(*args, **kwargs)

    def get_absolute_url(self) -> str:
        return reverse("golden_query", args=[self.collection.slug, self.pk])

    def clean(self) -> None:
        """What is left empty is told by the words."""
        self.language = self.language or language.identify(self.text)


class JudgementQuerySet(models.QuerySet["Judgement"]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Judgements on the golden queries this person may see."""
        return self.filter(golden_query__in=GoldenQuery.objects.visible_to(user))


class Judgement(models.Model):
    """How well a document answers a golden query, or characters [start, end) of one of its revisions: characters stay
    right when the document is split anew."""

    golden_query = models.ForeignKey(GoldenQuery, models.CASCADE, related_name="judgements")
    # The database itself deletes with the document and the revision, as below a document everywhere.
    document = models.ForeignKey(
        Document, models.DO_NOTHING, db_constraint=False, related_name="+", verbose_name=_("document")
    )
    revision = models.ForeignKey(
        Revision, models.DO_NOTHING, db_constraint=False, null=True, blank=True, related_name="+"
    )
    start = models.PositiveIntegerField(null=True, blank=True)
    end = models.PositiveIntegerField(null=True, blank=True)
    grade = models.PositiveSmallIntegerField(_("grade"), choices=Grade, default=Grade.ANSWERS)

    objects = JudgementQuerySet.as_manager()

    class Meta:
        verbose_name = _("judgement")
        verbose_name_plural = _("judgements")
        ordering = ["-grade", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["golden_query", "document", "revision", "start", "end"],
                nulls_distinct=False,
                name="judgement_once_a_place",
            ),
            models.CheckConstraint(condition=Q(grade__in=Grade.values), name="judgement_grade_known"),
            models.CheckConstraint(
                condition=Q(revision__isnull=True, start__isnull=True, end__isnull=True)
                | Q(revision__isnull=False, start__isnull=False, end__isnull=False, start__lt=F("end")),
                name="judgement_of_a_document_or_a_passage",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_grade_display()}: {self.document_id}"
