from hypothesis import given
from hypothesis import strategies as st

from kb.reading import grid

from .reading import sections

PLACES = st.sets(st.tuples(st.integers(1, 12), st.integers(1, 12)), max_size=60)


def sheet_of(places: set[tuple[int, int]]) -> grid.Sheet:
    sheet = grid.Sheet()
    for row in sorted({row for row, _column in places}):
        sheet.add(row, {column: f"r{row}c{column}" for other, column in sorted(places) if other == row})
    return sheet


@given(PLACES)
def test_every_cell_is_read_once_and_marked_with_its_row(places: set[tuple[int, int]]) -> None:
    found: list[tuple[int, int]] = []
    for section in sections(sheet_of(places).sections(("Sheet",), unit=7)):
        assert section.text.startswith(section.context)
        for mark in section.marks:
            assert mark.unit == 7
            assert mark.cell is not None
            row, column = mark.cell
            words = [word for word in section.text[mark.start : mark.end].split(" | ") if word]
            assert words[0] == f"r{row}c{column}"
            assert {word.partition("c")[0] for word in words} == {f"r{row}"}
            found += [(row, int(word.partition("c")[2])) for word in words]
    assert sorted(found) == sorted(places)


@given(PLACES, st.tuples(st.integers(1, 12), st.integers(1, 12)), st.integers(0, 5), st.integers(0, 5))
def test_what_is_taken_is_gone(places: set[tuple[int, int]], first: tuple[int, int], down: int, across: int) -> None:
    sheet = sheet_of(places)
    taken = sheet.take(first, (first[0] + down, first[1] + across))
    inside = {(row, column) for row, cells in taken.items() for column in cells}
    left = {(row, column) for row, cells in sheet.rows.items() for column in cells}
    assert inside | left == places
    assert not inside & left
    assert inside == {
        (row, column)
        for row, column in places
        if first[0] <= row <= first[0] + down and first[1] <= column <= first[1] + across
    }


def test_a_drawing_made_of_cells_is_no_table_to_keep_in_line() -> None:
    sheet = sheet_of({(row, row * step % 97) for row in range(1, 97) for step in (1, 5)})
    (section,) = sheet.sections((), unit=1)
    assert " |  | " not in section.text


def test_a_long_header_is_no_context() -> None:
    rows = {1: {1: "a" * 600, 2: "b" * 600}, 2: {1: "c", 2: "d"}}
    section = grid.table(rows, (), unit=lambda row: row)
    assert section is not None
    assert section.context == ""


def test_a_long_text_merged_over_rows_is_not_multiplied() -> None:
    sheet = grid.Sheet()
    sheet.add(1, {1: "long " * 30, 2: "a"})
    sheet.add(2, {2: "b"})
    sheet.merge((1, 1), (2, 1))
    (section,) = sheet.sections((), unit=1)
    assert section.text.count("long") == 30
    assert section.text.endswith(" | b")
