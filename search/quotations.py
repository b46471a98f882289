"""A citation written out, to be pasted into a text of one's own: as plain text, as a Markdown link, as BibTeX."""

import re
from dataclasses import dataclass

from django.utils.text import slugify
from django.utils.translation import gettext as _

from search.hits import Citation

_MARKDOWN = re.compile(r"([\\`*_\[\]<>])")
_BIBTEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{sign: f"\\{sign}" for sign in "{}$&%#_"},
}


@dataclass(frozen=True)
class Quotations:
    """The three forms of one citation, each on one line."""

    text: str
    markdown: str
    bibtex: str


def of(citation: Citation, label: str, address: str) -> Quotations:
    """The forms of a citation that people call `label`, with the whole address that opens it."""
    return Quotations(_text(citation, label, address), _markdown(label, address), _bibtex(citation, label, address))


def _text(citation: Citation, label: str, address: str) -> str:
    told = _("%(label)s (%(collection)s, revision %(revision)s)") % {
        "label": label,
        "collection": citation.collection_name,
        "revision": citation.revision,
    }
    return f"{told}. {address}"


def _markdown(label: str, address: str) -> str:
    escaped = _MARKDOWN.sub(r"\\\1", label)
    return f"[{escaped}](<{address}>)"


def _bibtex(citation: Citation, label: str, address: str) -> str:
    """The address stands in braces as it is: biblatex reads the field `url` letter by letter."""
    key = f"{slugify(citation.document_title)[:30] or 'document'}-{str(citation.id)[:8]}"
    place = label.removeprefix(citation.document_title).lstrip(", ")
    fields = {
        "title": f"{{{_for_bibtex(citation.document_title)}}}",
        "howpublished": _for_bibtex(citation.collection_name),
        "edition": str(citation.revision),
        "note": _for_bibtex(place),
        "url": address,
    }
    written = ", ".join(f"{name} = {{{value}}}" for name, value in fields.items() if value)
    return f"@misc{{{key}, {written}}}"


def _for_bibtex(words: str) -> str:
    return "".join(_BIBTEX.get(sign, sign) for sign in words)
