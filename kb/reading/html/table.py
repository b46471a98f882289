"""A table in the making: its rows as lines, each cell in its column, the header as context."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from msgspec import structs

from kb.reading.composition import Composition, joint
from kb.reading.sections import Cell, Section

CONTEXT_MOST = 1_000
"""A longer header would take the place of what it explains."""

_COLUMNS = 1_000
_ACROSS_MOST = 64
"""A cell may claim 1,000 columns (HTML Standard, 4.9.11): kept in line as far as a table that is read has them."""

_LABEL = 80
"""What stands in a cell over several rows is repeated in each, if it is as short as a label."""

_SEPARATOR = " | "


@dataclass
class _Cell:
    pieces: list[tuple[str, int, str]] = field(default_factory=list)  # words, line, what stands before them
    down: int = 1

    @property
    def is_label(self) -> bool:
        return sum(len(words) for words, _line, _between in self.pieces) <= _LABEL


class Table:
    """Rows and cells as they begin; words go to the cell that is open."""

    def __init__(self) -> None:
        self._whole = Composition()
        self._row = 0
        self._cells: dict[int, _Cell] = {}  # of this row, by column
        self._from_above: dict[int, _Cell] = {}
        self._cell: _Cell | None = None
        self._column = 0  # the last one taken in this row
        self._only_headers = True  # in this row
        self._heads = 0  # rows of the header
        self._body = False

    def begin_row(self) -> None:
        """The next row."""
        self._row += 1
        self._cells = {}
        self._column = 0
        self._only_headers = True

    def begin_cell(self, attributes: Mapping[str, str], *, header: bool) -> None:
        """The next cell of the row."""
        if not self._row:
            self.begin_row()
        self._only_headers &= header
        self._column += 1
        while self._column in self._from_above:
            self._column += 1
        down = _span(attributes, "rowspan")
        self._cell = self._cells[self._column] = _Cell(down=down)
        across = min(_span(attributes, "colspan"), _ACROSS_MOST, max(1, _COLUMNS - self._column))
        for _covered in range(1, across):
            self._column += 1
            self._cells[self._column] = _Cell(down=down)

    def add(self, words: str, line: int, *, gap: str) -> None:
        """Words of the open cell, behind white space of the source."""
        if self._cell is None:
            return
        pieces = self._cell.pieces
        between = joint(pieces[-1][0][-1], words[0]) if gap == "\n" and pieces else gap
        pieces.append((words, line, between if pieces else ""))

    def end_cell(self) -> None:
        """Words that follow belong to no cell."""
        self._cell = None

    def end_row(self, *, in_header: bool) -> None:
        """The row is whole; `in_header` says that its place makes it one of the header."""
        if not self._cells:
            return
        row = self._from_above | self._cells
        written = self._write(row)
        header = in_header or self._only_headers
        self._body |= not header
        self._heads += written and not self._body
        self._from_above = {
            column: replace(cell, down=cell.down - 1, pieces=cell.pieces if cell.is_label else [])
            for column, cell in row.items()
            if cell.down > 1
        }
        self._cells = {}

    def section(self, path: tuple[str, ...]) -> Section | None:
        """The table; None when there are no words in it."""
        if not self._whole:
            return None
        section = self._whole.section("table", path)
        header = "\n".join(section.text.split("\n", self._heads)[: self._heads])
        return structs.replace(section, context=header if len(header) <= CONTEXT_MOST else "")

    def _write(self, row: dict[int, _Cell]) -> bool:
        between = "\n" if self._whole else ""
        written = False
        for column in range(1, max(row) + 1):
            between += _SEPARATOR if column > 1 else ""
            if column in row and row[column].pieces:
                self._write_cell(row[column], (self._row, column), between=between)
                between = ""
                written = True
        return written

    def _write_cell(self, cell: _Cell, place: Cell, *, between: str) -> None:
        (first, begin, _before), *following = cell.pieces
        # Nothing stands between the first words of all and the beginning: empty cells before them go with them.
        self._whole.add(first if self._whole else between + first, begin, cell=place, between=between)
        for words, line, before in following:
            if line == begin:
                self._whole.go_on(words, between=before)
            else:
                self._whole.add(words, line, cell=place, between=before)
                begin = line


def _span(attributes: Mapping[str, str], name: str) -> int:
    said = attributes.get(name, "").strip()
    return max(1, int(said)) if said.isdecimal() and len(said) < 6 else 1
