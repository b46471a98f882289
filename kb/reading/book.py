"""Books (.epub): the chapters in the order of the spine, below the headings that the contents and they themselves give.

EPUB 3.3 (W3C); the older contents of EPUB 2 (NCX) are read too. A chapter is a page, read as `html` reads one.
"""

import posixpath
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lxml import etree
from msgspec.structs import replace

from kb.reading import archive, text
from kb.reading.failures import Reason, Unreadable
from kb.reading.headings import TITLE_LENGTH
from kb.reading.html import reader as html
from kb.reading.parts import Parts, resolved
from kb.reading.sections import About, Item, Mark, Progress, Section, Warned

VERSION = "1"

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_PAGES = ("application/xhtml+xml", "text/html")
_ONLY_FONTS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
"""Ways to encrypt that make fonts useless outside the book, and leave its text alone."""

_DEPTH = 16
"""Levels of the contents that are kept: a heading path has a limit too."""

_SAID = {"author": "creator", "language": "language", "publisher": "publisher", "date": "date"}
_NCX = "application/x-dtbncx+xml"
_HEAD = 1_024
_DECLARED = re.compile(rb"""<\?xml[^>]{0,100}encoding=["']([A-Za-z0-9._-]{1,40})["']""")
_LETTERS = re.compile(r"[\W_]+")


def read(path: Path) -> Iterator[Item]:
    """The chapters of a book. Its marks count the documents of its spine, those that have no text too."""
    archive.check(path, forbidden=archive.NO_ENTITIES)
    parts = Parts(path)
    package = _Package(parts)
    package.check_open()
    yield About("book", VERSION, "chapter", title=package.said("title"), metadata=package.metadata())
    place = _Place()
    missing = 0
    for number, name in enumerate(package.spine, start=1):
        place.enter(package.contents.get(name, []))
        if name in parts:
            yield from _chapter(parts, name, number, place)
        elif name:
            missing += 1
        yield Progress(number, len(package.spine))
    if missing:
        yield Warned("missing_chapters", f"Chapters that the book names are not in the file: {missing:,}.")


def _chapter(parts: Parts, name: str, number: int, place: "_Place") -> Iterator[Section]:
    with parts.open(name) as content:
        source = text.clean(_decoded(content.read()))
    for section in html.sections(source):
        marks = (Mark(0, len(section.text), number),)
        yield replace(section, heading_path=place.path(section.heading_path), marks=marks)


def _decoded(content: bytes) -> str:
    """UTF-8 or UTF-16 as EPUB asks for, else what the page says; what is neither shows as replacement characters."""
    if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return content.decode("utf-16", "replace")
    declared = _DECLARED.search(content[:_HEAD])
    for encoding in ("utf-8-sig", declared[1].decode("ascii") if declared else "utf-8"):
        try:
            return content.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
    return content.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class _Entry:
    """A line of the contents: the titles that lead to it, its own last, and whether it points into a document."""

    path: tuple[str, ...]
    within: bool


class _Place:
    """The heading path at a place in the book, from the contents and from the headings of its documents."""

    def __init__(self) -> None:
        self._above: tuple[str, ...] = ()  # what the document's own headings stand below
        self._open: tuple[str, ...] = ()  # what its text stands below until the first of them
        self._named = False  # the last of those above is the document's own first heading

    def enter(self, entries: list[_Entry]) -> None:
        """The document begins to which these lines of the contents lead. One that none leads to goes on with the last;
        so does one with chapters only further down, as long books are cut anywhere."""
        whole = next((entry.path for entry in entries if not entry.within), None)
        if whole is not None:
            self._above = self._open = whole
        elif entries:
            self._above = entries[0].path[:-1]
        elif self._named:
            self._above = self._above[:-1]
        self._named = False

    def path(self, own: tuple[str, ...]) -> tuple[str, ...]:
        """The whole path to a section with this path in its document. A chapter's heading and its line in the contents
        are one."""
        if own:
            named = bool(self._above) and _agree(self._above[-1], own[0])
            self._named = self._named or named
            self._open = self._above + (own[1:] if named else own)
        return self._open


def _agree(title: str, heading: str) -> bool:
    """`1. Loomings` and `LOOMINGS` do."""
    one, other = (_LETTERS.sub("", words).casefold() for words in (title, heading))
    return bool(one and other) and (one in other or other in one)


