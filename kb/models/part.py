"""ReadingPart: what was read of a long file while the rest of it is still to be read."""

from django.db import models

from kb.models.revision import Revision


class ReadingPart(models.Model):
    """The items of one part, compressed, and the checkpoint that the next part begins with. A killed worker costs its
    part and no more; when the last has been read all of them become the text, and go."""

    revision = models.ForeignKey(Revision, models.DO_NOTHING, db_constraint=False, related_name="parts")
    ordinal = models.PositiveIntegerField()
    items = models.BinaryField()
    checkpoint = models.BinaryField()

    class Meta:
        ordering = ["ordinal"]
        constraints = [models.UniqueConstraint(fields=["revision", "ordinal"], name="part_ordinal_once")]

    def __str__(self) -> str:
        return f"Part {self.ordinal} of {self.revision_id}"
