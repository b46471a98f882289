"""Tables of Word: which cell stands where, and the rows as lines of text with their header."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lxml import etree

from kb.reading.sections import Mark, Section
from kb.reading.word.markup import CELL, ROW, TABLE, VAL, inside, name, number, path, toggle, value
from kb.reading.word.styles import Styles
from kb.reading.word.text import Line

_WIDEST = 63
"""Columns that a table of Word may have."""

_LABEL = 100
"""Characters. A cell that spans rows stands in each of them up to this length: a row that is found alone says what it
is about, and a long text is not multiplied."""

_CONTEXT = 500
"""Characters of a header that is worth repeating with each part of its table."""

_NO_FILL = {"", "auto", "ffffff"}
_FIRST_ROW = 0x20


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell in the grid of a table, row and column from 1. What continues a cell above is that cell itself."""

    row: int
    column: int
    element: etree._Element


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table as it is shown."""

    number: int
    cells: tuple[Cell, ...]
    is_header: bool
    """The file says so itself."""

    is_filled: bool
    """All its cells have a background of their own."""


@dataclass(frozen=True, slots=True)
class Written:
    """A row with the text of its cells. `unit` is its number in the document."""

    row: Row
    unit: int
    texts: tuple[str, ...]
    is_bold: bool


def rows(table: etree._Element) -> list[Row]:
    """The rows of a table that no tracked change has deleted and nothing hides."""
    shown = (row for row in inside(table, ROW) if not _is_gone(row))
    above: dict[int, Cell] = {}
    return [_row(row, number, above) for number, row in enumerate(shown, start=1)]


def framed(rows: Sequence[Row]) -> Cell | None:
    """The cell of a table that has no other: it is only a box around text."""
    cells = {cell for row in rows for cell in row.cells}
    return cells.pop() if len(cells) == 1 else None


def nests(row: Row) -> bool:
    """Whether a cell of the row has a table in it."""
    return any(next(cell.element.iter(TABLE), None) is not None for cell in row.cells)


def has_header(table: etree._Element, styles: Styles) -> bool:
    """Whether the table's first row is shown as a header by its style."""
    look = table.find(path("w:tblPr/w:tblLook"))
    if look is None:
        return False
    first = look.get(name("w:firstRow"))
    wanted = first in ("1", "true", "on") if first else bool(_bits(look.get(VAL, "")) & _FIRST_ROW)
    return wanted and styles.has_header(value(table, path("w:tblPr/w:tblStyle")))


def header(written: Sequence[Written], *, by_style: bool) -> int:
    """How many rows at the beginning are the header: those marked as such, else the first where the table's style or
    its own looks set it apart from the second."""
    marked = next((at for at, one in enumerate(written) if not one.row.is_header), len(written))
    if marked or len(written) < 2 or len(written[0].row.cells) < 2:
        return marked if marked < len(written) else 0
    first, second = written[:2]
    if by_style:
        return 1
    if not all(first.texts[1:]):
        return 0
    is_set_apart = (first.is_bold and not second.is_bold) or (first.row.is_filled and not second.row.is_filled)
    return int(is_set_apart)


def section(written: Sequence[Written], heading_path: tuple[str, ...], *, headers: int) -> Section:
    """Rows as lines, "cell | cell", each cell marked. The first `headers` of them are the context of the rest."""
    lines: list[str] = []
    marks: list[Mark] = []
    at = 0
    for one in written:
        line = ""
        for cell, words in zip(one.row.cells, _without_empty_ends(one.texts), strict=False):
            line += (" | " if line else "| ") if cell is not one.row.cells[0] else ""
            if words:
                start = at + len(line)
                marks.append(Mark(start, start + len(words), one.unit, cell=(cell.row, cell.column)))
            line += words
        lines.append(line)
        at += len(line) + 1
    context = "\n".join(lines[:headers])
    return Section("\n".join(lines), "table", heading_path, tuple(marks), context if len(context) <= _CONTEXT else "")


def written(row: Row, unit: int, lines: Sequence[Line]) -> Written:
    """A row with what its cells say, where they continue a cell above as they begin."""
    texts = tuple(line.text if _is_said(cell, row, line) else "" for cell, line in zip(row.cells, lines, strict=True))
    return Written(row, unit, texts, all(line.is_bold for line in lines if line.text))


def _is_said(cell: Cell, row: Row, line: Line) -> bool:
    return cell.row == row.number or len(line.text) <= _LABEL


def _is_gone(row: etree._Element) -> bool:
    properties = row.find(name("w:trPr"))
    return properties is not None and (
        properties.find(name("w:del")) is not None or bool(toggle(properties, name("w:hidden")))
    )


def _row(row: etree._Element, at: int, above: dict[int, Cell]) -> Row:
    """A row, where `above` holds the cells by column that go on downwards, and is kept so."""
    cells = []
    filled = []
    column = 1 + _span(value(row, path("w:trPr/w:gridBefore")), least=0)
    for element in inside(row, CELL):
        if element.find(path("w:tcPr/w:cellDel")) is not None:
            continue
        merge = element.find(path("w:tcPr/w:vMerge"))
        cell = Cell(at, column, element)
        if merge is None:
            above.pop(column, None)
        elif merge.get(VAL) == "restart":
            above[column] = cell
        else:
            cell = above.setdefault(column, cell)
        cells.append(cell)
        filled.append(_is_filled(element))
        column += _span(value(element, path("w:tcPr/w:gridSpan")), least=1)
    return Row(at, tuple(cells), bool(toggle(row, path("w:trPr/w:tblHeader"))), bool(filled) and all(filled))


def _span(said: str, *, least: int) -> int:
    return min(max(number(said, least), least), _WIDEST)


def _is_filled(cell: etree._Element) -> bool:
    shading = cell.find(path("w:tcPr/w:shd"))
    return shading is not None and shading.get(name("w:fill"), "").lower() not in _NO_FILL


def _bits(said: str) -> int:
    return int(said, 16) if re.fullmatch("[0-9A-Fa-f]{1,8}", said) else 0


def _without_empty_ends(texts: Sequence[str]) -> Sequence[str]:
    last = max((at for at, words in enumerate(texts) if words), default=-1)
    return texts[: last + 1]
