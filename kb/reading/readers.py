"""Which reader reads which media type."""

from collections.abc import Callable, Iterator
from pathlib import Path

from kb.reading import delimited, html, markdown, pdf, plain, sniffing, source, syntaxes, word
from kb.reading.options import Options
from kb.reading.sections import Item

_READERS: dict[str, Callable[[Path], Iterator[Item]]] = {
    sniffing.WORD: word.read,
    sniffing.MARKDOWN: markdown.read,
    sniffing.PLAIN: plain.read,
    sniffing.HTML: html.read,
    sniffing.CSV: delimited.read,
    sniffing.TSV: delimited.read,
}


def read(path: Path, media_type: str, options: Options) -> Iterator[Item]:
    """The items of a file, in the order of the document.

    Runs hostile bytes through parsers in C: call it through `sandbox.read`, which does so in a child process.
    """
    if media_type == sniffing.PDF:
        return pdf.read(path, options)
    if media_type in syntaxes.BY_MEDIA_TYPE:
        return source.read(path, media_type)
    return _READERS[media_type](path)
