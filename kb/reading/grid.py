"""Tables as cells by row and column, and the sections they make: a line for each row, the header as its context."""

from collections.abc import Callable, Iterator, Mapping
from itertools import takewhile

from msgspec.structs import replace

from kb.reading import text
from kb.reading.composition import Composition
from kb.reading.failures import Reason, Unreadable
from kb.reading.headings import Headings
from kb.reading.parts import malformed
from kb.reading.sections import Cell, Section

Rows = dict[int, dict[int, str]]
"""The text of each cell, on one line, by row and column from 1. Cells that are not there are empty; those that are,
though empty, are covered by a merged cell."""

_MERGED_MOST = 100_000
"""Cells of a merged area that are looked at: what is larger is a background and no heading."""

_LABEL = 100
"""Characters. What is merged over rows stands in each of them up to this length: a row that is found alone says what it
is about, and a long text is not multiplied."""

_CONTEXT_MOST = 1_000
"""A longer header would take the place of what it explains."""

_ROWS, _COLUMNS = 1_048_576, 16_384
"""What the sheets of Excel and of LibreOffice have."""

_TEXT_MOST = 20_000_000
"""Characters of a sheet, as many as a file may have bytes of text."""

_SEPARATOR = " | "
_SPARSE = 4
"""Where fewer than one cell in so many has text there is no table to keep in line, and no columns are counted."""

_CUTS = 2
"""Tables beside tables below tables: deeper arrangements are for drawings."""


class Sheet:
    """The cells of a sheet, filled row by row, and what is merged on it."""

    def __init__(self) -> None:
        self.rows: Rows = {}
        self._spans: dict[Cell, tuple[int, int]] = {}
        self._length = 0

    def add(self, number: int, cells: dict[int, str]) -> None:
        """The cells of a row that have text. Raises Unreadable: MALFORMED outside of what a sheet has, TOO_MUCH_TEXT as
        a text that is stored once may stand in a million cells."""
        if cells and not (1 <= number <= _ROWS and max(cells) <= _COLUMNS):
            raise malformed("a cell is where no sheet has one")
        self._length += sum(map(len, cells.values()))
        if self._length > _TEXT_MOST:
            raise Unreadable(
                Reason.TOO_MUCH_TEXT,
                f"A sheet has more than {_TEXT_MOST // 1_000_000} million characters. Split it into parts.",
            )
        if cells:
            self.rows[number] = cells

    def merge(self, first: Cell, last: Cell) -> None:
        """One cell covers an area of rows that are there: its text counts for each row, its columns as used."""
        (top, left), (bottom, right) = first, last
        words = self.rows.get(top, {}).get(left)
        if not words or (bottom - top + 1) * (right - left + 1) > _MERGED_MOST:
            return
        self._spans[first] = (bottom - top + 1, right - left + 1)
        for number in range(top, bottom + 1):
            row = self.rows.get(number)
            if row is not None:
                row.update({column: "" for column in range(left, right + 1) if column not in row})
                row[left] = words if number == top else repeated(words)

    def take(self, first: Cell, last: Cell) -> Rows:
        """The cells of an area, which are no longer on the sheet."""
        taken: Rows = {}
        rows, self.rows = self.rows, {}
        for number, row in rows.items():
            inside = {}
            if first[0] <= number <= last[0]:
                inside = {column: row[column] for column in row if first[1] <= column <= last[1]}
            if inside:
                taken[number] = inside
            if len(inside) < len(row):
                self.rows[number] = {column: row[column] for column in row if column not in inside}
        return taken

    def sections(self, path: tuple[str, ...], *, unit: int) -> Iterator[Section]:
        """Its tables and what else stands on it, each apart."""
        for block in _blocks(self.rows):
            yield from _sections(block, path, unit=unit, spans=self._spans)


def below(name: str) -> tuple[str, ...]:
    """The heading path of what stands on a sheet of this name."""
    name = text.one_line(name)
    return Headings().enter(0, name) if name else ()


def named(name: str, sections: list[Section], *, unit: int) -> Iterator[Section]:
    """What stands on a sheet, behind its name as a heading; nothing where nothing does."""
    heading = Composition()
    heading.add(text.one_line(name), unit)
    if heading and sections:
        yield heading.section("heading", below(name))
    yield from sections


