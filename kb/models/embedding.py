"""Embedding: the numbers of one chunk in one space; the work that is still to be done; the means per language."""

from typing import Self

from django.contrib.auth.models import AnonymousUser
from django.db import connection, models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from pgvector.django import HalfVectorField, VectorField

from embeddings.models import Space
from kb.models.access import User
from kb.models.chunk import Chunk
from kb.models.collection import Collection
from kb.models.revision import Revision


class Embedding(models.Model):
    """A narrow row, so that scans are quick: ids, the language, and the embedding itself.

    Which of them a search may return is decided where it runs: those whose revision is live in its document. Rows of
    spaces of different sizes stand side by side; each space has a partial index of its own (`kb.spaces`).
    """

    pk = models.CompositePrimaryKey("chunk_id", "space_id")
    # No index of its own here and below: another one begins with it.
    chunk = models.ForeignKey(Chunk, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="embeddings")
    space = models.ForeignKey(Space, models.DO_NOTHING, db_index=False, related_name="+")
    revision = models.ForeignKey(Revision, models.DO_NOTHING, db_constraint=False, related_name="+")
    collection = models.ForeignKey(Collection, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+")
    language = models.CharField(max_length=8)
    embedding = HalfVectorField()

    class Meta:
        indexes = [models.Index(fields=["collection", "space"], name="embedding_scope")]

    def __str__(self) -> str:
        return f"{self.chunk_id} in {self.space_id}"


class EmbeddingWorkQuerySet(models.QuerySet["EmbeddingWork"]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """What waits of the revisions this person may see."""
        return self.filter(chunk__revision__in=Revision.objects.visible_to(user))


class EmbeddingWork(models.Model):
    """One chunk that lacks its embedding in one space. These rows are the queue of the embed workers.

    `turn` is what they are ordered by: it gives every owner's chunks their share however many there are
    (start-time fair queueing: Goyal, Vin, Cheng, SIGCOMM 1996; see `ingestion`).
    """

    id = models.BigAutoField(_("number"), primary_key=True)
    chunk = models.ForeignKey(
        Chunk, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+", verbose_name=_("passage")
    )
    space = models.ForeignKey(Space, models.DO_NOTHING, db_index=False, related_name="+", verbose_name=_("space"))
    owner = models.ForeignKey(
        User,
        models.DO_NOTHING,
        db_constraint=False,
        null=True,
        db_index=False,
        related_name="+",
        verbose_name=_("owner"),
    )
    turn = models.BigIntegerField(_("turn"))
    tokens = models.PositiveIntegerField(_("tokens"))
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    next_attempt_at = models.DateTimeField(_("next attempt"), db_default=Now())
    lease_token = models.UUIDField(_("lease"), null=True, blank=True)
    lease_expires_at = models.DateTimeField(_("leased until"), null=True, blank=True)

    objects = EmbeddingWorkQuerySet.as_manager()

    class Meta:
        verbose_name = _("embedding work")
        verbose_name_plural = _("embedding work")
        constraints = [
            models.UniqueConstraint(fields=["chunk", "space"], name="work_once_a_chunk_and_space"),
            models.CheckConstraint(
                condition=Q(lease_token__isnull=True, lease_expires_at__isnull=True)
                | Q(lease_token__isnull=False, lease_expires_at__isnull=False),
                name="work_lease_whole",
            ),
        ]
        indexes = [
            models.Index(fields=["space", "turn", "id"], name="work_in_turn"),
            models.Index(fields=["owner", "turn"], name="work_of_owner"),
            # Few of the many that wait are leased: renewing and giving back must not look at all of them.
            models.Index(fields=["lease_token"], name="work_of_lease", condition=Q(lease_token__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.chunk_id} for {self.space_id}"


class LanguageMeanQuerySet(models.QuerySet["LanguageMean"]):
    def refresh(self, collection: Collection) -> None:
        """Compute the means of a collection again from its live embeddings. One pass over its rows; no drift."""
        with connection.cursor() as cursor:
            cursor.execute(_MEANS, {"collection": collection.pk})
            cursor.execute(_MEANS_LEFT_OVER, {"collection": collection.pk})


class LanguageMean(models.Model):
    """The mean embedding of a language in a collection and space: what centring by language subtracts."""

    collection = models.ForeignKey(
        Collection, models.CASCADE, related_name="language_means", verbose_name=_("collection")
    )
    space = models.ForeignKey(Space, models.CASCADE, related_name="+", verbose_name=_("space"))
    language = models.CharField(_("language"), max_length=8)
    passages = models.PositiveIntegerField(_("passages"))
    mean = VectorField()
    updated_at = models.DateTimeField(_("changed"), db_default=Now())

    objects = LanguageMeanQuerySet.as_manager()

    class Meta:
        verbose_name = _("mean of a language")
        verbose_name_plural = _("means of languages")
        constraints = [
            models.UniqueConstraint(fields=["collection", "space", "language"], name="mean_once_a_language"),
            models.CheckConstraint(condition=Q(passages__gt=0), name="mean_of_passages"),
        ]

    def __str__(self) -> str:
        return f"{self.language} in {self.collection_id}"


_MEANS = """
INSERT INTO kb_languagemean (collection_id, space_id, language, passages, mean)
SELECT e.collection_id, e.space_id, e.language, count(*), avg(e.embedding::vector)
FROM kb_embedding e JOIN kb_document d ON d.live_revision_id = e.revision_id
WHERE e.collection_id = %(collection)s
GROUP BY 1, 2, 3
ON CONFLICT (collection_id, space_id, language)
DO UPDATE SET passages = excluded.passages, mean = excluded.mean, updated_at = statement_timestamp()
"""
_MEANS_LEFT_OVER = """
DELETE FROM kb_languagemean m WHERE collection_id = %(collection)s AND NOT EXISTS (
  SELECT FROM kb_embedding e JOIN kb_document d ON d.live_revision_id = e.revision_id
  WHERE (e.collection_id, e.space_id, e.language) = (m.collection_id, m.space_id, m.language))
"""
