"""Tables of PDF pages, and columns that were written line by line across the page."""

from collections import Counter
from collections.abc import Iterable

import pytest
from hypothesis import given

from kb.reading.pdf import tables
from kb.reading.pdf.lines import Line
from kb.reading.sections import Section

from .lines import LEADING, any_lines, below, line, read, row

LEFTS = (72.0, 200.0, 400.0)
COLUMN = "Text in a column of two on the page"


def grid(*rows: tuple[str, ...], top: float = 100.0, page: int = 1, bold: bool = False) -> list[Line]:
    """A table, its first row bold or not."""
    return [
        one
        for number, cells in enumerate(rows)
        for one in row(cells, LEFTS[: len(cells)], top + 20 * number, page=page, bold=bold and number == 0)
    ]


def only(found: list[Section]) -> Section:
    (section,) = found
    return section


def test_rows_are_lines_and_cells_are_parted() -> None:
    found = only(read(grid(("Tea", "2", "green"), ("Rice", "3", "white"))))
    assert (found.kind, found.text, found.context) == ("table", "Tea | 2 | green\nRice | 3 | white", "")
    assert [mark.cell for mark in found.marks] == [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3)]


@pytest.mark.parametrize(
    ("rows", "bold", "header"),
    [
        ((("Kind", "Price"), ("Tea", "2"), ("Rice", "3")), False, "Kind | Price"),
        ((("Kind", "Seen as"), ("Tea", "green"), ("Rice", "white")), True, "Kind | Seen as"),
        ((("Year", "2024"), ("Tea", "2"), ("Rice", "3")), False, ""),
        ((("Kind", "Seen as"), ("Tea", "green"), ("Rice", "white")), False, ""),
        ((("Tea", "green"), ("Price", "2")), False, ""),
    ],
)
def test_the_header_is_the_context(rows: tuple[tuple[str, ...], ...], bold: bool, header: str) -> None:
    found = only(read(grid(*rows, bold=bold)))
    assert found.context == header
    assert found.text.startswith("\n".join([" | ".join(rows[0]), rows[1][0]]))


def test_cells_of_several_lines() -> None:
    lines = [
        *below(["The first", "cell goes on"], 72),
        *below(["The second cell", "too"], 200),
        line("Third", 72, 140),
        line("Fourth", 200, 140),
    ]
    assert only(read(lines)).text == "The first cell goes on | The second cell too\nThird | Fourth"


@pytest.mark.parametrize(
    ("cells", "written"),
    [(("a", "", "c"), "a | | c"), (("", "b", "c"), "| b | c"), (("a", "b", ""), "a | b |")],
)
def test_missing_cells_keep_their_column(cells: tuple[str, ...], written: str) -> None:
    full = ("Tea", "green", "hot")
    assert only(read(grid(full, cells, full))).text == f"Tea | green | hot\n{written}\nTea | green | hot"
    first = only(read(grid(cells, full, full)))
    assert first.text == f"{written}\nTea | green | hot\nTea | green | hot"


HEADER = ("Kind", "Price")


def test_a_table_goes_on_with_its_header_on_the_next_page() -> None:
    found = only(
        read(
            grid(HEADER, ("Tea", "2"), ("Rice", "3"), top=640),
            grid(HEADER, ("Salt", "4"), ("Oil", "5"), page=2),
        )
    )
    assert found.text == "Kind | Price\nTea | 2\nRice | 3\nSalt | 4\nOil | 5"
    assert found.context == "Kind | Price"
    assert [mark.unit for mark in found.marks] == [1] * 6 + [2] * 4
    assert found.marks[-1].cell == (5, 2)


def test_a_table_goes_on_without_a_header() -> None:
    found = only(read(grid(HEADER, ("Tea", "2"), ("Rice", "3"), top=640), grid(("Salt", "4"), ("Oil", "5"), page=2)))
    assert found.text == "Kind | Price\nTea | 2\nRice | 3\nSalt | 4\nOil | 5"


def test_a_table_of_other_columns_is_another() -> None:
    found = read(grid(HEADER, ("Tea", "2"), top=640), grid(("a", "b", "c"), ("d", "e", "f"), page=2))
    assert [one.text for one in found] == ["Kind | Price\nTea | 2", "a | b | c\nd | e | f"]


