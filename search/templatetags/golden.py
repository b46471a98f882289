"""How golden queries and evaluation runs are shown: what was said of a hit, sentences of a run, measures."""

from typing import Any

from django import template
from django.utils.translation import gettext as _

from kb.templatetags.languages import language_name
from search.golden import Verdicts
from search.hits import Hit
from search.models.golden import Grade

register = template.Library()


@register.filter
def verdict(verdicts: Verdicts, hit: Hit) -> Grade | None:
    """How a hit was graded, if it was."""
    return verdicts.of(hit)


@register.filter
def told(sentence: str) -> str:
    """A sentence that a run kept, in the reader's language."""
    return _(sentence) if sentence else ""


@register.filter
def measure(figures: dict[str, Any], name: str) -> float | None:
    """One of the measures, whose names no template can write after a dot."""
    value: float | None = figures.get(name)
    return value


@register.filter
def pair_name(pair: str) -> str:
    """`en>zh` is "English › Chinese" to an English reader."""
    asked, _sign, written = pair.partition(">")
    return f"{language_name(asked)} › {language_name(written)}"
