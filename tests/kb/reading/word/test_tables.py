"""Tables are rows of cells with their places; what is one cell over several rows is said in each of them."""

from pathlib import Path

import pytest

from kb.reading.sections import Section
from kb.reading.word import reader as word
from tests.kb.reading.reading import marked, sections

from .files import cell, level, numbering, paragraph, row, run, style, table
from .files import word as word_file

RESTART, CONTINUE = '<w:vMerge w:val="restart"/>', "<w:vMerge/>"
MARKED = "<w:tblHeader/>"
WITH_HEADER = '<w:tblStyle w:val="Grid5"/><w:tblLook w:val="{}"/>'
STYLES = (
    style("Grid", "Table Grid", kind="table")
    + style("Grid4", "Grid Table 4", kind="table", inside='<w:tblStylePr w:type="firstRow"/>')
    + style("Grid5", "Grid Table 5", kind="table", based_on="Grid4")
    + style("Strong", "Strong", kind="character", inside="<w:rPr><w:b/></w:rPr>")
    + style("H", "heading 1")
)


def read(path: Path, body: str) -> list[Section]:
    return sections(word.read(word_file(path / "a.docx", body, styles=STYLES)))


def cells(section: Section) -> list[tuple[tuple[int, int] | None, int, str]]:
    """The place of each cell, the row's number in the document, and the text that the mark cuts out."""
    texts = [words for _unit, words in marked(section)]
    return [(mark.cell, mark.unit, words) for mark, words in zip(section.marks, texts, strict=True)]


def bold(words: str, by: str = "<w:b/>") -> str:
    return cell(f"<w:p>{run(words, by)}</w:p>")


def test_rows_and_cells(tmp_path: Path) -> None:
    body = paragraph("before") + table(row("a", "b"), row("", "x"), row("y", ""), row("", "")) + paragraph("after")
    _before, found, after = read(tmp_path, body)
    assert (found.kind, found.text, found.context) == ("table", "a | b\n| x\ny", "")
    assert cells(found) == [((1, 1), 2, "a"), ((1, 2), 2, "b"), ((2, 2), 3, "x"), ((3, 1), 4, "y")]
    assert after.marks[0].unit == 6


def test_merged_cells(tmp_path: Path) -> None:
    body = table(
        row(cell(paragraph("Sum"), '<w:gridSpan w:val="2"/>'), "2024"),
        row(cell(paragraph("Tea"), RESTART), "green", "1"),
        row(cell(paragraph("unseen"), CONTINUE), "black", "2"),
        row("Rice", "white", "3", properties='<w:gridBefore w:val="1"/>'),
    )
    (found,) = read(tmp_path, body)
    assert found.text == "Sum | 2024\nTea | green | 1\nTea | black | 2\nRice | white | 3"
    places = {(place, words) for place, _unit, words in cells(found)}
    assert {((1, 3), "2024"), ((2, 1), "Tea"), ((3, 2), "black"), ((4, 2), "Rice")} <= places
    assert ((3, 1), "Tea") not in places  # it is the cell that begins above


def test_a_long_merged_cell_stands_once(tmp_path: Path) -> None:
    long = "word " * 30
    body = table(row(cell(paragraph(long), RESTART), "1"), row(cell(paragraph(""), CONTINUE), "2"))
    (found,) = read(tmp_path, body)
    assert found.text == f"{long.strip()} | 1\n| 2"


def test_a_merged_cell_that_never_began_is_a_cell(tmp_path: Path) -> None:
    (found,) = read(tmp_path, table(row(cell(paragraph("a"), CONTINUE), "1"), row("b", "2")))
    assert found.text == "a | 1\nb | 2"


@pytest.mark.parametrize(
    ("first", "properties", "context"),
    [
        (row("Tea", "Price", properties=MARKED), "", "Tea | Price"),
        (row("Tea", "Price"), "", ""),
        (row("Tea", "Price"), WITH_HEADER.format("04A0"), "Tea | Price"),
        (row("Tea", "Price"), WITH_HEADER.format("0480"), ""),
        (row("Tea", "Price"), '<w:tblStyle w:val="Grid4"/><w:tblLook w:firstRow="1"/>', "Tea | Price"),
        (row("Tea", "Price"), '<w:tblStyle w:val="Grid"/><w:tblLook w:firstRow="1"/>', ""),
        (row(bold("Tea"), bold("Price")), "", "Tea | Price"),
        (row(bold("Tea"), bold("Price", '<w:rStyle w:val="Strong"/>')), "", "Tea | Price"),
        (row(bold("Tea"), "Price"), "", ""),
        (row(bold("Tea"), bold("")), "", ""),
        (row(*[cell(paragraph(one), '<w:shd w:fill="D9D9D9"/>') for one in ("Tea", "Price")]), "", "Tea | Price"),
        (row(*[cell(paragraph(one), '<w:shd w:fill="auto"/>') for one in ("Tea", "Price")]), "", ""),
        (row("", bold("Price")), "", "| Price"),
        (row("Tea " * 200, "Price", properties=MARKED), "", ""),  # too long to say again and again
    ],
)
def test_the_header_is_the_context(tmp_path: Path, first: str, properties: str, context: str) -> None:
    (found,) = read(tmp_path, table(first, row("green", "1"), row("black", "2"), properties=properties))
    assert found.context == context
    assert found.text.startswith(context)