def test_keys_and_values_are_a_table() -> None:
    found = only(
        read([one for key in range(3) for one in row((f"Key {key}:", "its value"), (72, 200), 100 + 14 * key)])
    )
    assert found.text == "Key 0: | its value\nKey 1: | its value\nKey 2: | its value"


@pytest.mark.parametrize("bullet", ["•", "–", "1.", "(a)"])
def test_a_list_whose_bullets_stand_apart_is_no_table(bullet: str) -> None:
    lines = [one for at in range(3) for one in row((bullet, "An item of a list."), (72, 100), 100 + 14 * at)]
    found = read(lines)
    assert [(one.kind, one.text) for one in found] == [("list", f"{bullet} An item of a list.")] * 3


def test_what_stands_around_a_table_stays_outside() -> None:
    prose = below(["A paragraph before the table that goes on", "for two lines."])
    after = below(["A paragraph behind it that has nothing to", "do with it."], baseline=220)
    found = read([*prose, *grid(("a", "b"), ("c", "d"), top=150), *after])
    assert [one.kind for one in found] == ["prose", "table", "prose"]
    assert found[1].text == "a | b\nc | d"


def test_a_first_cell_closely_below_a_paragraph_is_none_of_its_lines() -> None:
    prose = below(["A paragraph that is as wide as the table below it is,", "and ends."], baseline=80)
    found = read([*prose, *grid(("Tea", "2"), ("Rice", "3"), top=104)])
    assert [(one.kind, one.text) for one in found][1:] == [("table", "Tea | 2\nRice | 3")]


def columns(words: str, *, across: bool) -> list[Line]:
    left = below([f"{words} {number}" for number in range(10)], 72, width=200)
    right = below([f"{words} {number}" for number in range(10, 20)], 320, width=200)
    return [one for pair in zip(left, right, strict=True) for one in pair] if across else left + right


@pytest.mark.parametrize("across", [False, True])
def test_two_columns_of_text_are_read_one_after_the_other(across: bool) -> None:
    found = only(read(columns(COLUMN, across=across)))
    assert (found.kind, found.text) == ("prose", " ".join(f"{COLUMN} {number}" for number in range(20)))


@pytest.mark.parametrize(("words", "said"), [(("الشاي", "السعر"), "السعر | الشاي"), (("Tea", "Price"), "Tea | Price")])
def test_the_first_column_is_where_reading_begins(words: tuple[str, str], said: str) -> None:
    lines = [
        line(word, left, baseline, leftward=not word.isascii())
        for baseline, cells in ((100, words), (120, ("12", "34")))
        for word, left in zip(cells, (72, 200), strict=True)
    ]
    figures = "12 | 34" if words[0].isascii() else "34 | 12"
    assert only(read(lines)).text == f"{said}\n{figures}"


def test_pieces_of_one_line_are_put_together() -> None:
    found = only(read([line("A line", 72), line("with a gap in it", 160), line("and the next.", 72, 100 + LEADING)]))
    assert (found.kind, found.text) == ("prose", "A line with a gap in it and the next.")
    assert found.marks[0].box == (72.0, 92.0, 240.0, 102.0)


def said(lines: Iterable[Line]) -> Counter[str]:
    return Counter(word for one in lines for word in one.text.split())


@given(any_lines)
def test_no_line_is_lost_or_doubled(lines: list[Line]) -> None:
    found = [part if isinstance(part, list) else part.lines for part in tables.parts(lines)]
    assert said(one for part in found for one in part) == said(lines)


@given(any_lines)
def test_tables_are_rows_of_their_lines(lines: list[Line]) -> None:
    for part in tables.parts(lines):
        if isinstance(part, tables.Table):
            assert len(part.rows) > 1
            assert len({len(one.cells) for one in part.rows}) == 1
            held = [id(one) for its_row in part.rows for cell in its_row.cells for one in cell]
            assert sorted(held) == sorted(map(id, part.lines))


@given(any_lines)
def test_a_table_has_its_own_columns(lines: list[Line]) -> None:
    for part in tables.parts(lines):
        if isinstance(part, tables.Table):
            assert tables.same_columns(part.rows, part.rows)
