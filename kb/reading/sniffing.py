"""What kind of file this is: by its name, and whether its content agrees."""

import mmap
import re
from collections import deque
from pathlib import Path, PurePosixPath

from kb.reading import encoding, syntaxes
from kb.reading.failures import Reason, Unreadable

PDF = "application/pdf"
WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
POWERPOINT = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
OPEN_TEXT = "application/vnd.oasis.opendocument.text"
OPEN_SHEETS = "application/vnd.oasis.opendocument.spreadsheet"
OPEN_SLIDES = "application/vnd.oasis.opendocument.presentation"
EPUB = "application/epub+zip"
MARKDOWN = "text/markdown"
PLAIN = "text/plain"
HTML = "text/html"
CSV = "text/csv"
TSV = "text/tab-separated-values"

_EXTENSIONS = {
    ".pdf": PDF,
    ".docx": WORD,
    ".pptx": POWERPOINT,
    ".xlsx": EXCEL,
    ".odt": OPEN_TEXT,
    ".ods": OPEN_SHEETS,
    ".odp": OPEN_SLIDES,
    ".epub": EPUB,
    ".md": MARKDOWN,
    ".markdown": MARKDOWN,
    ".txt": PLAIN,
    ".html": HTML,
    ".htm": HTML,
    ".csv": CSV,
    ".tsv": TSV,
    **syntaxes.EXTENSIONS,
}
_NAMES = {
    PDF: "a PDF",
    WORD: "a Word document (.docx)",
    POWERPOINT: "a PowerPoint presentation (.pptx)",
    EXCEL: "an Excel workbook (.xlsx)",
    OPEN_TEXT: "an OpenDocument text (.odt)",
    OPEN_SHEETS: "an OpenDocument spreadsheet (.ods)",
    OPEN_SLIDES: "an OpenDocument presentation (.odp)",
    EPUB: "an EPUB book (.epub)",
    MARKDOWN: "a Markdown file (.md)",
    PLAIN: "plain text",
    HTML: "an HTML page (.html)",
    CSV: "a table in CSV",
    TSV: "a table in TSV",
    **{syntax.media_type: f"source code in {syntax.title}" for syntax in syntaxes.SYNTAXES},
}
_TEXTS = (MARKDOWN, PLAIN, HTML, CSV, TSV, *(syntax.media_type for syntax in syntaxes.SYNTAXES))

_RICH_TEXT = "a Rich Text file (.rtf)"
_WRITTEN_AS_TEXT = (_NAMES[PDF], _RICH_TEXT)
"""A file of these kinds may be valid UTF-8 from end to end, and is not text all the same."""

_HEAD = 1_024
"""Readers of PDF accept `%PDF-` anywhere in the first 1,024 bytes (PDF Reference 1.7, implementation note 13)."""

_COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""The files of old Office, and the container of a new one with a password (MS-CFB, MS-OFFCRYPTO 2.3)."""

_OLD_WORD = "an old Word document (.doc)"
_COMPOUND_CONTENTS = (
    ("EncryptedPackage", ""),
    ("WordDocument", _OLD_WORD),
    ("Workbook", "an old Excel workbook (.xls)"),
    ("PowerPoint Document", "an old PowerPoint presentation (.ppt)"),
)

_SIGNATURES = (
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (b"GIF8", "a GIF image"),
    (b"II*\x00", "a TIFF image"),
    (b"MM\x00*", "a TIFF image"),
    (_COMPOUND, "an old Office file (.doc, .xls, .ppt)"),
    (b"{\\rtf", _RICH_TEXT),
    (b"%PDF-", _NAMES[PDF]),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a Windows program"),
)
_LOCAL_HEADER = 30
_ZIP = b"PK\x03\x04"
_ZIP_CONTENTS = {
    WORD: b"word/document",
    EXCEL: b"xl/workbook",
    POWERPOINT: b"ppt/presentation",
    EPUB: b"META-INF/container.xml",
}
_ZIP_MIMETYPE = re.compile(rb"mimetype([a-z.+/-]+)")
"""Books and OpenDocument files begin with a part that has their media type as its content, uncompressed."""


def extensions() -> tuple[str, ...]:
    """What the names of files that can be read end in."""
    return tuple(_EXTENSIONS)


def supported(filename: str) -> str | None:
    """The media type of a file of this name, or None when no reader has it."""
    return _EXTENSIONS.get(PurePosixPath(filename).suffix.lower())


def is_old_word(filename: str) -> bool:
    """Whether a file of this name is of the Word of before 2007."""
    return PurePosixPath(filename).suffix.lower() in (".doc", ".dot")


def check(path: Path, media_type: str) -> None:
    """Nothing, when the content of the file is of this media type.

    Raises Unreadable: NO_TEXT when the file is empty, ENCRYPTED when it is behind a password, else
    TYPE_MISMATCH with what it seems to be.
    """
    if path.stat().st_size == 0:
        raise Unreadable(Reason.NO_TEXT, "The file is empty.")
    seems = _seems(path)
    if media_type not in _TEXTS:
        if seems != _NAMES[media_type]:
            raise _mismatch(media_type, seems)
        return
    if seems in _WRITTEN_AS_TEXT and _begins_so(path):
        raise _mismatch(media_type, seems)
    try:
        deque(encoding.pieces(path), maxlen=0)
    except Unreadable as not_text:
        raise (_mismatch(media_type, seems) if seems else not_text) from not_text


def _seems(path: Path) -> str:
    """What the first bytes say it is, in words; empty when they say nothing, as those of all text."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        head = content[:_HEAD]
        if head.startswith(_ZIP):
            return _zip_of(content)
        if head.startswith(_COMPOUND):
            return _compound_of(content)
        for signature, name in _SIGNATURES:
            if head.startswith(signature):
                return name
        return _NAMES[PDF] if b"%PDF-" in head else ""


def _begins_so(path: Path) -> bool:
    """A text may speak of "%PDF-" in its first lines; only what begins with it is one."""
    with path.open("rb") as file:
        return file.read(5) in (b"%PDF-", b"{\\rtf")


def _zip_of(content: mmap.mmap) -> str:
    """Names stand uncompressed in a zip: searching for them needs no trust in its directory. That comes last: files
    within the file, such as a chart's workbook, have their names before it."""
    declared = _ZIP_MIMETYPE.match(content, _LOCAL_HEADER)
    name = _NAMES.get(declared[1].decode("ascii")) if declared else None
    last, media_type = max((content.rfind(part), kind) for kind, part in _ZIP_CONTENTS.items())
    return name or (_NAMES[media_type] if last >= 0 else "a ZIP archive")


def _compound_of(content: mmap.mmap) -> str:
    """By the names of its streams. Raises Unreadable (ENCRYPTED) when it is the cover of a file with a password."""
    for name, words in _COMPOUND_CONTENTS:
        if _has_stream(content, name):
            if not words:
                raise Unreadable(Reason.ENCRYPTED, "This file is protected by a password. Save it without one.")
            return words
    return dict(_SIGNATURES)[_COMPOUND]


def _has_stream(content: mmap.mmap, name: str) -> bool:
    """Whether an entry of the directory has this name: entries stand at multiples of 128 bytes, and behind the 64 of
    the name comes its length, NUL included (MS-CFB 2.6.1). That sets it apart from a text that speaks of it."""
    stored = name.encode("utf-16-le")
    length = (len(stored) + 2).to_bytes(2, "little")
    at = content.find(stored)
    while at >= 0:
        if at % 128 == 0 and content[at + 64 : at + 66] == length:
            return True
        at = content.find(stored, at + 1)
    return False


def _mismatch(media_type: str, seems: str) -> Unreadable:
    wanted = _NAMES[media_type]
    if not seems:
        return Unreadable(
            Reason.TYPE_MISMATCH,
            f"By its name this is {wanted}, but its content is not. It may be damaged, or of another kind.",
        )
    if seems == _OLD_WORD:
        return Unreadable(
            Reason.TYPE_MISMATCH,
            f"By its name this is {wanted}, but it is {seems}. "
            "Save it as .docx in Word or LibreOffice and upload that.",
        )
    return Unreadable(
        Reason.TYPE_MISMATCH,
        f"By its name this is {wanted}, but it seems to be {seems}. "
        f"Give it the right extension, or save it as {wanted} and upload it again.",
    )
