"""How a hit is shown: what it is called, its text with the words that were found, and its score in words."""

import re
from collections.abc import Iterator

from django import template
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from kb import wording
from search.hits import Citation, Hit

register = template.Library()

_CLOSENESS: tuple[tuple[float, str | Promise], ...] = (
    (0.75, _("Very close")),
    (0.5, pgettext_lazy("a score", "Close")),
    (0.25, _("Related")),
    (0.0, _("Loosely related")),
)
"""From which score on a hit is called what."""

_EMPTY_LINES = re.compile(r"\n\s*\n")


Piece = tuple[str, bool]
"""Text, and whether it is highlighted."""


@register.filter
def paragraphs(hit: Hit) -> Iterator[tuple[list[Piece], str]]:
    """The text in paragraphs, each in pieces, with the empty lines behind it: all of it together is the text."""
    start = 0
    for gap in _EMPTY_LINES.finditer(hit.text):
        yield list(_pieces(hit, start, gap.start())), gap.group()
        start = gap.end()
    yield list(_pieces(hit, start, len(hit.text))), ""


def _pieces(hit: Hit, start: int, end: int) -> Iterator[Piece]:
    for first, last in hit.highlights:
        first, last = max(first, start), min(last, end)
        if first < last:
            yield hit.text[start:first], False
            yield hit.text[first:last], True
            start = last
    yield hit.text[start:end], False


@register.filter
def cited(citation: Citation) -> str:
    """What a citation is called, in the reader's language; `label` is what it is called in the API."""
    told = _place(citation) or " › ".join(headings(citation))
    return f"{citation.document_title}, {told}" if told else citation.document_title


def _place(citation: Citation) -> str:
    """The part of a file that names a passage better than its headings do: always a page, a slide or a sheet, a chapter
    where it has no heading."""
    if citation.sheets and citation.heading_path and not (citation.pages or citation.slides):
        return wording.in_sheet(citation.heading_path[0], citation.rows)
    units = {"pages": citation.pages, "slides": citation.slides, "sheets": citation.sheets}
    return wording.place(units if headings(citation) else {**units, "chapters": citation.chapters})


@register.filter
def where(citation: Citation) -> str:
    """Where in its file the passage stands, in words: `p. 12`; empty where the file has no such places."""
    places = ("pages", "slides", "sheets", "chapters")
    return wording.place({unit: getattr(citation, unit) for unit in places})


@register.filter
def headings(citation: Citation) -> list[str]:
    """The headings above the passage, the title of its document left out."""
    return [heading for heading in citation.heading_path if heading != citation.document_title]


@register.filter
def closeness(score: float) -> str | Promise:
    """A score in words."""
    return next(words for least, words in _CLOSENESS if score >= least)
