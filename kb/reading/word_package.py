"""The parts of a Word file, found by what they are to each other: a part may have any name."""

import posixpath
import re
from pathlib import Path
from types import TracebackType
from zipfile import BadZipFile, ZipFile

from lxml import etree

from kb.reading.failures import Reason, Unreadable
from kb.reading.word_markup import name

_STRICT = re.compile(r"http://purl\.oclc\.org/ooxml/(\w+)/(.*)")
"""ISO/IEC 29500 Strict names what Transitional calls http://schemas.openxmlformats.org/X/2006/Y."""

_RELATIONSHIP = "{http://schemas.openxmlformats.org/package/2006/relationships}Relationship"
_USUAL = "word/document.xml"


class Package:
    """An open Word file. Its zip has been checked (`archive.check`)."""

    def __init__(self, path: Path) -> None:
        self._zip = ZipFile(path)
        self._names = {member.lower(): member for member in self._zip.namelist()}
        self._document = self._targets("").get("officeDocument", _USUAL)
        self._related = self._targets(self._document)

    def __enter__(self) -> "Package":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()

    def body(self) -> etree._Element:
        """What stands in the document. Raises Unreadable (MALFORMED) where there is none."""
        document = self._part(self._document)
        body = None if document is None else document.find(name("w:body"))
        if body is None:
            raise _malformed("there is no document in it")
        return body

    def related(self, kind: str) -> etree._Element | None:
        """The part that is this to the document (`styles`, `footnotes`); None where it has none."""
        return self._part(self._related.get(kind, ""))

    def properties(self) -> etree._Element | None:
        """What the file says of itself."""
        return self._part(self._targets("").get("core-properties", ""))

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
        if member is None:
            return None
        try:
            return _transitional(_parsed(self._zip.read(member)))
        except (etree.XMLSyntaxError, BadZipFile) as error:
            raise _malformed("it is damaged") from error


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


def _malformed(why: str) -> Unreadable:
    return Unreadable(
        Reason.MALFORMED, f"This Word file cannot be opened: {why}. Save it again in Word and upload that."
    )
