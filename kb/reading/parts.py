"""The XML parts of an Office file, a book or an OpenDocument file, once `archive` has checked the zip they are in."""

import posixpath
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import unquote

from lxml import etree

from kb.reading import text
from kb.reading.failures import Reason, Unreadable

_NUMBER = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Relation:
    """Where a relationship leads: the last word of its type (`worksheet`), and the name of a part."""

    kind: str
    target: str


class Parts:
    """The parts of a checked zip, by name; large and small letters are the same."""

    def __init__(self, path: Path) -> None:
        self._zip = zipfile.ZipFile(path)
        self._names = {member.lower(): member for member in self._zip.namelist()}
        self._relations: dict[str, dict[str, Relation]] = {}

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._names

    def open(self, name: str) -> IO[bytes]:
        """The bytes of a part. Raises Unreadable (MALFORMED) when there is none of this name."""
        if name not in self:
            raise malformed("a part of it is missing")
        return self._zip.open(self._names[name.lower()])

    def root(self, name: str) -> etree._Element:
        """The root element of a part. Raises Unreadable (MALFORMED)."""
        with self.open(name) as content:
            whole = content.read()
        parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)
        try:
            return etree.fromstring(whole, parser)
        except etree.XMLSyntaxError as error:
            raise malformed("a part of it is no XML") from error

    def elements(self, name: str, *tags: str) -> Iterator[etree._Element]:
        """The elements of a large part one by one, each forgotten after it was looked at. Raises as `root` does."""
        with self.open(name) as content:
            try:
                for _event, element in etree.iterparse(
                    content, tag=tags, resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True
                ):
                    yield element
                    element.clear()
                    above = element.getparent()
                    while above is not None and element.getprevious() is not None:
                        del above[0]
            except (etree.XMLSyntaxError, OSError) as error:  # the second where a character is no character
                raise malformed("a part of it is no XML") from error

    def relations(self, name: str) -> dict[str, Relation]:
        """What a part refers to within the file, by the ids it uses for that (ECMA-376, part 2, 6.5)."""
        if name not in self._relations:
            self._relations[name] = self._related(name)
        return self._relations[name]

    def related(self, name: str, kind: str) -> str:
        """The first part of a kind that a part refers to; empty when there is none."""
        found = (one.target for one in self.relations(name).values() if one.kind == kind and one.target in self)
        return next(found, "")

    def main(self) -> str:
        """The part that an Office file begins with. Raises Unreadable (MALFORMED)."""
        name = self.related("", "officeDocument")
        if not name:
            raise malformed("a part of it is missing")
        return name

    def title(self) -> str:
        """The title that the properties of an Office file give it."""
        name = self.related("", "core-properties")
        return text.one_line(self.root(name).findtext("{*}title") or "") if name else ""

    def _related(self, name: str) -> dict[str, Relation]:
        folder, base = posixpath.split(name)
        beside = f"{folder}/_rels/{base}.rels" if folder else f"_rels/{base}.rels"
        if beside not in self:
            return {}
        return {
            one.get("Id", ""): Relation(one.get("Type", "").rpartition("/")[2], resolved(folder, one.get("Target", "")))
            for one in self.root(beside).iterfind("{*}Relationship")
            if one.get("TargetMode") != "External"
        }


def resolved(folder: str, target: str) -> str:
    """The name of the part that a reference from a folder of the file leads to."""
    path = unquote(target.partition("#")[0])
    return posixpath.normpath(posixpath.join("/" + folder, path)).lstrip("/")


def whole(written: str, default: int) -> int:
    """A whole number in an attribute; the default for what is none, or has more than nine digits."""
    return int(written) if _NUMBER.fullmatch(written) else default


def malformed(why: str) -> Unreadable:
    """The refusal of a file whose parts are not as they must be."""
    return Unreadable(Reason.MALFORMED, f"This file cannot be opened: {why}. Save it again and upload that.")
