"""Which reader reads which media type."""

from collections.abc import Callable, Iterator
from pathlib import Path

from kb.reading import (
    book,
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
    word,
)
from kb.reading.options import Options
from kb.reading.sections import Item

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
}


def read(path: Path, media_type: str, options: Options) -> Iterator[Item]:
    """The items of a file, in the order of the document.

    Runs hostile bytes through parsers in C: call it through `sandbox.read`, which does so in a child process.
    """
    if media_type == sniffing.PDF:
        return pdf.read(path, options)
    return _READERS[media_type](path)
