"""What a PDF says of itself beside its pages: its title and author, its outline, and why it stays closed.

pypdf reads it. On a damaged or hostile file it raises whatever the damage leads to, sees other pages than PDFium, or
goes on for long: then PDFium, which has opened the file, answers in its place.
"""

import codecs
import signal
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import FrameType

import pypdf
import pypdfium2
import pypdfium2.raw as pdfium
from pypdf.generic import (
    ArrayObject,
    ByteStringObject,
    DictionaryObject,
    FloatObject,
    IndirectObject,
    NameObject,
    NumberObject,
    PdfObject,
    TextStringObject,
)

from kb.reading import text
from kb.reading.failures import Reason
from kb.reading.pdf.outline import Entry

_SECONDS = 10.0
"""pypdf needs less than two for the outline of the longest PDF that is read."""

_ENTRIES = 20_000
"""More headings than any book has; an outline may be made to go on for ever."""

_DEEPEST = 15
_NODES = 100_000
"""Of the tree of names; each of its leaves has dozens."""

_LONGEST = 2_000
"""Characters of a title: the parent takes no more."""

_DIGITS = 3
"""PDFium has numbers in single precision: further ones are not the file's."""

_SAID = ("Title", "Author", "Subject", "Keywords", "Producer")

# Where in a destination's numbers the top stands, by its kind (ISO 32000-1, table 151).
_TOPS = {"/XYZ": 1, "/FitH": 0, "/FitBH": 0, "/FitR": 3}
_TOPS_OF_PDFIUM = {
    pdfium.PDFDEST_VIEW_XYZ: 1,
    pdfium.PDFDEST_VIEW_FITH: 0,
    pdfium.PDFDEST_VIEW_FITBH: 0,
    pdfium.PDFDEST_VIEW_FITR: 3,
}


@dataclass(frozen=True, slots=True)
class Catalog:
    """What the file says of itself, by the names PDF has for it (`Title`), and the outline's headings by page, counted
    from 1; their tops are in the page's own space."""

    information: Mapping[str, str]
    outline: Mapping[int, list[Entry]]


class _Late(BaseException):
    """Its time is over. No `Exception`: pypdf goes on after many of those."""


def read(path: Path, document: pypdfium2.PdfDocument) -> Catalog:
    """The catalog of a PDF that PDFium has opened as this document."""
    with suppress(Exception, _Late), _limited():
        return _read(path, document)
    return Catalog({key: document.get_metadata_value(key) for key in _SAID}, _outline_of_pdfium(document))


def why_closed(path: Path) -> Reason | None:
    """What pypdf, which forgives more, finds wrong with a file that PDFium does not open: ENCRYPTED, NO_TEXT where it
    has no pages; None when it is damaged, or locked in a way that pypdf does not know."""
    with suppress(Exception, _Late), _limited(), pypdf.PdfReader(path) as reader:
        if reader.is_encrypted and not reader.decrypt(""):
            return Reason.ENCRYPTED
        if not reader.pages:
            return Reason.NO_TEXT
    return None


@contextmanager
def _limited() -> Iterator[None]:
    """Raises _Late in what is done here when it takes too long."""

    def end(_signal: int, _frame: FrameType | None) -> None:
        raise _Late

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, _SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _read(path: Path, document: pypdfium2.PdfDocument) -> Catalog:
    with pypdf.PdfReader(path) as reader:
        information = reader.metadata or DictionaryObject()
        said = {key: _text(_value(information, f"/{key}")) for key in _SAID}
        return Catalog(said, _Outline(reader, document).entries())


