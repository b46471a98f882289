"""CommonLexeme: how common the commonest words of a collection are, so that no search has to count them."""

from django.db import connection, models

from kb.models.collection import Collection

COMMON = 300
"""From so many passages on a word is common: counting it takes longer than all the rest of a search."""

_SAMPLE = 3_000
"""Passages that are looked at; ids are random, so the first of them are a sample."""


class CommonLexemeQuerySet(models.QuerySet["CommonLexeme"]):
    def refresh(self, collection: Collection) -> None:
        """Estimate them again from a sample of the collection's live passages."""
        with connection.cursor() as cursor:
            self.filter(collection=collection).delete()
            cursor.execute(_COMMON, {"collection": collection.pk, "sample": _SAMPLE, "least": COMMON})


class CommonLexeme(models.Model):
    """A word that stands in at least COMMON passages of a collection, and in how many, about."""

    collection = models.ForeignKey(Collection, models.CASCADE, related_name="+", db_index=False)
    lexeme = models.CharField(max_length=70, help_text="As a tsquery has it.")
    passages = models.PositiveIntegerField()

    objects = CommonLexemeQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["collection", "lexeme"], name="common_lexeme_once")]

    def __str__(self) -> str:
        return self.lexeme


# ts_stat takes its query as text, so the sample goes through a format; a UUID has nothing to escape.
_COMMON = """
WITH counted AS (
  SELECT count(*) AS passages FROM kb_chunk c JOIN kb_document d ON d.live_revision_id = c.revision_id
  WHERE d.collection_id = %(collection)s
), sized AS (SELECT passages, least(passages, %(sample)s)::float AS sampled FROM counted WHERE passages >= %(least)s)
INSERT INTO kb_commonlexeme (collection_id, lexeme, passages)
SELECT %(collection)s, quote_literal(word), round(ndoc * passages / sampled)
FROM sized, ts_stat(format(
  'SELECT c.lexemes FROM kb_chunk c JOIN kb_document d ON d.live_revision_id = c.revision_id
   WHERE d.collection_id = %%L ORDER BY c.id LIMIT %%s', %(collection)s, %(sample)s))
WHERE ndoc * passages / sampled >= %(least)s
"""
