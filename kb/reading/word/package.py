"""A Word file as python-docx opens it.

python-docx opens no Strict files and none where a part is missing, undeclared or there twice, and it believes the XML.
So it is handed a package made anew of the parts that are read: found by what they are to each other, as a part may have
any name; checked, and put where Word has them. What python-docx knows nothing of, such as numbers, notes and equations,
is read from the elements of its parts.
"""

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import cast
from zipfile import BadZipFile, ZipFile

import docx
from docx.opc.constants import CONTENT_TYPE, NAMESPACE, RELATIONSHIP_TYPE
from docx.opc.package import OpcPackage
from docx.opc.part import Part, XmlPart
from docx.oxml.parser import parse_xml
from lxml import etree

from kb.reading.failures import Reason, Unreadable
from kb.reading.word.markup import name

_STRICT = re.compile(r"http://purl\.oclc\.org/ooxml/(\w+)/(.*)")
"""ISO/IEC 29500 Strict names what Transitional calls http://schemas.openxmlformats.org/X/2006/Y."""

_RELATIONSHIP = f"{{{NAMESPACE.OPC_RELATIONSHIPS}}}Relationship"
_USUAL = "word/document.xml"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where python-docx looks for a part: its name, the relationship that leads to it, its kind of content."""

    name: str
    relationship: str
    content: str


_DOCUMENT, _PROPERTIES = "officeDocument", "core-properties"
_OF_FILE = {
    _DOCUMENT: _Place("/word/document.xml", RELATIONSHIP_TYPE.OFFICE_DOCUMENT, CONTENT_TYPE.WML_DOCUMENT_MAIN),
    _PROPERTIES: _Place("/docProps/core.xml", RELATIONSHIP_TYPE.CORE_PROPERTIES, CONTENT_TYPE.OPC_CORE_PROPERTIES),
}
_OF_DOCUMENT = {
    "styles": _Place("/word/styles.xml", RELATIONSHIP_TYPE.STYLES, CONTENT_TYPE.WML_STYLES),
    "numbering": _Place("/word/numbering.xml", RELATIONSHIP_TYPE.NUMBERING, CONTENT_TYPE.WML_NUMBERING),
    "footnotes": _Place("/word/footnotes.xml", RELATIONSHIP_TYPE.FOOTNOTES, CONTENT_TYPE.WML_FOOTNOTES),
    "endnotes": _Place("/word/endnotes.xml", RELATIONSHIP_TYPE.ENDNOTES, CONTENT_TYPE.WML_ENDNOTES),
}
_PLACES = _OF_FILE | _OF_DOCUMENT
"""Those of the parts that are read, by the last word of the relationship that leads to them."""


class Package:
    """An open Word file. Its zip has been checked (`archive.check`)."""

    def __init__(self, path: Path) -> None:
        """Raises Unreadable (MALFORMED)."""
        try:
            with ZipFile(path) as archive:
                parts = _Parts(archive).read()
        except (etree.XMLSyntaxError, BadZipFile) as error:
            raise _malformed("it is damaged") from error
        self._document = docx.Document(_repacked(parts)).part

    def body(self) -> etree._Element:
        """What stands in the document. Raises Unreadable (MALFORMED) where there is nothing."""
        body: etree._Element | None = self._document.element.find(name("w:body"))
        if body is None:
            raise _malformed("there is no document in it")
        return body

    def related(self, kind: str) -> etree._Element | None:
        """The part that is this to the document (`styles`, `footnotes`); None where it has none."""
        return _element(self._document, _OF_DOCUMENT[kind])

    def properties(self) -> etree._Element | None:
        """What the file says of itself."""
        return _element(cast(OpcPackage, self._document.package), _OF_FILE[_PROPERTIES])


def _element(source: OpcPackage | Part, place: _Place) -> etree._Element | None:
    """The part that this relationship leads to. python-docx has no classes for some, and knows them as bytes."""
    try:
        part = source.part_related_by(place.relationship)
    except KeyError:
        return None
    return part.element if isinstance(part, XmlPart) else parse_xml(part.blob)


class _Parts:
    """The parts of a Word file, as it has them."""

    def __init__(self, archive: ZipFile) -> None:
        self._zip = archive
        self._names = {member.lower(): member for member in archive.namelist()}

    def read(self) -> dict[str, bytes]:
        """Those that are read: checked, and as Transitional has them. Raises Unreadable where there is no document."""
        of_file = self._targets("")
        document = of_file.get(_DOCUMENT, _USUAL)
        if document.lower() not in self._names:
            raise _malformed("there is no document in it")
        of_document = self._targets(document)
        names = {_DOCUMENT: document, _PROPERTIES: of_file.get(_PROPERTIES, "")}
        names |= {kind: of_document.get(kind, "") for kind in _OF_DOCUMENT}
        found = {kind: self._part(part) for kind, part in names.items()}
        return {kind: etree.tostring(root, encoding="utf-8") for kind, root in found.items() if root is not None}

    def _targets(self, part: str) -> dict[str, str]:
        """The part of each kind that this one refers to; what belongs to the file as a whole for the empty name."""
        folder, file = posixpath.split(part)
        found: dict[str, str] = {}
        relationships = self._part(f"{folder}/_rels/{file}.rels".lstrip("/"))
        for one in () if relationships is None else relationships.iter(_RELATIONSHIP):
            if one.get("TargetMode") != "External":
                kind = one.get("Type", "").rpartition("/")[2]
                target = posixpath.normpath(posixpath.join("/", folder, one.get("Target", "")))
                found.setdefault(kind, target.lstrip("/"))
        return found

    def _part(self, part: str) -> etree._Element | None:
        member = self._names.get(part.lower())
        return None if member is None else _transitional(_parsed(self._zip.read(member)))


def _parsed(content: bytes) -> etree._Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)
    root = etree.fromstring(content, parser)
    if root.getroottree().docinfo.internalDTD is not None:
        raise _malformed("it declares a document type, which Word never does")
    return root


def _transitional(root: etree._Element) -> etree._Element:
    """The same part, its elements and attributes in the namespaces that Word itself writes by default."""
    if not any(_STRICT.match(namespace) for namespace in root.nsmap.values()):
        return root
    names: dict[str, str] = {}
    for element in root.iter(etree.Element):
        element.tag = _renamed(str(element.tag), names)
        for key in map(str, element.keys()):
            if key.startswith("{") and _renamed(key, names) != key:
                element.set(_renamed(key, names), element.attrib.pop(key))
    return root


def _renamed(name: str, known: dict[str, str]) -> str:
    if name not in known:
        namespace, end, local = name.rpartition("}")
        known[name] = _STRICT.sub(r"http://schemas.openxmlformats.org/\1/2006/\2", namespace) + end + local
    return known[name]


def _repacked(parts: Mapping[str, bytes]) -> BytesIO:
    """A package of these parts, each where python-docx looks for it."""
    packed = BytesIO()
    with ZipFile(packed, "w") as made:
        made.writestr("[Content_Types].xml", _content_types(parts))
        made.writestr("_rels/.rels", _relationships(parts, _OF_FILE))
        made.writestr("word/_rels/document.xml.rels", _relationships(parts, _OF_DOCUMENT))
        for kind, content in parts.items():
            made.writestr(_PLACES[kind].name.lstrip("/"), content)
    return packed


def _content_types(parts: Mapping[str, bytes]) -> str:
    said = (f'<Override PartName="{_PLACES[kind].name}" ContentType="{_PLACES[kind].content}"/>' for kind in parts)
    rels = f'<Default Extension="rels" ContentType="{CONTENT_TYPE.OPC_RELATIONSHIPS}"/>'
    return f'<Types xmlns="{NAMESPACE.OPC_CONTENT_TYPES}">{rels}{"".join(said)}</Types>'


def _relationships(parts: Mapping[str, bytes], places: Mapping[str, _Place]) -> str:
    said = (
        f'<Relationship Id="{kind}" Type="{place.relationship}" Target="{place.name}"/>'
        for kind, place in places.items()
        if kind in parts
    )
    return f'<Relationships xmlns="{NAMESPACE.OPC_RELATIONSHIPS}">{"".join(said)}</Relationships>'


def _malformed(why: str) -> Unreadable:
    return Unreadable(
        Reason.MALFORMED, f"This Word file cannot be opened: {why}. Save it again in Word and upload that."
    )
