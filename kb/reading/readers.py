"""Which reader reads which media type."""

from collections.abc import Callable, Iterator
from pathlib import Path

from kb.reading import (
    book,
    delimited,
    html,
    markdown,
    open_sheets,
    open_slides,
    open_text,
    pdf,
    plain,
    sheets,
    slides,
    sniffing,
    source,
    syntaxes,
    word,
)
from kb.reading.ocr import Scans
from kb.reading.options import Options
from kb.reading.sections import Checkpoint, Item

_PLAIN = Options()

_READERS: dict[str, Callable[[Path], Iterator[Item]]] = {
    sniffing.WORD: word.read,
    sniffing.POWERPOINT: slides.read,
    sniffing.EXCEL: sheets.read,
    sniffing.OPEN_TEXT: open_text.read,
    sniffing.OPEN_SHEETS: open_sheets.read,
    sniffing.OPEN_SLIDES: open_slides.read,
    sniffing.EPUB: book.read,
    sniffing.MARKDOWN: markdown.read,
    sniffing.PLAIN: plain.read,
    sniffing.HTML: html.read,
    sniffing.CSV: delimited.read,
    sniffing.TSV: delimited.read,
}


def read(
    path: Path,
    media_type: str,
    options: Options = _PLAIN,
    *,
    scans: Scans | None = None,
    begin: Checkpoint | None = None,
) -> Iterator[Item]:
    """The items of a file, in the order of the document; of a long PDF those of a part (see `Checkpoint`).

    Runs hostile bytes through parsers in C: call it through `sandbox.read`, which does so in a child process.
    """
    if media_type == sniffing.PDF:
        yield from pdf.read(path, options, scans, begin)
    elif media_type in syntaxes.BY_MEDIA_TYPE:
        yield from source.read(path, media_type)
    else:
        yield from _READERS[media_type](path)