class _Package:
    """What a book says of itself: its documents in order, its contents and its metadata."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        found = parts.root(_CONTAINER).find("{*}rootfiles/{*}rootfile")
        name = resolved("", found.get("full-path", "")) if found is not None else ""
        self._folder = posixpath.dirname(name)
        self._root = parts.root(name)
        self._items = {one.get("id", ""): one for one in self._root.iterfind("{*}manifest/{*}item")}
        self.spine = [self._document(one.get("idref", "")) for one in self._root.iterfind("{*}spine/{*}itemref")]
        self.contents: dict[str, list[_Entry]] = {}
        for target, entry in self._entries():
            self.contents.setdefault(target, []).append(entry)

    def said(self, name: str) -> str:
        """The first value of an element of the Dublin Core; empty where the book does not say it."""
        return text.one_line(self._root.findtext(f"{{*}}metadata/{{*}}{name}") or "")

    def metadata(self) -> dict[str, str]:
        """What else it says that a reader may look for."""
        said = {name: self.said(known) for name, known in _SAID.items()}
        return {name: value for name, value in said.items() if value}

    def check_open(self) -> None:
        """Nothing when its text can be read. Raises Unreadable (ENCRYPTED)."""
        if _ENCRYPTION not in self._parts:
            return
        for one in self._parts.root(_ENCRYPTION).iter("{*}EncryptedData"):
            method, reference = one.find("{*}EncryptionMethod"), one.find("{*}CipherData/{*}CipherReference")
            known = method is not None and method.get("Algorithm") in _ONLY_FONTS
            if not known and reference is not None and resolved("", reference.get("URI", "")) in self.spine:
                raise Unreadable(
                    Reason.ENCRYPTED, "This book is locked to the devices of who bought it. Upload an open copy."
                )

    def _document(self, key: str) -> str:
        """The part of a document of the spine; empty for what is no text, and for the contents themselves."""
        item = self._items.get(key)
        if item is None or item.get("media-type") not in _PAGES or "nav" in item.get("properties", "").split():
            return ""
        return self._named(item)

    def _named(self, item: etree._Element) -> str:
        return resolved(self._folder, item.get("href", ""))

    def _entries(self) -> Iterator[tuple[str, _Entry]]:
        """The lines of the contents, each with the part that it leads to."""
        for item in self._items.values():
            name = self._named(item)
            if name not in self._parts:
                continue
            if "nav" in item.get("properties", "").split():
                yield from self._of_nav(name)
                return
        for item in self._items.values():
            name = self._named(item)
            if item.get("media-type") == _NCX and name in self._parts:
                root = self._parts.root(name)
                yield from _points(root.find("{*}navMap"), posixpath.dirname(name), ())
                return

    def _of_nav(self, name: str) -> Iterator[tuple[str, _Entry]]:
        with self._parts.open(name) as content:
            source = _decoded(content.read())
        root = etree.fromstring(source.encode(), etree.HTMLParser(encoding="utf-8"))
        for nav in () if root is None else root.iter("nav"):
            if nav.get("epub:type", "toc") == "toc":
                yield from _lines(nav.find("ol"), posixpath.dirname(name), ())


def _lines(contents: etree._Element | None, folder: str, above: tuple[str, ...]) -> Iterator[tuple[str, _Entry]]:
    """The lines of the contents of EPUB 3: lists within lists."""
    for line in () if contents is None else contents.iterchildren("li"):
        link = next(line.iterchildren("a", "span"), None)
        path = above + _title("" if link is None else "".join(map(str, link.itertext())))
        if link is not None and link.get("href"):
            yield _entry(folder, link.get("href", ""), path)
        if len(path) < _DEPTH:
            yield from _lines(line.find("ol"), folder, path)


def _points(contents: etree._Element | None, folder: str, above: tuple[str, ...]) -> Iterator[tuple[str, _Entry]]:
    """The lines of the contents of EPUB 2: points within points."""
    for point in () if contents is None else contents.iterchildren("{*}navPoint"):
        path = above + _title(point.findtext("{*}navLabel/{*}text") or "")
        content = point.find("{*}content")
        if content is not None:
            yield _entry(folder, content.get("src", ""), path)
        if len(path) < _DEPTH:
            yield from _points(point, folder, path)


def _title(words: str) -> tuple[str, ...]:
    title = text.one_line(words)[:TITLE_LENGTH].rstrip()
    return (title,) if title else ()


def _entry(folder: str, target: str, path: tuple[str, ...]) -> tuple[str, _Entry]:
    return resolved(folder, target), _Entry(path, within="#" in target)
