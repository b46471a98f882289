"""Plain text: paragraphs between empty lines."""

from collections.abc import Iterator
from pathlib import Path

from kb.reading import encoding, text
from kb.reading.composition import Composition
from kb.reading.sections import About, Item, Section

VERSION = "1"


def read(path: Path) -> Iterator[Item]:
    """The paragraphs of a text file, line breaks kept: in plain text they may be all the structure there is."""
    yield About("plain", VERSION, "line")
    lines = text.clean("".join(encoding.pieces(path))).split("\n")
    paragraph: list[tuple[int, str]] = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            paragraph.append((number, line.rstrip()))
            continue
        yield from _section(paragraph)
        paragraph = []
    yield from _section(paragraph)


def _section(lines: list[tuple[int, str]]) -> Iterator[Section]:
    whole = Composition()
    for number, line in lines:
        whole.add(line, number, between="\n")
    if whole:
        yield whole.section("prose")