class _Outline:
    """The outline as it stands in the file."""

    def __init__(self, reader: pypdf.PdfReader, document: pypdfium2.PdfDocument) -> None:
        self._reader = reader
        self._document = document
        self._total = len(document)

    def entries(self) -> dict[int, list[Entry]]:
        found: dict[int, list[Entry]] = defaultdict(list)
        for level, item in self._items():
            page, top = self._place(item)
            title = text.one_line(_text(_value(item, "/Title")))
            if page and title:
                found[page].append(Entry(level, title, top))
        return found

    def _items(self) -> Iterator[tuple[int, DictionaryObject]]:
        """The items in order, each with its depth."""
        waiting = [(0, _value(_dictionary(self._reader.root_object, "/Outlines"), "/First"))]
        seen: set[int] = set()
        while waiting and len(seen) < _ENTRIES:
            level, item = waiting.pop()
            if not isinstance(item, DictionaryObject) or id(item) in seen:
                continue
            seen.add(id(item))
            yield level, item
            waiting.append((level, _value(item, "/Next")))
            if level + 1 < _DEEPEST:
                waiting.append((level + 1, _value(item, "/First")))

    def _place(self, item: DictionaryObject) -> tuple[int | None, float | None]:
        """The page that an item leads to, counted from 1, and the top there."""
        said = _value(item, "/Dest")
        action = _dictionary(item, "/A")
        if said is None and action.get("/S") == "/GoTo":
            said = _value(action, "/D")
        if isinstance(said, (NameObject, TextStringObject, ByteStringObject)):
            name = _name(said)
            if place := self._place_by_pdfium(name):
                return place
            named = self._named.get(name)
            said = None if named is None else named.get_object()
        if isinstance(said, DictionaryObject):
            said = _value(said, "/D")
        destination = said if isinstance(said, ArrayObject) else []
        page = self._page(destination)
        return page, _top(destination) if page else None

    def _place_by_pdfium(self, name: bytes) -> tuple[int, float | None] | None:
        """Where a name leads as PDFium finds it. pypdf makes objects of all names in a file before it finds one,
        which takes longer than all else that it does."""
        raw = None if b"\0" in name else pdfium.FPDF_GetNamedDestByName(self._document, name)
        if not raw:
            return None
        destination = pypdfium2.PdfDest(raw, self._document)
        page = destination.get_index()
        if page is None or not 0 <= page < self._total:
            return None
        return page + 1, _top_of_pdfium(destination)

    @cached_property
    def _named(self) -> dict[bytes, PdfObject]:
        """The destinations that have names: those of the tree of names, and of the dictionary that was there before."""
        found: dict[bytes, PdfObject] = {}
        root = self._reader.root_object
        waiting = [_value(_dictionary(root, "/Names"), "/Dests")]
        seen: set[int] = set()
        while waiting and len(seen) < _NODES:
            node = waiting.pop()
            if not isinstance(node, DictionaryObject) or id(node) in seen:
                continue
            seen.add(id(node))
            waiting += [kid.get_object() for kid in _array(node, "/Kids")]
            names = _array(node, "/Names")
            for name, destination in zip(names[::2], names[1::2], strict=False):
                found.setdefault(_name(name.get_object()), destination)
        for name, destination in _dictionary(root, "/Dests").items():
            found.setdefault(_name(name), destination)
        return found

    def _page(self, destination: list[PdfObject]) -> int | None:
        """The page it leads to, counted from 1."""
        page = destination[0] if destination else None
        if isinstance(page, IndirectObject):
            return self._pages.get(page.idnum)
        return int(page) + 1 if isinstance(page, NumberObject) and 0 <= page < self._total else None

    @cached_property
    def _pages(self) -> dict[int, int]:
        """The pages, counted from 1, by the numbers of their objects. Raises ValueError where they are not those that
        PDFium has found."""
        pages = self._reader.pages
        if len(pages) != self._total:
            raise ValueError("pypdf has found other pages")
        found: dict[int, int] = {}
        for number, page in enumerate(pages, start=1):
            if page.indirect_reference is not None:
                found.setdefault(page.indirect_reference.idnum, number)
        return found


def _top(destination: list[PdfObject]) -> float | None:
    kind, *numbers = (one.get_object() for one in destination[1:])
    at = _TOPS.get(str(kind), len(numbers))
    top = numbers[at] if at < len(numbers) else None
    return float(top) if isinstance(top, (NumberObject, FloatObject)) and top else None


def _value(node: DictionaryObject, key: str) -> PdfObject | None:
    found = node.get(key)
    return None if found is None else found.get_object()


def _dictionary(node: DictionaryObject, key: str) -> DictionaryObject:
    found = _value(node, key)
    return found if isinstance(found, DictionaryObject) else DictionaryObject()


def _array(node: DictionaryObject, key: str) -> list[PdfObject]:
    found = _value(node, key)
    return found if isinstance(found, ArrayObject) else []


def _text(said: PdfObject | None) -> str:
    if isinstance(said, ByteStringObject):
        return _guessed(said[:_LONGEST])
    return str(said[:_LONGEST]) if isinstance(said, TextStringObject) else ""


def _guessed(said: bytes) -> str:
    """Bytes that are no text as PDF wants it: UTF-16 cut off within a letter, UTF-8 without its mark, or neither."""
    if said.startswith((codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE)):
        return said.decode("utf-16", "ignore")
    with suppress(UnicodeDecodeError):
        return said.decode()
    return said.decode("latin-1")


def _name(said: PdfObject | None) -> bytes:
    """A name as the bytes it is in the file: it may be written as a name or as a string."""
    if isinstance(said, (TextStringObject, ByteStringObject)):
        return said.original_bytes
    return str(said).removeprefix("/").encode()


def _outline_of_pdfium(document: pypdfium2.PdfDocument) -> dict[int, list[Entry]]:
    found: dict[int, list[Entry]] = defaultdict(list)
    for number, bookmark in enumerate(document.get_toc(max_depth=_DEEPEST)):
        if number >= _ENTRIES:
            break
        destination = bookmark.get_dest()
        page = destination.get_index() if destination else None
        title = text.one_line(bookmark.get_title())
        if page is not None and page >= 0 and title:
            found[page + 1].append(Entry(bookmark.level, title, _top_of_pdfium(destination)))
    return found


def _top_of_pdfium(destination: pypdfium2.PdfDest) -> float | None:
    kind, numbers = destination.get_view()
    at = _TOPS_OF_PDFIUM.get(kind)
    if at is None or at >= len(numbers) or numbers[at] == 0:
        return None
    return round(float(numbers[at]), _DIGITS)
