"""Which reader reads which media type."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from kb.reading import sniffing, syntaxes
from kb.reading.options import Options
from kb.reading.sections import Checkpoint, Item

if TYPE_CHECKING:
    from kb.reading.ocr import Scans

_PLAIN = Options()

# By name: a child reads one file, and the libraries of all readers together take it three times as long to start.
_READERS = {
    sniffing.PDF: "pdf",
    sniffing.WORD: "word",
    sniffing.POWERPOINT: "slides",
    sniffing.EXCEL: "sheets",
    sniffing.OPEN_TEXT: "open_text",
    sniffing.OPEN_SHEETS: "open_sheets",
    sniffing.OPEN_SLIDES: "open_slides",
    sniffing.EPUB: "book",
    sniffing.MARKDOWN: "markdown",
    sniffing.PLAIN: "plain",
    sniffing.HTML: "html",
    sniffing.CSV: "delimited",
    sniffing.TSV: "delimited",
}


def read(
    path: Path,
    media_type: str,
    options: Options = _PLAIN,
    *,
    scans: "Scans | None" = None,
    begin: Checkpoint | None = None,
) -> Iterator[Item]:
    """The items of a file, in the order of the document; of a long PDF those of a part (see `Checkpoint`).

    Runs hostile bytes through parsers in C: call it through `sandbox.read`, which does so in a child process.
    """
    reader = import_module(module(media_type))
    if media_type == sniffing.PDF:
        yield from reader.read(path, options, scans, begin)
    elif media_type in syntaxes.BY_MEDIA_TYPE:
        yield from reader.read(path, media_type)
    else:
        yield from reader.read(path)


def module(media_type: str) -> str:
    """The name of the module that reads it."""
    return f"kb.reading.{'source' if media_type in syntaxes.BY_MEDIA_TYPE else _READERS[media_type]}"
