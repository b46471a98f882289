"""The text of a block of PDF lines as one section, each line marked with its page and box."""

import unicodedata
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

import regex

from kb.reading.composition import joint
from kb.reading.pdf import tables
from kb.reading.pdf.blocks import Block
from kb.reading.pdf.lines import Line
from kb.reading.pdf.tables import Row
from kb.reading.sections import Kind, Mark, Section

_COMPOUND = regex.compile(r"\p{L}+(?:-\p{L}+)+")
_LAST_WORD = regex.compile(r"[\p{L}-]+$")
_NEXT_WORD = regex.compile(r"\p{L}+")
_INDENT_MOST = 40
_EMPTY_LINE = 1.6
"""Lines of code further apart than this, in font heights, have an empty one between them."""

_CONTEXT_MOST = 500


class Compounds:
    """The words that a document writes with a hyphen: one of them at the end of a line keeps it."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def note(self, lines: Sequence[Line]) -> None:
        """Take in the lines of a page."""
        for line in lines:
            if "-" in line.text:
                self._known.update(word.casefold() for word in _COMPOUND.findall(line.text))

    def keep_hyphen(self, before: str, after: str) -> bool:
        """Whether the hyphen between the end of one line and the next is the author's, not the typesetter's."""
        first, second = _LAST_WORD.search(before), _NEXT_WORD.match(after)
        if first is None or second is None or after[0].isupper():
            return True
        return f"{first.group()}-{second.group()}".casefold() in self._known


def section(block: Block, path: tuple[str, ...], compounds: Compounds) -> Section:
    """What the block says. A table has a line for each of its rows, its cells parted by " | "."""
    if block.kind == "table":
        return _table(block.rows, path, compounds)
    text = _Text()
    if block.kind == "code":
        text.add_code(block.lines)
    else:
        text.add_prose(block.lines, compounds)
    return text.section(block.kind, path)


def _table(rows: Sequence[Row], path: tuple[str, ...], compounds: Compounds) -> Section:
    text = _Text()
    header = ""
    for number, row in enumerate(rows, start=1):
        for column, cell in enumerate(row.cells, start=1):
            text.between = _bar(row, column) if column > 1 else "\n" if number > 1 else ""
            text.add_prose(cell, compounds, cell=(number, column))
        if number == 1 and tables.has_header(rows):
            header = text.said
    return text.section("table", path, context=header if len(header) <= _CONTEXT_MOST else "")


def _bar(row: Row, column: int) -> str:
    """What parts a cell from the one before; an empty one at the beginning of a row keeps its place."""
    bar = " | " if row.cells[column - 1] else " |"
    return bar.lstrip() if column == 2 and not row.cells[0] else bar


class _Text:
    """Text in the making, of lines that are clean: `between` stands before the next of them."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._marks: list[Mark] = []
        self._length = 0
        self.between = ""

    @property
    def said(self) -> str:
        return "".join(self._pieces)

    def section(self, kind: Kind, path: tuple[str, ...], *, context: str = "") -> Section:
        return Section(self.said, kind, path, tuple(self._marks), context)

    def add_prose(self, lines: Sequence[Line], compounds: Compounds, *, cell: tuple[int, int] | None = None) -> None:
        if not lines:
            self._append(self.between)
        last = len(lines) - 1
        for index, line in enumerate(lines):
            words = line.text
            following = lines[index + 1].text if index < last else ""
            # A hyphen with nothing after it was the author's own.
            if line.hyphenated and (not following or compounds.keep_hyphen(words, following)):
                words += "-"
            self._add(words, line, cell)
            self.between = "" if line.hyphenated or not following else joint(words[-1], following[0])

    def add_code(self, lines: Sequence[Line]) -> None:
        left = min(line.box[0] for line in lines)
        width = median((line.box[2] - line.box[0]) / len(line.text) for line in lines) or 1.0
        self._add(lines[0].text + "-" * lines[0].hyphenated, lines[0])
        for above, line in pairwise(lines):
            ends = "\n\n" if line.baseline - above.baseline > _EMPTY_LINE * line.height else "\n"
            indent = min(round((line.box[0] - left) / width), _INDENT_MOST)
            self.between = ends + " " * indent
            self._add(line.text + "-" * line.hyphenated, line)

    def _add(self, words: str, line: Line, cell: tuple[int, int] | None = None) -> None:
        self._append(self.between or _kept_apart(self._pieces[-1][-1:] if self._pieces else "", words[0]))
        self._marks.append(Mark(self._length, self._length + len(words), line.page, line.place, cell))
        self._append(words)

    def _append(self, piece: str) -> None:
        if piece:
            self._pieces.append(piece)
            self._length += len(piece)


def _kept_apart(before: str, after: str) -> str:
    """Two clean pieces may combine where they meet: a space keeps the whole clean, and with it every offset."""
    seam = before + after
    return "" if seam.isascii() or unicodedata.is_normalized("NFC", seam) else " "
