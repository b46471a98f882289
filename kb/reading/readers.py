"""Which reader reads which media type."""

from collections.abc import Callable, Iterator
from pathlib import Path

from kb.reading import book, delimited, plain, sniffing, source, syntaxes
from kb.reading.html import reader as html
from kb.reading.markdown import reader as markdown
from kb.reading.ocr.recognition import Scans
from kb.reading.office import sheets, slides
from kb.reading.opendocument import sheets as open_sheets
from kb.reading.opendocument import slides as open_slides
from kb.reading.opendocument import text as open_text
from kb.reading.options import Options
from kb.reading.pdf import reader as pdf
from kb.reading.sections import Checkpoint, Item
from kb.reading.word import reader as word

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
