"""Tables as text (CSV, TSV): a line for each row, the header as context."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from kb.reading import encoding, text
from kb.reading.composition import Composition
from kb.reading.sections import About, Item, Section

if TYPE_CHECKING:
    import _csv

VERSION = "1"

_SEPARATORS = ",;\t|"
_LOOKED_AT = 20
_CONTEXT_MOST = 1_000
"""A longer header would take the place of what it explains."""

_QUOTED = re.compile('"[^"]*"')
_NUMBER = re.compile(r"[-+]?[\d.,:/ %€$£¥-]+")

Row = tuple[int, list[str]]
"""The line on which it begins, and its cells."""


def read(path: Path) -> Iterator[Item]:
    """One table. The unit of its marks is the line; each row is marked as a whole."""
    yield About("delimited", VERSION, "line")
    section = _section(_rows(encoding.whole(path)))
    if section is not None:
        yield section


def _rows(source: str) -> list[Row]:
    lines = source.split("\n")
    separator = _separator(lines[:_LOOKED_AT])
    reader = csv.reader((line + "\n" for line in lines), delimiter=separator)
    try:
        return list(_filled(_numbered(reader)))
    except csv.Error:  # a quotation mark that nothing closes: no cell is that long
        return list(_filled(enumerate((line.split(separator) for line in lines), start=1)))


def _separator(lines: Sequence[str]) -> str:
    """The separator that most lines have as often as the first has, quotations aside."""
    bare = [line for line in _QUOTED.sub("", "\n".join(lines)).split("\n") if line.strip()]
    counts = {one: [line.count(one) for line in bare] for one in _SEPARATORS}
    return max(_SEPARATORS, key=lambda one: (_agreeing(counts[one]), sum(counts[one])))


def _agreeing(counts: list[int]) -> int:
    return counts.count(counts[0]) if counts and counts[0] else 0


def _numbered(reader: "_csv.Reader") -> Iterator[Row]:
    line = 1
    for cells in reader:
        yield line, cells
        line = reader.line_num + 1


def _filled(rows: Iterable[Row]) -> Iterator[Row]:
    """The rows in which something stands, without the empty cells at their ends."""
    for line, row in rows:
        cells = [text.one_line(cell) for cell in row]
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            yield line, cells


def _section(rows: list[Row]) -> Section | None:
    whole = Composition()
    for number, (line, cells) in enumerate(rows, start=1):
        whole.add(" | ".join(cells), line, cell=(number, 1), between="\n")
    if not whole:
        return None
    section = whole.section("table")
    header = section.text.partition("\n")[0]
    return replace(section, context=header) if _has_header(rows) and len(header) <= _CONTEXT_MOST else section


def _has_header(rows: list[Row]) -> bool:
    """Whether the first row names the columns: each has a name, and none is a number."""
    first = rows[0][1]
    return len(rows) > 1 and all(cell and not _NUMBER.fullmatch(cell) for cell in first)
