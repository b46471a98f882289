"""What kind of file this is: by its name, and whether its content agrees."""

import mmap
from collections import deque
from pathlib import Path, PurePosixPath

from kb.reading import encoding, syntaxes
from kb.reading.failures import Reason, Unreadable

PDF = "application/pdf"
WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
MARKDOWN = "text/markdown"
PLAIN = "text/plain"
HTML = "text/html"
CSV = "text/csv"
TSV = "text/tab-separated-values"

_EXTENSIONS = {
    ".pdf": PDF,
    ".docx": WORD,
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
    MARKDOWN: "Markdown",
    PLAIN: "plain text",
    HTML: "HTML",
    CSV: "a table in CSV",
    TSV: "a table in TSV",
    **{syntax.media_type: f"source code in {syntax.title}" for syntax in syntaxes.SYNTAXES},
}

_RICH_TEXT = "a Rich Text file (.rtf)"
_WRITTEN_AS_TEXT = (_NAMES[PDF], _RICH_TEXT)
"""A file of these kinds may be valid UTF-8 from end to end, and is not text all the same."""

_HEAD = 1_024
"""Readers of PDF accept `%PDF-` anywhere in the first 1,024 bytes (PDF Reference 1.7, implementation note 13)."""

_SIGNATURES = (
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (b"GIF8", "a GIF image"),
    (b"II*\x00", "a TIFF image"),
    (b"MM\x00*", "a TIFF image"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office file (.doc, .xls, .ppt) or an encrypted Word document"),
    (b"{\\rtf", _RICH_TEXT),
    (b"%PDF-", _NAMES[PDF]),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a Windows program"),
)
_ZIP = b"PK\x03\x04"
_ZIP_CONTENTS = (
    (b"word/document", _NAMES[WORD]),
    (b"xl/workbook", "an Excel workbook (.xlsx)"),
    (b"ppt/presentation", "a PowerPoint presentation (.pptx)"),
    (b"mimetypeapplication/epub", "an EPUB book"),
    (b"mimetypeapplication/vnd.oasis.opendocument", "an OpenDocument file (.odt, .ods, .odp)"),
)


def extensions() -> tuple[str, ...]:
    """What the names of files that can be read end in."""
    return tuple(_EXTENSIONS)


def supported(filename: str) -> str | None:
    """The media type of a file of this name, or None when no reader has it."""
    return _EXTENSIONS.get(PurePosixPath(filename).suffix.lower())


def check(path: Path, media_type: str) -> None:
    """Nothing, when the content of the file is of this media type.

    Raises Unreadable: NO_TEXT when the file is empty, else TYPE_MISMATCH with what it seems to be.
    """
    if path.stat().st_size == 0:
        raise Unreadable(Reason.NO_TEXT, "The file is empty.")
    seems = _seems(path)
    if media_type in (PDF, WORD):
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
        for signature, name in _SIGNATURES:
            if head.startswith(signature):
                return name
        return _NAMES[PDF] if b"%PDF-" in head else ""


def _begins_so(path: Path) -> bool:
    """A text may speak of "%PDF-" in its first lines; only what begins with it is one."""
    with path.open("rb") as file:
        return file.read(5) in (b"%PDF-", b"{\\rtf")


def _zip_of(content: mmap.mmap) -> str:
    """Names stand uncompressed in a zip: searching for them needs no trust in its directory."""
    for name, words in _ZIP_CONTENTS:
        if content.find(name) >= 0:
            return words
    return "a ZIP archive"


def _mismatch(media_type: str, seems: str) -> Unreadable:
    wanted = _NAMES[media_type]
    if not seems:
        return Unreadable(
            Reason.TYPE_MISMATCH,
            f"By its name this is {wanted}, but its content is not. It may be damaged, or of another kind.",
        )
    return Unreadable(
        Reason.TYPE_MISMATCH,
        f"By its name this is {wanted}, but it seems to be {seems}. "
        f"Give it the right extension, or save it as {wanted} and upload it again.",
    )
