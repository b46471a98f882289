import datetime
from pathlib import Path

import openpyxl
import pytest
import xlsxwriter
from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.cell.text import InlineFont
from openpyxl.chart import BarChart, Reference
from openpyxl.worksheet.table import Table
from openpyxl.worksheet.worksheet import Worksheet

from kb.reading.failures import Reason, Unreadable
from kb.reading.office import sheets
from kb.reading.sections import About, Item, Progress, Section, Warned
from tests.kb.reading import packages
from tests.kb.reading.reading import sections


@pytest.fixture
def book() -> openpyxl.Workbook:
    return openpyxl.Workbook()


@pytest.fixture
def sheet(book: openpyxl.Workbook) -> Worksheet:
    sheet = book.worksheets[0]
    sheet.title = "Budget"
    return sheet


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A workbook with one word, kept among its shared texts."""
    with xlsxwriter.Workbook(tmp_path / "a.xlsx") as book:
        book.add_worksheet("A").write("A1", "Words")
    return tmp_path / "a.xlsx"


def items(book: openpyxl.Workbook, folder: Path) -> list[Item]:
    book.save(folder / "a.xlsx")
    return list(sheets.read(folder / "a.xlsx"))


def read(book: openpyxl.Workbook, folder: Path) -> list[Section]:
    """What stands below the names of the sheets."""
    return [section for section in sections(items(book, folder)) if section.kind != "heading"]


def places(section: Section) -> list[tuple[int, tuple[int, int] | None]]:
    return [(mark.unit, mark.cell) for mark in section.marks]


def test_it_reads(book: openpyxl.Workbook, sheet: Worksheet, tmp_path: Path) -> None:
    book.properties.title = "A title"
    for row in [["Item", "When", "Cost"], ["Chairs", datetime.date(2024, 3, 1), 1234.5], ["Desks", None, 0.5]]:
        sheet.append(row)
    sheet["C2"].number_format, sheet["C3"].number_format = "#,##0.00", "0%"
    about, *found = items(book, tmp_path)
    assert isinstance(about, About)
    assert (about.title, about.unit) == ("A title", "sheet")
    assert found[-1] == Progress(1, 1)
    name, table = sections(found)
    assert (name.text, name.kind, name.heading_path) == ("Budget", "heading", ("Budget",))
    assert table.text == "Item | When | Cost\nChairs | 2024-03-01 | 1,234.50\nDesks |  | 50%"
    assert (table.kind, table.heading_path, table.context) == ("table", ("Budget",), "Item | When | Cost")
    assert places(table) == [(1, (1, 1)), (1, (2, 1)), (1, (3, 1))]


def test_values_as_they_show(book: openpyxl.Workbook, sheet: Worksheet, tmp_path: Path) -> None:
    rich = CellRichText("bold ", TextBlock(InlineFont(b=True), "and not"))
    sheet.append([True, "two\nlines", rich, datetime.time(9, 30), datetime.timedelta(hours=30), "_x0041_", "#N/A"])
    (section,) = read(book, tmp_path)
    assert section.text == "TRUE | two lines | bold and not | 09:30:00 | 30:00:00 | A | #N/A"


def test_tables_apart(book: openpyxl.Workbook, sheet: Worksheet, tmp_path: Path) -> None:
    cells = {"A1": "A caption", "A2": "a", "B2": "b", "A3": 1, "B3": 2, "D2": "c", "E2": "d", "D3": 3, "E3": 4}
    for place, value in {**cells, "A6": "A note", "XFD1048576": "far"}.items():
        sheet[place] = value
    found = read(book, tmp_path)
    assert [(section.text, section.kind, section.context) for section in found] == [
        ("A caption", "caption", ""),
        ("a | b\n1 | 2", "table", "a | b"),
        ("c | d\n3 | 4", "table", "c | d"),
        ("A note", "prose", ""),
        ("far", "prose", ""),
    ]
    assert places(found[2]) == [(1, (2, 4)), (1, (3, 4))]
    assert places(found[-1]) == [(1, (1_048_576, 16_384))]


def test_merged_cells(book: openpyxl.Workbook, sheet: Worksheet, tmp_path: Path) -> None:
    for row in [["Budget", None, None], ["Kind", "2024", None], [None, "Plan", "Real"], ["Fruit", 1, 2], [None, 3, 4]]:
        sheet.append(row)
    for area in ("A1:C1", "A2:A3", "B2:C2", "A4:A5"):
        sheet.merge_cells(area)
    caption, table = read(book, tmp_path)
    assert (caption.text, caption.kind) == ("Budget", "caption")
    assert table.text == "Kind | 2024\nKind | Plan | Real\nFruit | 1 | 2\nFruit | 3 | 4"
    assert table.context == "Kind | 2024\nKind | Plan | Real"


def test_a_table_the_sheet_names(book: openpyxl.Workbook, sheet: Worksheet, tmp_path: Path) -> None:
    for row in [["Fruit", "Kind"], ["Apple", "Gala"], ["right", "below"]]:
        sheet.append(row)
    sheet.add_table(Table(displayName="Fruit", ref="A1:B2"))
    assert [(section.text, section.context) for section in read(book, tmp_path)] == [
        ("Fruit | Kind\nApple | Gala", "Fruit | Kind"),
        ("right | below", ""),
    ]


def test_hidden_sheets_are_said(book: openpyxl.Workbook, sheet: Worksheet, tmp_path: Path) -> None:
    hidden = book.create_sheet("Secret", 0)
    hidden["A1"], hidden.sheet_state = "hidden", "veryHidden"
    sheet["A1"] = "shown"
    sheet.row_dimensions[1].hidden = True
    found = items(book, tmp_path)
    assert found[-1] == Warned("hidden_sheets", "Hidden sheets are left out: Secret.")
    name, section = sections(found)
    assert (name.text, section.text) == ("Budget", "shown")
    assert places(section) == [(2, (1, 1))]


def test_formulas_give_their_results(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "a.xlsx") as book:
        sheet = book.add_worksheet("Sums")
        sheet.write_formula("A1", "=1+1", book.add_format({"num_format": "0.0"}), 2)
        sheet.write_formula("B1", '="a"&"b"', None, "ab")
    assert sections(sheets.read(tmp_path / "a.xlsx"))[-1].text == "2.0 | ab"


def test_formulas_without_results_are_said(book: openpyxl.Workbook, sheet: Worksheet, tmp_path: Path) -> None:
    sheet["A1"], sheet["A2"] = "words", "=2+2"
    *found, warned = items(book, tmp_path)
    assert sections(found)[-1].text == "words"
    assert warned == Warned("uncalculated", "Formulas without a stored result: 1.")


def test_texts_that_cells_share_and_boxes_above_them(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "a.xlsx", {"date_1904": True}) as book:
        sheet = book.add_worksheet("Shared")
        sheet.write("A1", "same")
        sheet.write("B1", "same")
        sheet.write_rich_string("C1", "bold ", book.add_format({"bold": True}), "and not")
        sheet.write_datetime("D1", datetime.datetime(2024, 3, 1, 9, 30), book.add_format({"num_format": "d.m.yy h:mm"}))
        sheet.insert_textbox("A5", "In a box")
    _name, cells, box = sections(sheets.read(tmp_path / "a.xlsx"))
    assert cells.text == "same | same | bold and not | 2024-03-01 09:30"
    assert (box.text, places(box)) == ("In a box", [(1, None)])


def test_charts_say_what_they_are_of(book: openpyxl.Workbook, sheet: Worksheet, tmp_path: Path) -> None:
    for row in [["Item", "Cost"], ["Chairs", 1]]:
        sheet.append(row)
    chart = BarChart()
    chart.title = "Costs by item"
    chart.add_data(Reference(sheet, min_col=2, min_row=1, max_row=2), titles_from_data=True)
    sheet.add_chart(chart, "E5")
    assert read(book, tmp_path)[-1].text == "Costs by item"


def test_a_sheet_that_says_it_is_huge(book: openpyxl.Workbook, sheet: Worksheet, tmp_path: Path) -> None:
    sheet["A1"] = "Words"
    book.save(tmp_path / "a.xlsx")
    path = packages.changed(tmp_path / "a.xlsx", "xl/worksheets/sheet1.xml", 'ref="A1:A1"', 'ref="A1:XFD1048576"')
    assert sections(sheets.read(path))[-1].text == "Words"


def test_one_text_in_many_cells(book: openpyxl.Workbook, sheet: Worksheet, tmp_path: Path) -> None:
    for _row in range(700):
        sheet.append(["long" * 8_000])
    with pytest.raises(Unreadable) as refused:
        read(book, tmp_path)
    assert refused.value.reason == Reason.TOO_MUCH_TEXT


def test_an_empty_workbook(book: openpyxl.Workbook, tmp_path: Path) -> None:
    assert not sections(items(book, tmp_path))


@pytest.mark.parametrize(("old", "new"), [('t="s"', 't="s" s="99"'), ('r="A1" t', "t"), ('<row r="1"', "<row")])
def test_what_may_be_left_out(shared: Path, old: str, new: str) -> None:
    path = packages.changed(shared, "xl/worksheets/sheet1.xml", old, new)
    assert sections(sheets.read(path))[-1].text == "Words"


@pytest.mark.parametrize("index", ["7", "-1", "x"])
def test_a_text_that_is_not_there(shared: Path, index: str) -> None:
    path = packages.changed(shared, "xl/worksheets/sheet1.xml", "<v>0</v>", f"<v>{index}</v>")
    with pytest.raises(Unreadable) as refused:
        list(sheets.read(path))
    assert refused.value.reason == Reason.MALFORMED
