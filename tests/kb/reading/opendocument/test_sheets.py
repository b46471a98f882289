from pathlib import Path

import pytest

from kb.reading.failures import Reason, Unreadable
from kb.reading.opendocument import sheets as open_sheets
from kb.reading.sections import About, Progress, Warned
from tests.kb.reading import packages
from tests.kb.reading.reading import sections


def cell(words: str, more: str = "") -> str:
    return f"<table:table-cell {more}><text:p>{words}</text:p></table:table-cell>"


def row(*cells: str, more: str = "") -> str:
    return f"<table:table-row {more}>{''.join(cells)}</table:table-row>"


def table(name: str, *rows: str, more: str = "") -> str:
    return f'<table:table table:name="{name}" {more}>{"".join(rows)}</table:table>'


def test_it_reads(tmp_path: Path) -> None:
    hidden = table("Secret", row(cell("x")), more='table:style-name="ta2"')
    shown = table(
        "Budget",
        row(cell("Kind", 'table:number-rows-spanned="2"'), cell("2024")),
        row("<table:covered-table-cell/>", cell("Plan")),
        row(cell("Fruit"), "<table:table-cell office:value='3'/>"),
        row("<table:table-cell table:number-columns-repeated='16384'/>", more='table:number-rows-repeated="1000000"'),
        row(
            "<table:table-cell table:number-columns-repeated='3'/>", cell("far"), more='table:number-rows-repeated="2"'
        ),
    )
    automatic = '<style:style style:name="ta2"><style:table-properties table:display="false"/></style:style>'
    path = packages.opendocument(tmp_path / "a.ods", "spreadsheet", hidden + shown, automatic=automatic)
    about, *items = open_sheets.read(path)
    assert isinstance(about, About)
    assert (about.title, about.unit) == ("A title", "sheet")
    assert items[-2:] == [Progress(2, 2), Warned("hidden_sheets", "Hidden sheets are left out: Secret.")]
    name, found, far = sections(items)
    assert (name.text, name.heading_path) == ("Budget", ("Budget",))
    assert (found.text, found.context) == ("Kind | 2024\nKind | Plan\nFruit | 3", "Kind | 2024\nKind | Plan")
    assert [(mark.unit, mark.cell) for mark in found.marks] == [(2, (1, 1)), (2, (2, 1)), (2, (3, 1))]
    assert [(mark.unit, mark.cell) for mark in far.marks] == [(2, (1_000_004, 4)), (2, (1_000_005, 4))]


def test_repetitions_without_end(tmp_path: Path) -> None:
    repeated = row(
        cell("a", 'table:number-columns-repeated="999999999"'), more='table:number-rows-repeated="999999999"'
    )
    path = packages.opendocument(tmp_path / "a.ods", "spreadsheet", table("A", repeated))
    assert len(sections(open_sheets.read(path))[-1].text) < 5_000_000


def test_a_cell_where_no_sheet_has_one(tmp_path: Path) -> None:
    far = row(more='table:number-rows-repeated="999999999"') + row(cell("far"))
    path = packages.opendocument(tmp_path / "a.ods", "spreadsheet", table("A", far))
    with pytest.raises(Unreadable) as refused:
        list(open_sheets.read(path))
    assert refused.value.reason == Reason.MALFORMED
