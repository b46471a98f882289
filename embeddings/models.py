"""Space: which encoder, set up how. Embeddings of different spaces are never compared."""

import uuid

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from embeddings import fingerprint, prompts


class Storage(models.TextChoices):
    """What the index of a space holds. The embeddings themselves are kept in half precision either way."""

    HALFVEC = "halfvec", _("half precision")
    LEADING = "leading", _("the first 1,024 numbers, found passages compared again in all")
    BINARY = "binary", _("one bit a number, found passages compared again in half precision")


class Space(models.Model):
    """An embedding space. Its fingerprint covers everything that changes the numbers an encoder gives."""

    id = models.UUIDField(primary_key=True, editable=False, help_text="Made from the fingerprint: `spaces.identity`.")
    name = models.CharField(_("name"), max_length=200, unique=True)
    model = models.CharField(
        _("model"), max_length=300, help_text=_("A hub name, a folder, “bundled”, or the name on the server.")
    )
    url = models.URLField(
        _("server"), max_length=300, blank=True, help_text=_("Of the server that encodes; empty: we do it.")
    )
    fingerprint = models.CharField(_("fingerprint"), max_length=64, unique=True)
    dimensions = models.PositiveSmallIntegerField(_("dimensions"))
    dtype = models.CharField(_("number type"), max_length=20)
    pooling = models.CharField(_("pooling"), max_length=20)
    query_prompt = models.TextField(_("query prompt"), blank=True)
    passage_prompt = models.TextField(_("passage prompt"), blank=True)
    max_tokens = models.PositiveIntegerField(
        _("longest text"), help_text=_("Tokens up to which the encoder reads the whole of a text.")
    )
    probe = models.BinaryField(
        null=True, editable=False, help_text="Of an encoder on a server, what it first gave for `probe.TEXTS`: float32."
    )
    storage = models.CharField(_("index"), max_length=10, choices=Storage, default=Storage.HALFVEC)
    indexed = models.CharField(
        max_length=10,
        choices=Storage,
        blank=True,
        editable=False,
        help_text="Which index is there to be asked; empty: none, every embedding is compared.",
    )
    configured_at = models.DateTimeField(
        null=True, editable=False, help_text="When the settings last asked for this space."
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("space")
        verbose_name_plural = _("spaces")
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(dimensions__gte=2, dimensions__lte=4000), name="space_dimensions_fit_halfvec"
            ),
            models.CheckConstraint(condition=Q(storage__in=Storage.values), name="space_storage_known"),
            models.CheckConstraint(condition=Q(indexed__in=["", *Storage.values]), name="space_indexed_known"),
        ]

    def __str__(self) -> str:
        return self.name

    def query_fingerprint(self, instruction: str = "") -> str:
        """Of the space, its query prompt and the instruction in it: queries may be given another instruction at any
        time, and passages stay where they are."""
        return fingerprint.of_queries(self.fingerprint, prompts.with_instruction(self.query_prompt, instruction))


class Registration(models.Model):
    """A space that somebody asked for: a row of the registry once the files of its model have been read."""

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")

    ATTEMPTS = 3

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    model = models.CharField(_("model"), max_length=300, help_text=_("A hub name, a folder, or “bundled”."))
    dimensions = models.PositiveSmallIntegerField(
        _("dimensions"), null=True, blank=True, help_text=_("Fewer than the model gives; empty: all of them.")
    )
    dtype = models.CharField(
        _("number type"),
        max_length=20,
        blank=True,
        choices=[("bfloat16", "bfloat16"), ("float32", "float32")],
        help_text=_("Empty: the one of this installation."),
    )
    storage = models.CharField(_("index"), max_length=10, choices=Storage, default=Storage.HALFVEC)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.WAITING, editable=False)
    detail = models.TextField(_("what happened"), blank=True, editable=False)
    space = models.ForeignKey(
        Space, models.CASCADE, null=True, editable=False, related_name="registrations", verbose_name=_("space")
    )
    attempts = models.PositiveSmallIntegerField(default=0, editable=False)
    next_attempt_at = models.DateTimeField(db_default=Now(), editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("new space")
        verbose_name_plural = _("new spaces")
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state="done", space__isnull=False) | ~Q(state="done"), name="registration_done_has_a_space"
            ),
        ]

    def __str__(self) -> str:
        return self.model
