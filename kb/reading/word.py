"""Word (.docx): headings, paragraphs, lists and tables, in the order of the document."""

import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from zipfile import BadZipFile

import docx
from docx.document import Document
from docx.opc.exceptions import OpcError
from docx.oxml.ns import qn
from lxml import etree

from kb.reading import archive, text
from kb.reading.composition import Composition
from kb.reading.failures import Reason, Unreadable
from kb.reading.headings import Headings
from kb.reading.sections import About, Item, Kind, Section

VERSION = "1"

_LEVELS = {str(level): level for level in range(9)}
"""Outline and list levels as Word writes them; 9 means "no heading"."""

_HEADING = re.compile("heading ([1-9])")

_P, _TBL, _TR, _TC = qn("w:p"), qn("w:tbl"), qn("w:tr"), qn("w:tc")
_TRANSPARENT = {qn(f"w:{tag}") for tag in ("sdt", "sdtContent", "ins", "moveTo", "customXml", "smartTag")}
_WORDS = {
    qn("w:tab"): "\t",
    qn("w:br"): "\n",
    qn("w:cr"): "\n",
    qn("w:noBreakHyphen"): "-",
}
_NOT_TEXT = {
    qn("w:pPr"),  # its w:tab elements are tab stops
    qn("w:rPr"),
    qn("w:del"),
    qn("w:moveFrom"),
    qn("w:drawing"),
    qn("w:pict"),
    "{http://schemas.openxmlformats.org/markup-compatibility/2006}AlternateContent",
}


def read(path: Path) -> Iterator[Item]:
    """The sections of a Word file. Its marks count paragraphs, empty ones included; a table counts one for each row."""
    archive.check(path)
    document = _opened(path)
    properties = document.core_properties
    yield About("word", VERSION, "paragraph", title=text.one_line(properties.title or ""))
    yield from _Walk(_Styles(document)).sections(document.element.body)


def _opened(path: Path) -> Document:
    try:
        return docx.Document(str(path))
    except (OpcError, BadZipFile, KeyError, ValueError, etree.XMLSyntaxError) as error:
        raise Unreadable(
            Reason.MALFORMED, "This Word file cannot be opened: it is damaged. Save it again in Word and upload that."
        ) from error


class _Styles:
    """What a paragraph is by its style: the level of a heading, or an item of a list."""

    def __init__(self, document: Document) -> None:
        self._levels: dict[str | None, int | None] = {}
        self._lists: set[str | None] = set()
        for style in document.styles.element.iter(qn("w:style")):
            self._note(style)

    def _note(self, style: etree._Element) -> None:
        name = _value(style, "w:name").lower()
        key = style.get(qn("w:styleId"))
        if name == "title":
            self._levels[key] = 0
        elif (heading := _HEADING.fullmatch(name)) is not None:
            self._levels[key] = int(heading[1])
        elif (level := _LEVELS.get(_value(style, "w:pPr/w:outlineLvl"))) is not None:
            self._levels[key] = level + 1
        elif name.startswith("list ") or style.find(_path("w:pPr/w:numPr")) is not None:
            self._lists.add(key)

    def level(self, paragraph: etree._Element) -> int | None:
        """The heading level, 0 for the document's title; None for what is no heading."""
        own = _value(paragraph, "w:pPr/w:outlineLvl")
        if own:
            return _LEVELS[own] + 1 if own in _LEVELS else None
        return self._levels.get(_value(paragraph, "w:pPr/w:pStyle"))

    def is_item(self, paragraph: etree._Element) -> bool:
        """Whether it is an item of a list."""
        number = _value(paragraph, "w:pPr/w:numPr/w:numId")
        return number != "0" if number else _value(paragraph, "w:pPr/w:pStyle") in self._lists


def _path(names: str) -> str:
    return "/".join(qn(name) for name in names.split("/"))


def _value(element: etree._Element, names: str) -> str:
    found = element.find(_path(names))
    return "" if found is None else found.get(qn("w:val"), "")


class _Walk:
    """One pass over the body. Items of a list that follow each other make one section."""

    def __init__(self, styles: _Styles) -> None:
        self._styles = styles
        self._headings = Headings()
        self._numbers = count(1)
        self._list = Composition()

    def sections(self, body: etree._Element) -> Iterator[Section]:
        for block in _blocks(body):
            if block.tag == _TBL:
                yield from self._end_list()
                yield from self._table(block)
            else:
                yield from self._paragraph(block)
        yield from self._end_list()

    def _paragraph(self, paragraph: etree._Element) -> Iterator[Section]:
        number = next(self._numbers)
        words = _text_of(paragraph).strip()
        if not words:
            return
        level = self._styles.level(paragraph)
        if level is None and self._styles.is_item(paragraph):
            self._list.add(f"{_indent(paragraph)}- {words}", number, between="\n")
            return
        yield from self._end_list()
        kind: Kind = "prose"
        if level is not None:
            kind = "heading"
            self._headings.enter(level, words)
        whole = Composition()
        whole.add(words, number)
        if whole:
            yield whole.section(kind, self._headings.path)

    def _table(self, table: etree._Element) -> Iterator[Section]:
        whole = Composition()
        for row in _inside(table, _TR):
            number = next(self._numbers)
            cells = [_cell(cell) for cell in _inside(row, _TC)]
            if any(cells):
                whole.add(" | ".join(cells), number, between="\n")
        if whole:
            yield whole.section("table", self._headings.path)

    def _end_list(self) -> Iterator[Section]:
        if self._list:
            yield self._list.section("list", self._headings.path)
            self._list = Composition()


def _blocks(parent: etree._Element) -> Iterator[etree._Element]:
    """Paragraphs and tables in order, those within content controls and tracked insertions too."""
    for child in parent:
        if child.tag in (_P, _TBL):
            yield child
        elif child.tag in _TRANSPARENT:
            yield from _blocks(child)


def _inside(parent: etree._Element, tag: str) -> Iterator[etree._Element]:
    for child in parent:
        if child.tag == tag:
            yield child
        elif child.tag in _TRANSPARENT:
            yield from _inside(child, tag)


def _cell(cell: etree._Element) -> str:
    """The text of a cell on one line, tables within it flattened."""
    return text.one_line(" ".join(_text_of(paragraph) for paragraph in cell.iter(_P)))


def _text_of(element: etree._Element) -> str:
    return "".join(_words(element))


def _words(element: etree._Element) -> Iterator[str]:
    """The text that Word shows: insertions and links in, deletions, drawings and text boxes out."""
    for child in element:
        if child.tag == qn("w:t"):
            yield child.text or ""
        elif child.tag in _WORDS:
            yield _WORDS[child.tag]
        elif child.tag not in _NOT_TEXT:
            yield from _words(child)


def _indent(paragraph: etree._Element) -> str:
    return "  " * _LEVELS.get(_value(paragraph, "w:pPr/w:numPr/w:ilvl"), 0)
