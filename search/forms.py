"""What people fill in of golden queries: the query itself, the grades of its judgements, a file of them."""

from typing import Any

from django import forms
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

from kb import language
from kb.reading import text
from search.models import GoldenQuery, Judgement
from search.models.golden import LONGEST, Grade


class QueryTextField(forms.CharField):
    """A query on one line of clean text."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_length": LONGEST, "label": _("Query"), **kwargs})

    def to_python(self, value: Any) -> str:
        return text.one_line(super().to_python(value) or "")


class LanguageField(forms.CharField):
    """The code of a language, without its region; empty where the words tell."""

    default_validators = [RegexValidator("^[a-z]{2,3}$", _("A language is named by its code: en, zh, ar."))]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"required": False, "label": _("Language"), **kwargs})

    def to_python(self, value: Any) -> str:
        return language.primary(super().to_python(value) or "")


class GoldenQueryForm(forms.ModelForm[GoldenQuery]):
    """A golden query as it is changed."""

    text = QueryTextField(widget=forms.Textarea({"rows": 2, "dir": "auto"}))
    language = LanguageField(help_text=_("Its code, such as en or zh. Empty: as the words tell."))

    class Meta:
        model = GoldenQuery
        fields = ("text", "language", "note")
        widgets = {"note": forms.Textarea({"rows": 2, "dir": "auto"})}

    def clean_note(self) -> str:
        return text.clean(self.cleaned_data["note"]).strip()

    def clean(self) -> dict[str, Any]:
        told = self.cleaned_data
        others = GoldenQuery.objects.filter(collection=self.instance.collection_id, text=told.get("text"))
        if others.exclude(pk=self.instance.pk).exists():
            self.add_error("text", _("This is a golden query of the collection already."))
        return told


class GradeForm(forms.ModelForm[Judgement]):
    class Meta:
        model = Judgement
        fields = ("grade",)


class VerdictForm(forms.Form):
    """What a person says of a hit: how well it answers, or nothing any more."""

    q = QueryTextField()
    passage = forms.UUIDField()
    grade = forms.TypedChoiceField(coerce=lambda given: Grade(int(given)), choices=Grade.choices, required=False)
