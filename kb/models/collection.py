"""Collection: a named set of documents, and what access is granted on."""

import uuid
from collections.abc import Sequence
from typing import Any, Self

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import IntegrityError, models, transaction
from django.db.models import Count, Q
from django.urls import reverse
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from embeddings import instructions
from embeddings.models import Space
from kb.models.access import AccessToken, Grantee, Membership, Role, User
from kb.reading.options import Options

_SLUG_ATTEMPTS = 10


def check_instruction(own: str) -> None:
    """Raises ValidationError when these words cannot be an instruction."""
    try:
        instructions.check(own)
    except instructions.BadInstruction as why:
        raise ValidationError(str(why)) from why


SMALLEST, LARGEST = 32, 8192
"""Tokens: no passage size is below or above."""


class Domain(models.TextChoices):
    """What a collection is about: chooses the instruction that encoders which take one are given with a query."""

    GENERAL = "general", _("General")
    LEGAL = "legal", _("Legal")
    MEDICAL = "medical", _("Medical")
    FINANCE = "finance", _("Finance")
    ENGINEERING = "engineering", _("Engineering")
    CODE = "code", _("Code")
    SUPPORT = "support", _("Support")
    CUSTOM = "custom", _("In your own words")


class Balance(models.TextChoices):
    """Whether passages are compared as if all were in one language."""

    AUTO = "auto", _("Where there are several")
    ON = "on", _("Always")
    OFF = "off", _("Never")


