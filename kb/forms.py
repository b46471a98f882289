"""What people fill in: collections, members, documents, and the filter above a list of documents."""

import re
from typing import Any

from django import forms
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from kb.models import Collection, Document, Domain, Membership, Role, User
from kb.models.collection import LARGEST, SMALLEST
from kb.reading import text

_ABOUT = ("name", "description", "instruction_domain", "own_instruction", "balance_languages")
_READING = ("chunk_target", "chunk_maximum", "chunk_overlap", "ocr_languages", "reads_annotations")
_DESCRIPTION = forms.Textarea({"rows": 3})
_DOMAIN_HELP = _("What the documents are about; it helps to find the right passages.")


class CollectionForm(forms.ModelForm[Collection]):
    """What a new collection is. Its own words for queries are said in its settings."""

    instruction_domain = forms.ChoiceField(
        label=capfirst(_("domain")),
        choices=[choice for choice in Domain.choices if choice[0] != Domain.CUSTOM],
        initial=Domain.GENERAL,
        help_text=_DOMAIN_HELP,
    )

    class Meta:
        model = Collection
        fields = ("name", "description", "instruction_domain")
        widgets = {"description": _DESCRIPTION}


class SettingsForm(forms.ModelForm[Collection]):
    """All that people set of a collection, how its files are read and split included."""

    class Meta:
        model = Collection
        fields = (*_ABOUT, *_READING)
        widgets = {
            "description": _DESCRIPTION,
            "chunk_target": forms.NumberInput({"min": SMALLEST, "max": LARGEST}),
            "chunk_maximum": forms.NumberInput({"min": SMALLEST, "max": LARGEST}),
            "ocr_languages": forms.TextInput({"autocomplete": "off", "spellcheck": "false"}),
        }
        help_texts = {"instruction_domain": _DOMAIN_HELP}

    def clean_own_instruction(self) -> str:
        return text.one_line(self.cleaned_data["own_instruction"])

    def clean(self) -> dict[str, Any]:
        super().clean()
        given = self.cleaned_data
        if given.get("instruction_domain") == Domain.CUSTOM and not given.get("own_instruction", "missing"):
            self.add_error("own_instruction", _("Say it in your own words, or choose a domain."))
        target, maximum, overlap = (given.get(name) for name in ("chunk_target", "chunk_maximum", "chunk_overlap"))
        if target is not None and not SMALLEST <= target <= LARGEST:
            self.add_error("chunk_target", _("This must be from 32 to 8,192."))
        if maximum is not None and maximum > LARGEST:
            self.add_error("chunk_maximum", _("This must be from 32 to 8,192."))
        if target is not None and maximum is not None and maximum < target:
            self.add_error("chunk_maximum", _("The largest passage cannot be smaller than the passage size."))
        if target is not None and overlap is not None and overlap > target / 2:
            self.add_error("chunk_overlap", _("The overlap can be half of the passage size at most."))
        return given

    @property
    def about(self) -> list[forms.BoundField]:
        """The fields that say what the collection is."""
        return [self[name] for name in _ABOUT]

    @property
    def reading(self) -> list[forms.BoundField]:
        """The fields that say how its files are read and split."""
        return [self[name] for name in _READING]


class PreviewForm(forms.Form):
    """The document that settings are tried on."""

    document = forms.ModelChoiceField(
        Document.objects.none(), label=_("Document"), error_messages={"required": _("Choose a document first.")}
    )

    def __init__(self, *args: Any, documents: QuerySet[Document], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["document"].queryset = documents  # type: ignore[attr-defined]


class TagsField(forms.CharField):
    """Words separated by commas, Chinese and Arabic commas too, as a list without repetitions."""

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> list[str]:  # type: ignore[override]
        words = (text.clean(word).strip() for word in re.split("[,，、،]", value or ""))
        return list(dict.fromkeys(word for word in words if word))

    def validate(self, value: Any) -> None:
        super().validate(value)
        if any(len(tag) > 100 for tag in value):
            raise forms.ValidationError(_("A tag may have at most 100 characters."))
        if len(value) > 50:
            raise forms.ValidationError(_("A document may have at most 50 tags."))

    def run_validators(self, value: Any) -> None:
        """The validators of CharField are for text; `validate` has looked at the list."""


class DocumentForm(forms.ModelForm[Document]):
    tags = TagsField(label=_("Tags"), required=False, help_text=_("Separated by commas."))

    class Meta:
        model = Document
        fields = ("title", "tags")


class MemberForm(forms.Form):
    """Who is granted what in a collection: a person by user name, or a group by its name."""

    name = forms.CharField(
        label=_("User name or group"), max_length=150, widget=forms.TextInput({"autocomplete": "off"})
    )
    role = forms.ChoiceField(label=_("Role"), choices=Role.choices, initial=Role.VIEWER)

    def __init__(self, *args: Any, collection: Collection, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.collection = collection

    def clean_name(self) -> User | Group:
        name = self.cleaned_data["name"].strip()
        member: User | Group | None = User.objects.filter(username=name, is_active=True).first()
        member = member or Group.objects.filter(name=name).first()
        if member is None:
            raise forms.ValidationError(_("There is no person and no group of this name."))
        if member == self.collection.owner:
            raise forms.ValidationError(_("This person owns the collection."))
        return member

    def save(self) -> Membership:
        """Grant the role; someone who has one already gets this one instead."""
        member, role = self.cleaned_data["name"], self.cleaned_data["role"]
        holder = {"user": member} if isinstance(member, User) else {"group": member}
        membership, _new = Membership.objects.update_or_create(
            collection=self.collection, **holder, defaults={"role": role}
        )
        return membership


class RoleForm(forms.ModelForm[Membership]):
    class Meta:
        model = Membership
        fields = ("role",)


class DocumentFilter(forms.Form):
    """The filter above the documents of a collection. `show` is a kind of state: see `STATES`."""

    STATES = {
        "ready": ("ready",),
        "working": ("received", "reading", "embedding"),
        "failed": ("failed", "cancelled"),
    }

    q = forms.CharField(label=_("Title or file name"), required=False, max_length=200)
    show = forms.ChoiceField(required=False, choices=[(name, name) for name in ("", *STATES)])
    page = forms.IntegerField(required=False, min_value=1)
