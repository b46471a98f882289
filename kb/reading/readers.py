"""Which reader reads which media type."""

from collections.abc import Callable, Iterator
from pathlib import Path

from kb.reading import html, markdown, pdf, plain, sniffing, word
from kb.reading.ocr import Scans
from kb.reading.options import Options
from kb.reading.sections import Item

_READERS: dict[str, Callable[[Path], Iterator[Item]]] = {
    sniffing.WORD: word.read,
    sniffing.MARKDOWN: markdown.read,
    sniffing.PLAIN: plain.read,
    sniffing.HTML: html.read,
}


def read(path: Path, media_type: str, options: Options, scans: Scans) -> Iterator[Item]:
    """The items of a file, in the order of the document.

    Runs hostile bytes through parsers in C: call it through `sandbox.read`, which does so in a child process.
    """
    if media_type == sniffing.PDF:
        return pdf.read(path, options, scans)
    return _READERS[media_type](path)
