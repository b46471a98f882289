"""What OpenDocument files of all kinds share: their parts, and how their paragraphs are written (OASIS ODF 1.3)."""

import re
from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from kb.reading import archive, parts, text
from kb.reading.failures import Reason, Unreadable
from kb.reading.parts import Parts, malformed

OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
DRAW = "{urn:oasis:names:tc:opendocument:xmlns:drawing:1.0}"
STYLE = "{urn:oasis:names:tc:opendocument:xmlns:style:1.0}"
SVG = "{urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0}"
PRESENTATION = "{urn:oasis:names:tc:opendocument:xmlns:presentation:1.0}"

P, H, NOTE = f"{TEXT}p", f"{TEXT}h", f"{TEXT}note"

HEADER_ROWS, ROW = f"{TABLE}table-header-rows", f"{TABLE}table-row"
CELL, COVERED = f"{TABLE}table-cell", f"{TABLE}covered-table-cell"

_SHAPES = tuple(f"{DRAW}{name}" for name in ("frame", "custom-shape", "rect", "ellipse", "circle", "line", "g", "a"))
_GROUPS = (HEADER_ROWS, f"{TABLE}table-rows", f"{TABLE}table-row-group")
_LEFT_OUT = (*_SHAPES, NOTE, f"{OFFICE}annotation", f"{TEXT}ruby-text")
_SPACES = re.compile(r"[ \t\r\n]+")
_SPACES_MOST = 1_000
_MANIFEST = "META-INF/manifest.xml"


def opened(path: Path) -> Parts:
    """The parts of a file. Raises Unreadable: ENCRYPTED behind a password, else what `archive.check` raises."""
    archive.check(path, forbidden=archive.NO_ENTITIES)
    file = Parts(path)
    manifest = file.root(_MANIFEST) if _MANIFEST in file else None
    if manifest is not None and next(manifest.iter("{*}encryption-data"), None) is not None:
        raise Unreadable(Reason.ENCRYPTED, "This file is protected by a password. Save it without one.")
    return file


def title(file: Parts) -> str:
    """The title that a file's properties give it."""
    return text.one_line(file.root("meta.xml").findtext(f"{OFFICE}meta/{{*}}title") or "") if "meta.xml" in file else ""


def body(content: etree._Element, kind: str) -> etree._Element:
    """The element that holds a text, a spreadsheet or a presentation. Raises Unreadable (MALFORMED)."""
    found = content.find(f"{OFFICE}body/{OFFICE}{kind}")
    if found is None:
        raise malformed("what it should hold is not in it")
    return found


def words(paragraph: etree._Element) -> str:
    """The text of a paragraph as it is shown, without the notes and shapes that hang on it."""
    return "".join(_words(paragraph)).strip(" ")


def asides(element: etree._Element) -> Iterator[etree._Element]:
    """The notes, text boxes and shapes that hang on a paragraph, each as the element that holds its paragraphs."""
    for child in element:
        if child.tag == NOTE:
            yield from child.iterchildren(f"{TEXT}note-body")
        elif child.tag in _SHAPES:
            yield child
        elif child.tag not in _LEFT_OUT:
            yield from asides(child)


def paragraphs(element: etree._Element) -> Iterator[etree._Element]:
    """The paragraphs within an element, without those that hang on them."""
    for child in element:
        if child.tag in (P, H):
            yield child
        else:
            yield from paragraphs(child)


def rows(table: etree._Element) -> Iterator[etree._Element]:
    """The rows of a table, those in groups and in the header too, but not those of tables within its cells."""
    for child in table:
        if child.tag == ROW:
            yield child
        elif child.tag in _GROUPS:
            yield from rows(child)


def cell(element: etree._Element) -> str:
    """The text of a cell on one line, tables within it flattened."""
    return text.one_line(" ".join(map(words, paragraphs(element))))


def times(element: etree._Element, name: str) -> int:
    """How often a row or cell is repeated, or how many it spans: at least once."""
    return max(1, parts.whole(element.get(f"{TABLE}number-{name}", ""), 1))


def _words(element: etree._Element) -> Iterator[str]:
    yield _SPACES.sub(" ", element.text or "")
    for child in element:
        if child.tag == f"{TEXT}s":
            yield " " * min(parts.whole(child.get(f"{TEXT}c", ""), 1), _SPACES_MOST)
        elif child.tag == f"{TEXT}tab":
            yield "\t"
        elif child.tag == f"{TEXT}line-break":
            yield "\n"
        elif child.tag not in _LEFT_OUT:
            yield from _words(child)
        yield _SPACES.sub(" ", child.tail or "")
