"""Excel workbooks (.xlsx): each sheet's tables as lines of cells, with values as the sheet shows them.

Read from the XML itself: openpyxl's way of reading in pieces knows neither merged cells nor tables, fills empty rows
up to the declared size, and fails on styles and charts that nobody asked for.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from lxml import etree

from kb.reading import archive, grid, text
from kb.reading.composition import Composition
from kb.reading.office import drawings, number_formats
from kb.reading.parts import Parts, Relation, malformed, whole
from kb.reading.sections import About, Cell, Item, Progress, Section, Warned

VERSION = "1"

_REFERENCE = re.compile(r"([A-Z]{1,3})([1-9][0-9]{0,6})")
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")


def read(path: Path) -> Iterator[Item]:
    """The sheets of a workbook in the order of their tabs, each below its name. Its marks count tabs, hidden ones too,
    and have the row and column in the sheet. Hidden rows are read, as a filter hides them for the moment; hidden sheets
    are left out, with a warning."""
    archive.check(path)
    parts = Parts(path)
    workbook = _Workbook(parts)
    yield About("sheets", VERSION, "sheet", title=parts.title())
    for number, sheet in enumerate(workbook.sheets, start=1):
        if sheet.part and not sheet.hidden:
            yield from _Sheet(workbook, sheet, number).sections()
        yield Progress(number, len(workbook.sheets))
    yield from workbook.warnings()


@dataclass(frozen=True, slots=True)
class _Tab:
    """A sheet by its tab; `part` is empty where there is no grid but a chart."""

    name: str
    part: str
    hidden: bool


class _Workbook:
    """What its sheets share."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.uncalculated = 0
        main = parts.main()
        root = parts.root(main)
        relations = parts.relations(main)
        properties = root.find("{*}workbookPr")
        self.from_1904 = properties is not None and properties.get("date1904") in ("1", "true")
        self.sheets = [_tab(one, relations) for one in root.iterfind("{*}sheets/{*}sheet")]
        self._strings = _strings(parts, main)
        self._codes = _codes(parts, main)

    def warnings(self) -> Iterator[Warned]:
        """What of it was not read."""
        hidden = [sheet.name for sheet in self.sheets if sheet.hidden]
        if hidden:
            yield Warned("hidden_sheets", f"Hidden sheets are left out: {', '.join(hidden)}.")
        if self.uncalculated:
            yield Warned("uncalculated", f"Formulas without a stored result: {self.uncalculated:,}.")

    def value(self, cell: etree._Element) -> str:
        """What a cell shows, on one line."""
        kind = cell.get("t", "n")
        inside = {child.tag.rpartition("}")[2]: child for child in cell}
        if kind == "inlineStr":
            return _string(inside["is"]) if "is" in inside else ""
        stored = (inside["v"].text or "") if "v" in inside else ""
        if not stored:
            self.uncalculated += "f" in inside and kind != "str"
            return ""
        match kind:
            case "s":
                return self._string(stored)
            case "b":
                return "TRUE" if stored == "1" else "FALSE"
            case "n":
                return number_formats.shown(stored, self._code(cell), from_1904=self.from_1904)
            case "d":
                return stored.replace("T", " ").removesuffix(" 00:00:00")
        return _shown(stored)

    def _string(self, index: str) -> str:
        at = whole(index, len(self._strings))
        if at >= len(self._strings):
            raise malformed("a cell refers to a text that is not there")
        return self._strings[at]

    def _code(self, cell: etree._Element) -> str:
        style = whole(cell.get("s", ""), 0)
        return self._codes[style] if style < len(self._codes) else ""


def _tab(sheet: etree._Element, relations: dict[str, Relation]) -> _Tab:
    relation = relations.get(drawings.reference(sheet))
    part = relation.target if relation and relation.kind == "worksheet" else ""
    return _Tab(text.one_line(sheet.get("name", "")), part, sheet.get("state", "visible") != "visible")


def _strings(parts: Parts, main: str) -> list[str]:
    found = parts.related(main, "sharedStrings")
    return [_string(one) for one in parts.elements(found, "{*}si")] if found else []


