"""QueryMean: the mean embedding of what a person asks in a language, which centring subtracts from their queries."""

from collections.abc import Mapping
from uuid import UUID

import numpy as np
from django.db import connection, models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from pgvector import Vector
from pgvector.django import VectorField

from embeddings import instructions
from embeddings.centring import Mean
from embeddings.models import Space
from kb.models import User
from search.hits import Seen

ENOUGH = 50
"""From so many queries on their mean does better than that of passages (measured: docs/decisions.md)."""

_GROWTH = 1.25
"""The mean in use is made anew when there are so many times the queries it was made of: seldom, so that the pages of
one answer, and a link opened twice, show the same."""


class QueryMeanQuerySet(models.QuerySet["QueryMean"]):
    def add_seen(self, user: User, seen: Seen) -> None:
        """Add a query to what this person asked in its language. In one statement, so that none is lost."""
        with connection.cursor() as cursor:
            embedding = Vector(seen.embedding).to_text()
            cursor.execute(_COUNT, [user.pk, seen.space_id, seen.instruction, seen.language, embedding])

    def in_use(self, user_id: int, space_id: UUID, instruction: str) -> Mapping[str, Mean]:
        """The means in use for what this person asks, by language."""
        made = self.filter(user=user_id, space=space_id, instruction=instruction, mean__isnull=False)
        return {language: np.asarray(mean, dtype=np.float32) for language, mean in made.values_list("language", "mean")}

    def sweep(self) -> None:
        """Take means into use that have grown enough."""
        for one in self.filter(queries__gte=ENOUGH).filter(queries__gte=_GROWTH * F("made_of")):
            mean = np.asarray(one.total, dtype=np.float64) / one.queries
            self.filter(pk=one.pk).update(mean=mean.astype(np.float32), made_of=one.queries, updated_at=Now())


class QueryMean(models.Model):
    """How many queries in a language a person asked of a space, with an instruction, and the sum of their embeddings:
    no words are kept. `mean` is the one in use, of the first `made_of` of them.

    A person's own, because a mean over what others ask would tell of it, and would let anybody move what others find.
    """

    user = models.ForeignKey(User, models.CASCADE, related_name="+", verbose_name=_("user"))
    space = models.ForeignKey(Space, models.CASCADE, related_name="+", verbose_name=_("space"))
    instruction = models.CharField(max_length=instructions.LONGEST, blank=True)
    language = models.CharField(_("language"), max_length=8)
    queries = models.PositiveIntegerField(_("queries"))
    total = VectorField()
    mean = VectorField(null=True)
    made_of = models.PositiveIntegerField(default=0, db_default=0)
    updated_at = models.DateTimeField(db_default=Now())

    objects = QueryMeanQuerySet.as_manager()

    class Meta:
        verbose_name = _("mean of queries")
        verbose_name_plural = _("means of queries")
        constraints = [
            models.UniqueConstraint(fields=["user", "space", "instruction", "language"], name="query_mean_once"),
            models.CheckConstraint(condition=Q(made_of__lte=F("queries")), name="query_mean_of_queries"),
        ]

    def __str__(self) -> str:
        return f"{self.queries} × {self.language}"


_COUNT = """
INSERT INTO search_querymean AS known (user_id, space_id, instruction, language, queries, total)
VALUES (%s, %s, %s, %s, 1, %s)
ON CONFLICT (user_id, space_id, instruction, language)
DO UPDATE SET queries = known.queries + 1, total = known.total + excluded.total
"""