def repeated(words: str) -> str:
    """What a cell that is merged over rows says in those after its first."""
    return words if len(words) <= _LABEL else ""


def table(rows: Rows, path: tuple[str, ...], *, unit: Callable[[int], int], heads: int = 1) -> Section | None:
    """One table as a section, None when it has no text. `unit` says where a row stands; the first `heads` rows are its
    header. Each row is marked as a whole, with the cell it begins in."""
    left, right = _width(rows)
    filled = sum(bool(words) for row in rows.values() for words in row.values())
    dense = filled * _SPARSE >= len(rows) * (right - left + 1)
    whole = Composition()
    for number in sorted(rows):
        line = _line(rows[number], left) if dense else _SEPARATOR.join(filter(None, rows[number].values()))
        if line:
            whole.add(line, unit(number), cell=(number, min(rows[number])), between="\n")
    if not whole:
        return None
    section = whole.section("table", path)
    return replace(section, context=_header(section, heads))


def _blocks(rows: Rows) -> list[Rows]:
    """The tables of a sheet: what empty rows and empty columns keep apart, from top to bottom, then left to right."""
    found = [rows]
    for _cut in range(_CUTS):
        found = [block for piece in found for band in _bands(piece) for block in _beside(band)]
    return found


def _sections(
    block: Rows, path: tuple[str, ...], *, unit: int, spans: Mapping[Cell, tuple[int, int]]
) -> Iterator[Section]:
    """A block of a sheet. Lines of one cell above a table are its caption; without a table they are prose.

    `spans` has the rows and columns of merged cells by their first cell: they say how far down the header goes.
    """
    rows = {number: block[number] for number in sorted(block) if any(block[number].values())}
    left, right = _width(rows)
    lines = rows if left == right else dict(takewhile(lambda one: _filled(one[1]) == 1, rows.items()))
    rest = {number: row for number, row in rows.items() if number not in lines}
    if lines:
        yield _prose(lines, unit).section("caption" if rest else "prose", path)
    found = table(rest, path, unit=lambda _row: unit, heads=_heads(rest, spans)) if rest else None
    if found:
        yield found


def _prose(lines: Rows, unit: int) -> Composition:
    whole = Composition()
    for number, row in lines.items():
        for column, words in row.items():
            whole.add(words, unit, cell=(number, column), between="\n")
    return whole


def _heads(rows: Rows, spans: Mapping[Cell, tuple[int, int]]) -> int:
    """How many rows the header has: a cell merged downwards reaches to its end, one merged across has parts below."""
    first = min(rows)
    merged = [spans[first, column] for column in rows[first] if (first, column) in spans]
    last = max((first + down - 1 + (down == 1 and across > 1) for down, across in merged), default=first)
    return sum(number <= last for number in rows)


def _width(rows: Rows) -> tuple[int, int]:
    columns = {column for row in rows.values() for column in row}
    return (min(columns), max(columns)) if columns else (1, 1)


def _filled(row: dict[int, str]) -> int:
    return sum(map(bool, row.values()))


def _line(row: dict[int, str], left: int) -> str:
    last = max((column for column, words in row.items() if words), default=left - 1)
    return _SEPARATOR.join(row.get(column, "") for column in range(left, last + 1))


def _header(section: Section, heads: int) -> str:
    lines = section.text.split("\n")
    header = "\n".join(lines[:heads])
    return header if len(lines) > heads and len(header) <= _CONTEXT_MOST else ""


def _bands(rows: Rows) -> Iterator[Rows]:
    band: Rows = {}
    before = 0
    for number in sorted(rows):
        if band and number > before + 1:
            yield band
            band = {}
        band[number] = rows[number]
        before = number
    if band:
        yield band


def _beside(band: Rows) -> Iterator[Rows]:
    group: dict[int, int] = {}
    count = 0
    before = 0
    for column in sorted({column for row in band.values() for column in row}):
        count += column > before + 1
        group[column] = count
        before = column
    pieces: dict[int, Rows] = {}
    for number, row in band.items():
        for column in sorted(row):
            pieces.setdefault(group[column], {}).setdefault(number, {})[column] = row[column]
    for key in sorted(pieces):
        yield pieces[key]
