"""Pages of PDF files as programs really make them."""

from pathlib import Path

import pytest
from fpdf import FPDF

from kb.reading.options import Options
from kb.reading.pdf import reader as pdf
from tests.kb.reading import files
from tests.kb.reading.reading import sections


@pytest.mark.parametrize("pages", [[["1"], ["2"]], [["Potato"]] * 4, [["Certificate", "of attendance"]] * 20])
def test_pages_of_nothing_but_what_repeats_keep_it(tmp_path: Path, pages: list[list[str]]) -> None:
    read = sections(pdf.read(files.pdf(tmp_path / "a.pdf", pages), Options()))
    said = " ".join(section.text for section in read)
    assert said.split() == [word for lines in pages for line in lines for word in line.split()]


def test_narrow_columns_are_cells_where_others_are(tmp_path: Path) -> None:
    document = FPDF(unit="pt", format=(400, 600))
    document.add_page()
    document.set_font("helvetica", size=10)
    rows = [("North Quay", "11.8", "96"), ("High River", "9.6", "12"), ("South Bay", "14.2", "31")]
    for number, (place, warmth, nitrate) in enumerate(rows):
        baseline = 100 + 20 * number
        document.text(40, baseline, place)
        document.text(40 + document.get_string_width(rows[0][0]) + 18, baseline, warmth)
        document.text(300, baseline, nitrate)
    document.output(str(tmp_path / "a.pdf"))
    (table,) = sections(pdf.read(tmp_path / "a.pdf", Options()))
    assert table.kind == "table"
    assert table.text.splitlines() == [" | ".join(row) for row in rows]
