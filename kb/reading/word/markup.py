"""The names of WordprocessingML, and how to look something up by them."""

from collections.abc import Iterator
from functools import cache

from lxml import etree

_NAMESPACES = {
    "w": "http://schemas.openxmlformats.org/wordprocessingml/2006/main",
    "m": "http://schemas.openxmlformats.org/officeDocument/2006/math",
    "r": "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
    "mc": "http://schemas.openxmlformats.org/markup-compatibility/2006",
}

_OFF = {"0", "false", "off"}


@cache
def name(short: str) -> str:
    """`w:p` as lxml names it."""
    prefix, _colon, local = short.partition(":")
    return f"{{{_NAMESPACES[prefix]}}}{local}"


@cache
def path(short: str) -> str:
    """`w:pPr/w:numPr` as lxml looks for it."""
    return "/".join(map(name, short.split("/")))


VAL = name("w:val")

PARAGRAPH, TABLE, ROW, CELL = (name(f"w:{tag}") for tag in ("p", "tbl", "tr", "tc"))
EMBEDDED = (name("w:altChunk"), name("w:subDoc"))
"""Other files as parts of the document."""

CHOICE, FALLBACK, ALTERNATIVES = (name(f"mc:{tag}") for tag in ("Choice", "Fallback", "AlternateContent"))

DELETED = frozenset((name("w:del"), name("w:moveFrom")))
"""What a tracked change takes away."""

WRAPPERS = frozenset(name(f"w:{tag}") for tag in ("sdt", "sdtContent", "ins", "moveTo", "customXml", "smartTag"))
"""What stands around paragraphs, tables, rows and cells and shows nothing of its own."""


def value(element: etree._Element, where: str) -> str:
    """What `w:val` says of the first element found there (see `path`); empty where there is none."""
    found = element.find(where)
    return "" if found is None else found.get(VAL, "")


def number(said: str, default: int) -> int:
    """A whole number as Word writes it: one of up to nine digits, perhaps with a sign."""
    digits = said.removeprefix("-").removeprefix("+")
    return int(said) if digits.isdecimal() and digits.isascii() and len(digits) < 10 else default


def toggle(element: etree._Element | None, where: str) -> bool | None:
    """Whether a property that can be on or off is; None where nothing is said of it."""
    found = None if element is None else element.find(where)
    return None if found is None else found.get(VAL, "on") not in _OFF


def chosen(alternatives: etree._Element) -> etree._Element | None:
    """The one branch of an `mc:AlternateContent` to read: the first with text, for all of them say the same."""
    branches = [branch for branch in alternatives if branch.tag in (CHOICE, FALLBACK)]
    return next((branch for branch in branches if _has_text(branch)), branches[0] if branches else None)


def _has_text(branch: etree._Element) -> bool:
    return next(branch.iter(name("w:t"), name("m:t"), name("w:sym")), None) is not None


def inside(parent: etree._Element, *tags: str) -> Iterator[etree._Element]:
    """The children of these names in order, those within content controls and tracked insertions too."""
    for child in parent:
        if child.tag in tags:
            yield child
        elif child.tag in WRAPPERS:
            if is_shown(child):
                yield from inside(child, *tags)
        elif child.tag == ALTERNATIVES:
            branch = chosen(child)
            if branch is not None:
                yield from inside(branch, *tags)


def is_shown(control: etree._Element) -> bool:
    """Whether what a content control holds is text of the document: a table of contents repeats its headings, and a
    placeholder only asks for a text."""
    properties = control.find(name("w:sdtPr"))
    if properties is None:
        return True
    gallery = value(properties, path("w:docPartObj/w:docPartGallery"))
    return gallery != "Table of Contents" and not toggle(properties, name("w:showingPlcHdr"))


def blocks(parent: etree._Element) -> Iterator[list[etree._Element]]:
    """Paragraphs and tables in order, and files embedded between them. Paragraphs between which a tracked change has
    deleted the mark come together."""
    joined: list[etree._Element] = []
    for child in inside(parent, PARAGRAPH, TABLE, *EMBEDDED):
        if child.tag == PARAGRAPH:
            joined.append(child)
            if not _goes_on(child):
                yield joined
                joined = []
            continue
        if joined:
            yield joined
            joined = []
        yield [child]
    if joined:
        yield joined


def _goes_on(paragraph: etree._Element) -> bool:
    mark = paragraph.find(path("w:pPr/w:rPr"))
    return mark is not None and any(mark.find(tag) is not None for tag in DELETED)
