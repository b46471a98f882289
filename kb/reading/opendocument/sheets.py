"""OpenDocument spreadsheets (.ods): each sheet's tables as lines of cells, whose values the file holds as they show."""

from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from kb.reading import grid
from kb.reading.opendocument import markup
from kb.reading.opendocument.markup import CELL, COVERED, OFFICE, STYLE, TABLE
from kb.reading.sections import About, Item, Progress, Section, Warned

VERSION = "1"

_REPEATED_MOST = 1_000
"""Rows or cells with the same text: what repeats more often is a background."""


def read(path: Path) -> Iterator[Item]:
    """The sheets of a spreadsheet, read as `sheets` reads those of Excel."""
    parts = markup.opened(path)
    content = parts.root("content.xml")
    yield About("open_sheets", VERSION, "sheet", title=markup.title(parts))
    hidden_styles = _hidden_styles(content)
    tables = list(markup.body(content, "spreadsheet").iterchildren(f"{TABLE}table"))
    hidden = []
    for number, table in enumerate(tables, start=1):
        if table.get(f"{TABLE}style-name") in hidden_styles:
            hidden.append(table.get(f"{TABLE}name", ""))
        else:
            yield from _sheet(table, number)
        yield Progress(number, len(tables))
    if hidden:
        yield Warned("hidden_sheets", f"Hidden sheets are left out: {', '.join(hidden)}.")


def _hidden_styles(content: etree._Element) -> set[str | None]:
    return {
        style.get(f"{STYLE}name")
        for style in content.iter(f"{STYLE}style")
        for look in style.iterchildren(f"{STYLE}table-properties")
        if look.get(f"{TABLE}display") == "false"
    }


def _sheet(table: etree._Element, number: int) -> Iterator[Section]:
    sheet = grid.Sheet()
    merged = []
    at = 1
    for row in markup.rows(table):
        cells = dict(_cells(row))
        times = markup.times(row, "rows-repeated")
        for line in range(at, at + min(times, _REPEATED_MOST) if cells else at):
            sheet.add(line, dict(cells))
        merged += [((at, column), down, across) for column, down, across in _spans(row)]
        at += times
    for (top, left), down, across in merged:
        sheet.merge((top, left), (top + down - 1, left + across - 1))
    name = table.get(f"{TABLE}name", "")
    yield from grid.named(name, list(sheet.sections(grid.below(name), unit=number)), unit=number)


def _placed(row: etree._Element) -> Iterator[tuple[int, int, etree._Element]]:
    """The cells of a row, each with its column and how often it is repeated."""
    column = 1
    for cell in row.iterchildren(CELL, COVERED):
        times = markup.times(cell, "columns-repeated")
        yield column, times, cell
        column += times


def _cells(row: etree._Element) -> Iterator[tuple[int, str]]:
    for column, times, cell in _placed(row):
        words = _shown(cell) if cell.tag == CELL else ""
        if words:
            for at in range(column, column + min(times, _REPEATED_MOST)):
                yield at, words


def _shown(cell: etree._Element) -> str:
    """The text that stands for a value, else the value itself: small programs write no more."""
    return markup.cell(cell) or cell.get(f"{OFFICE}string-value") or cell.get(f"{OFFICE}value") or ""


def _spans(row: etree._Element) -> Iterator[tuple[int, int, int]]:
    for column, _times, cell in _placed(row):
        down, across = markup.times(cell, "rows-spanned"), markup.times(cell, "columns-spanned")
        if cell.tag == CELL and (down, across) != (1, 1):
            yield column, down, across
