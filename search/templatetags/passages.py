"""How a hit is shown: what it is called, its text with the words that were found, and its score in words."""

from collections.abc import Iterator

from django import template
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from kb import wording
from search.hits import Citation, Hit

register = template.Library()

_CLOSENESS: tuple[tuple[float, str | Promise], ...] = (
    (0.75, _("Very close")),
    (0.5, _("Close")),
    (0.25, _("Related")),
    (0.0, _("Loosely related")),
)
"""From which score on a hit is called what."""


@register.filter
def pieces(hit: Hit) -> Iterator[tuple[str, bool]]:
    """The text in pieces, in order, each with whether it is highlighted."""
    position = 0
    for start, end in hit.highlights:
        yield hit.text[position:start], False
        yield hit.text[start:end], True
        position = end
    yield hit.text[position:], False


@register.filter
def cited(citation: Citation) -> str:
    """What a citation is called, in the reader's language; `label` is what it is called in the API."""
    if not citation.pages:
        return citation.label
    return f"{citation.document_title}, {wording.place({'pages': citation.pages})}"


@register.filter
def closeness(score: float) -> str | Promise:
    """A score in words."""
    return next(words for least, words in _CLOSENESS if score >= least)
