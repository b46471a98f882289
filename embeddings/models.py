"""Space: which encoder, set up how. Embeddings of different spaces are never compared."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Space(models.Model):
    """An embedding space. Its fingerprint covers everything that changes the numbers an encoder gives."""

    id = models.UUIDField(primary_key=True, editable=False, help_text="Made from the fingerprint: `spaces.identity`.")
    name = models.CharField(_("name"), max_length=200, unique=True)
    model = models.CharField(max_length=300, help_text="A hub name, a folder, 'bundled', or the name on the server.")
    url = models.URLField(max_length=300, blank=True, help_text="Of the server that encodes; empty: we do it.")
    fingerprint = models.CharField(max_length=64, unique=True)
    dimensions = models.PositiveSmallIntegerField(_("dimensions"))
    dtype = models.CharField(max_length=20)
    pooling = models.CharField(max_length=20)
    query_prompt = models.TextField(blank=True)
    passage_prompt = models.TextField(blank=True)
    max_tokens = models.PositiveIntegerField(help_text="Longest text of which the encoder reads every token.")
    probe = models.BinaryField(
        null=True, editable=False, help_text="Of an encoder on a server, what it first gave for `probe.TEXTS`: float32."
    )
    configured_at = models.DateTimeField(
        null=True, editable=False, help_text="When the settings last asked for this space."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("space")
        verbose_name_plural = _("spaces")
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(dimensions__gte=2, dimensions__lte=4000), name="space_dimensions_fit_halfvec"
            ),
        ]

    def __str__(self) -> str:
        return self.name