def _string(item: etree._Element) -> str:
    """A text in one piece or in runs of different looks, without the reading aids of Japanese names."""
    words = []
    for child in item:
        name = child.tag.rpartition("}")[2]
        if name == "t":
            words.append(child.text or "")
        elif name == "r":
            words += (run.text or "" for run in child.iterfind("{*}t"))
    return _shown("".join(words))


def _shown(stored: str) -> str:
    """What XML cannot hold is written as _x000D_ (ECMA-376, part 1, 22.9.2.19)."""
    if "_x" in stored:
        stored = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), stored)
    return text.one_line(stored)


def _codes(parts: Parts, main: str) -> list[str]:
    """The number format of each style that a cell may have."""
    found = parts.related(main, "styles")
    if not found:
        return []
    root = parts.root(found)
    own = {
        one.get("numFmtId"): text.one_line(one.get("formatCode", "")) for one in root.iterfind("{*}numFmts/{*}numFmt")
    }
    return [
        own[number] if (number := style.get("numFmtId", "0")) in own else _built_in(number)
        for style in root.iterfind("{*}cellXfs/{*}xf")
    ]


def _built_in(number: str) -> str:
    return number_formats.BUILT_IN.get(whole(number, 0), "")


class _Sheet:
    """One pass over a sheet: its cells are gathered, then cut into tables."""

    def __init__(self, workbook: _Workbook, tab: _Tab, number: int) -> None:
        self._workbook = workbook
        self._tab = tab
        self._number = number
        self._grid = grid.Sheet()
        self._path = grid.below(tab.name)

    def sections(self) -> Iterator[Section]:
        """The name of the sheet and what stands on it; nothing where nothing does."""
        self._gather()
        found = [*self._defined(), *self._grid.sections(self._path, unit=self._number)]
        found.sort(key=lambda section: section.marks[0].cell or (0, 0))
        found += self._drawn()
        yield from grid.named(self._tab.name, found, unit=self._number)

    def _gather(self) -> None:
        number = 0
        for element in self._workbook.parts.elements(self._tab.part, "{*}row", "{*}mergeCell"):
            if element.tag.endswith("}mergeCell"):
                self._grid.merge(*_range(element.get("ref", "")))
                continue
            given = element.get("r", "")
            number = whole(given, number + 1)
            self._grid.add(number, dict(self._cells(element)))

    def _cells(self, row: etree._Element) -> Iterator[tuple[int, str]]:
        column = 0
        for cell in row.iterchildren("{*}c"):
            place = _REFERENCE.fullmatch(cell.get("r", ""))
            column = _column(place[1]) if place else column + 1
            words = self._workbook.value(cell)
            if words:
                yield column, words

    def _defined(self) -> Iterator[Section]:
        """The tables that the sheet says it has, with their headers; they are taken out of its cells."""
        parts = self._workbook.parts
        for relation in parts.relations(self._tab.part).values():
            if relation.kind == "table" and relation.target in parts:
                table = parts.root(relation.target)
                rows = self._grid.take(*_range(table.get("ref", "")))
                heads = int(table.get("headerRowCount", "1") == "1")
                found = grid.table(rows, self._path, unit=lambda _row: self._number, heads=heads) if rows else None
                if found:
                    yield found

    def _drawn(self) -> Iterator[Section]:
        """The words of text boxes and charts that lie over the cells."""
        parts = self._workbook.parts
        part = parts.related(self._tab.part, "drawing")
        relations = parts.relations(part)
        for element in parts.root(part).iter("{*}txBody", drawings.CHART) if part else ():
            lines = drawings.paragraphs(element)
            if element.tag == drawings.CHART:
                relation = relations.get(drawings.reference(element))
                lines = drawings.chart(parts.root(relation.target)) if relation and relation.target in parts else []
            words = Composition()
            for line in lines:
                words.add(line, self._number, between="\n")
            if words:
                yield words.section("prose", self._path)


def _range(reference: str) -> tuple[Cell, Cell]:
    """The first and the last cell of `A1:B2`."""
    first, _colon, last = reference.partition(":")
    return _place(first), _place(last or first)


def _place(reference: str) -> Cell:
    found = _REFERENCE.fullmatch(reference)
    if not found:
        raise malformed("a place in a sheet is written wrongly")
    return int(found[2]), _column(found[1])


@lru_cache(maxsize=20_000)
def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number