class CollectionQuerySet(models.QuerySet["Collection"]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Collections this person owns or is a member of, in any role. The only door to what is inside them:
        every path to a document or chunk starts here. A superuser sees all."""
        return self.granted_to(Grantee.of(user))

    def writable_by(self, user: User | AnonymousUser) -> Self:
        """Collections to which this person may add documents."""
        return self.granted_to(Grantee.of(user), [Role.CONTRIBUTOR, Role.MANAGER])

    def managed_by(self, user: User | AnonymousUser) -> Self:
        """Collections whose settings and members this person may change."""
        return self.granted_to(Grantee.of(user), [Role.MANAGER])

    def with_counts(self) -> Self:
        """With `document_count`, and `searchable_count`: how many of the documents have a live revision."""
        return self.annotate(
            document_count=Count("documents"),
            searchable_count=Count("documents__live_revision"),
        )

    def granted_to(self, grantee: Grantee | None, roles: Sequence[str] = Role.values) -> Self:
        """Collections in which they have one of these roles, or which are their own."""
        if grantee is None:
            return self.none()
        reachable = self._of_token(grantee)
        if grantee.is_superuser:
            return reachable
        groups = User.groups.through.objects.filter(user=grantee.user_id).values("group")
        grants = Membership.objects.filter(role__in=roles)
        held = grants.filter(Q(user=grantee.user_id) | Q(group__in=groups))
        return reachable.filter(Q(owner=grantee.user_id) | Q(pk__in=held.values("collection")))

    def _of_token(self, grantee: Grantee) -> Self:
        """All collections, or those to which the token of this request is limited."""
        if grantee.token_id is None:
            return self.all()
        limits = AccessToken.collections.through.objects.filter(accesstoken=grantee.token_id)
        return self.filter(pk__in=limits.values("collection"))


class Collection(models.Model):
    """A named set of documents with an owner, members, and the space its embeddings are in."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    slug = models.SlugField(_("name in addresses"), max_length=80, unique=True, allow_unicode=True)
    name = models.CharField(_("name"), max_length=200)
    description = models.TextField(_("description"), blank=True)
    owner = models.ForeignKey(User, models.PROTECT, related_name="collections", verbose_name=_("owner"))
    instruction_domain = models.CharField(_("domain"), max_length=20, choices=Domain, default=Domain.GENERAL)
    own_instruction = models.CharField(
        _("instruction"),
        max_length=instructions.LONGEST,
        blank=True,
        validators=[check_instruction],
        help_text=_(
            "What a query looks for, in English, as “Given a question about ships, retrieve passages of logbooks that "
            "answer it”. For the domain “In your own words”."
        ),
    )
    balance_languages = models.CharField(
        _("balance languages"),
        max_length=4,
        choices=Balance,
        default=Balance.AUTO,
        help_text=_("Unless they are balanced, passages in the language of a question crowd out answers in others."),
    )
    chunk_target = models.PositiveSmallIntegerField(
        _("passage size"), default=256, help_text=_("Tokens a passage should have.")
    )
    chunk_maximum = models.PositiveSmallIntegerField(
        _("largest passage"), default=448, help_text=_("Tokens a passage may have at most.")
    )
    chunk_overlap = models.PositiveSmallIntegerField(
        _("overlap"),
        default=0,
        help_text=_("Tokens, in whole sentences, that a passage repeats from the one before it."),
    )
    ocr_languages = models.CharField(
        _("languages of scans"),
        max_length=100,
        blank=True,
        default="eng+chi_sim",
        validators=[RegexValidator(r"^[A-Za-z_]{3,40}(\+[A-Za-z_]{3,40})*$")],
        help_text=_("Tesseract's names for them, joined by +. Empty: pages without text are left out."),
    )
    reads_annotations = models.BooleanField(
        _("read annotations"), default=False, help_text=_("Notes and form fields of PDF files are read too.")
    )
    active_space = models.ForeignKey(Space, models.PROTECT, related_name="active_in", verbose_name=_("active space"))
    building_space = models.ForeignKey(
        Space, models.PROTECT, null=True, blank=True, related_name="building_in", verbose_name=_("space being built")
    )
    previous_space = models.ForeignKey(
        Space,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="previous_in",
        verbose_name=_("space before"),
        help_text=_("Kept up to date until it is dropped, for the way back."),
    )
    means_due = models.BooleanField(default=False, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    objects = CollectionQuerySet.as_manager()

    class Meta:
        verbose_name = _("collection")
        verbose_name_plural = _("collections")
        ordering = ["name", "id"]
        constraints = [
            models.CheckConstraint(condition=Q(instruction_domain__in=Domain.values), name="collection_domain_known"),
            models.CheckConstraint(condition=Q(balance_languages__in=Balance.values), name="collection_balance_known"),
            models.CheckConstraint(
                condition=Q(
                    chunk_target__gte=SMALLEST,
                    chunk_target__lte=models.F("chunk_maximum"),
                    chunk_maximum__lte=LARGEST,
                ),
                name="collection_chunk_sizes",
            ),
            models.CheckConstraint(
                condition=Q(chunk_overlap__lte=models.F("chunk_target") / 2), name="collection_chunk_overlap"
            ),
            models.CheckConstraint(
                condition=Q(building_space__isnull=True) | ~Q(building_space=models.F("active_space")),
                name="collection_builds_another_space",
            ),
            models.CheckConstraint(
                condition=Q(previous_space__isnull=True)
                | Q(building_space__isnull=True) & ~Q(previous_space=models.F("active_space")),
                name="collection_keeps_another_space",
            ),
            models.CheckConstraint(
                condition=~Q(instruction_domain="custom") | ~Q(own_instruction=""),
                name="collection_own_instruction_said",
            ),
        ]

    def __str__(self) -> str:
        """The name; where another had it first, with the address that tells the two apart."""
        before, _hyphen, number = self.slug.rpartition("-")
        return f"{self.name} ({self.slug})" if before == self._stem() and number.isdecimal() else self.name

    SETTINGS = (
        "slug",
        "name",
        "description",
        "owner",
        "instruction_domain",
        "own_instruction",
        "balance_languages",
        "chunk_target",
        "chunk_maximum",
        "chunk_overlap",
        "ocr_languages",
        "reads_annotations",
    )
    """What people change. The rest is written by name only: a form that was open must not put back an old space."""

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            super().save(*args, **{"update_fields": [*self.SETTINGS, "updated_at"], **kwargs})
        elif self.slug:
            super().save(*args, **kwargs)
        else:
            self._save_with_free_slug(*args, **kwargs)

    def get_absolute_url(self) -> str:
        return reverse("collection", args=[self.slug])

    @property
    def space_ids(self) -> set[uuid.UUID]:
        """The spaces its passages are embedded into: the active one, and the one being built or kept for the way
        back."""
        return {one for one in (self.active_space_id, self.building_space_id, self.previous_space_id) if one}

    @property
    def instruction(self) -> str:
        """What encoders that take an instruction are told its queries look for."""
        return instructions.instruction_for(self.instruction_domain, self.own_instruction)

    @property
    def query_fingerprint(self) -> str:
        """See Space.query_fingerprint: of the queries it is searched with."""
        return self.active_space.query_fingerprint(self.instruction)

    @property
    def reading_options(self) -> Options:
        """What the readers are asked for."""
        languages = tuple(language for language in self.ocr_languages.split("+") if language)
        return Options(annotations=self.reads_annotations, ocr_languages=languages)

    def _save_with_free_slug(self, *args: Any, **kwargs: Any) -> None:
        """Two people may take the same free slug at the same moment: whoever comes second takes the next."""
        for _attempt in range(_SLUG_ATTEMPTS):
            self.slug = self._free_slug()
            try:
                with transaction.atomic():
                    return super().save(*args, **kwargs)
            except IntegrityError:
                continue
        self.slug = uuid.uuid4().hex
        return super().save(*args, **kwargs)

    def _stem(self) -> str:
        return slugify(self.name, allow_unicode=True)[:70] or "collection"

    def _free_slug(self) -> str:
        """The name as a slug, numbered where that one is taken."""
        stem = self._stem()
        taken = set(Collection.objects.filter(slug__startswith=stem).values_list("slug", flat=True))
        if stem not in taken:
            return stem
        return next(slug for n in range(2, len(taken) + 3) if (slug := f"{stem}-{n}") not in taken)