def test_a_header_of_two_rows(tmp_path: Path) -> None:
    heads = row("", "Price", properties=MARKED), row("Tea", "EUR", properties=MARKED)
    (found,) = read(tmp_path, table(*heads, row("green", "1")))
    assert found.context == "| Price\nTea | EUR"


@pytest.mark.parametrize("rows", [[row("a", "b", properties=MARKED)], [row(bold("a"), bold("b"))] * 2])
def test_a_table_that_is_all_header_has_none(tmp_path: Path, rows: list[str]) -> None:
    (found,) = read(tmp_path, table(*rows))
    assert found.context == ""


def test_deleted_rows_and_cells_are_out(tmp_path: Path) -> None:
    body = table(
        row("a", "b"),
        row("c", "d", properties="<w:del/>"),
        row("c", "d", properties="<w:hidden/>"),
        row("e", cell(paragraph("f"), "<w:cellDel/>"), "g"),
    )
    assert read(tmp_path, body)[0].text == "a | b\ne | g"


def test_a_cell_is_one_line_with_its_numbers(tmp_path: Path) -> None:
    lines = paragraph("one", numbered=("1", 0)) + paragraph("two", numbered=("1", 0)) + paragraph("", style="H")
    body = table(row(cell(lines), "b")) + paragraph("three", numbered=("1", 0))
    file = word_file(tmp_path / "a.docx", body, styles=STYLES, numbering=numbering(level(0, "%1.")))
    assert [one.text for one in sections(word.read(file))] == ["1. one 2. two | b", "3. three"]


def test_a_table_in_a_cell_of_a_table_with_a_header_is_part_of_its_row(tmp_path: Path) -> None:
    inner = paragraph("Sizes:") + table(row("S", "1"), row("L", "2")) + paragraph("")
    (found,) = read(tmp_path, table(row("Tea", "Price", properties=MARKED), row("green", cell(inner))))
    assert found.text == "Tea | Price\ngreen | Sizes: S, 1; L, 2"
    assert cells(found)[-1] == ((2, 2), 2, "Sizes: S, 1; L, 2")


def test_a_row_with_tables_in_a_table_without_a_header_is_layout(tmp_path: Path) -> None:
    inner = paragraph("Left", style="H") + table(row("a", "b", properties=MARKED), row("c", "d"))
    body = table(row("x", "y"), row(cell(inner), "Right"), row("z", ""))
    assert [(one.kind, one.text, one.context) for one in read(tmp_path, body)] == [
        ("table", "x | y", ""),
        ("heading", "Left", ""),
        ("table", "a | b\nc | d", "a | b"),
        ("prose", "Right", ""),
        ("table", "z", ""),
    ]


def test_a_frame_is_no_table(tmp_path: Path) -> None:
    body = table(row(cell(paragraph("Note", style="H") + paragraph("Words.") + table(row("a", "b")))))
    assert [(one.kind, one.text) for one in read(tmp_path, body)] == [
        ("heading", "Note"),
        ("prose", "Words."),
        ("table", "a | b"),
    ]


def test_what_stands_beside_a_cell_comes_behind_the_table(tmp_path: Path) -> None:
    referring = cell(f'<w:p>{run("a")}<w:r><w:footnoteReference w:id="1"/></w:r></w:p>')
    note = f'<w:footnote w:id="1">{paragraph("note")}</w:footnote>'
    body = table(row("x", "y"), row(referring, "b"), row("c", "d"))
    found = sections(word.read(word_file(tmp_path / "a.docx", body, footnotes=note)))
    assert [(one.text, one.marks[0].unit) for one in found] == [("x | y\na | b\nc | d", 1), ("note", 2)]


def test_rows_and_cells_in_controls(tmp_path: Path) -> None:
    def control(inside: str) -> str:
        return f"<w:sdt><w:sdtContent>{inside}</w:sdtContent></w:sdt>"

    one = f"<w:tr>{control(cell(paragraph('a')))}{cell(control(paragraph('b')))}</w:tr>"
    assert read(tmp_path, control(table(control(one), row("c", "d"))))[0].text == "a | b\nc | d"
