"""PDF files in which text does not run from left to right: where characters stand tells how they are read."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pypdfium2
import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st
from pypdf import PdfWriter
from pypdf.generic import ArrayObject, DecodedStreamObject, DictionaryObject, NameObject, NumberObject, TextStringObject

from kb.reading.options import Options
from kb.reading.pdf import bidi, tables
from kb.reading.pdf import lines as pdf_lines
from kb.reading.pdf import reader as pdf
from kb.reading.pdf.bidi import Span
from kb.reading.pdf.lines import Line
from tests.kb.reading.reading import sections

RIGHT_TO_LEFT = regex.compile(r"[[\p{Hebrew}\p{Arabic}]&&\p{L}]", regex.V1)
MIRRORED = str.maketrans("()[]", ")(][")


def seen(segments: Sequence[str]) -> str:
    """How a line looks whose segments are read one after the other: what has Hebrew or Arabic in it runs leftwards."""
    return "".join(one[::-1] if RIGHT_TO_LEFT.search(one) else one for one in reversed(segments))


def spans(shown: str) -> list[Span]:
    return [None if letter == " " else (10.0 * at, 10.0 * at + 9) for at, letter in enumerate(shown)]


@pytest.mark.parametrize(
    "segments",
    [
        ["עולם שלום"],
        ["משנת ", "2017", ".א"],
        ["פרסם ב-", "12", " במאי ", "2024", " את"],
        ["לפי תקן ", "ISO 9001", " ולפי ", "WHO guidelines for water", " משנת"],
        ["הבדיקה (גרסה ", "3.1", ") של"],
        ["תקן ", "ISO (rev 2)", " של"],
        ["פריט [הערה] שני: ", "25%", " א"],
        ["בין ", "12-15", " ל"],
        ["معيار ", "12/5/2024", " و (الإصدار ", "3.1", ") لعام ", "٢٠١٧", "؟ب"],
        ["من ", "2010", " -ب ", "2015", " ل"],
    ],
)
def test_a_line_is_read_by_where_its_characters_stand(segments: list[str]) -> None:
    shown, said = seen(segments), "".join(segments)
    assert bidi.leftwards(shown, spans(shown)) == said
    # the same line from a program that turns brackets round, and from one that stores it as it is read
    assert bidi.leftwards(shown.translate(MIRRORED), spans(shown)) == said
    assert bidi.leftwards(shown[::-1], spans(shown)[::-1]) == said


def test_spaces_stand_in_the_widest_gaps() -> None:
    # the space is stored between the bracket and the word that belongs behind it
    line: list[tuple[str, Span]] = [("א", (50, 59)), ("(", (30, 39)), (" ", None), ("ב", (20, 29)), (")", (10, 19))]
    letters, edges = zip(*line, strict=True)
    assert bidi.leftwards("".join(letters), edges) == "א (ב)"


def test_one_glyph_for_many_letters_is_never_alef_before_lam() -> None:
    assert bidi.leftwards("اهلل", [(20, 29), (10, 19), (10, 19), (10, 19)]) == "الله"


def test_marks_stay_with_their_letters() -> None:
    said = "يْكُ"
    apart = [(30.0, 40.0), (20.0, 30.0), (12.0, 20.0), (10.0, 12.0)]
    upon = [(20.0, 40.0), (28.0, 32.0), (10.0, 20.0), (14.0, 16.0)]
    assert bidi.leftwards(said, apart) == said
    assert bidi.leftwards(said, upon) == said


letters = st.tuples(
    st.characters() | st.sampled_from("אבגاللهُ ()[]12.-"), st.none() | st.tuples(st.floats(0, 600), st.floats(0, 600))
)


@given(st.lists(letters, max_size=40))
def test_no_character_is_lost(line: list[tuple[str, Span]]) -> None:
    said = bidi.leftwards("".join(letter for letter, _span in line), [span for _letter, span in line])
    # brackets may be turned round, spaces only move
    assert sorted(said.translate(MIRRORED) + said) == sorted(said + said.translate(MIRRORED))
    before = sorted(letter for letter, _span in line if not letter.isspace() and letter not in "()[]{}")
    assert sorted(letter for letter in said if not letter.isspace() and letter not in "()[]{}") == before


@pytest.mark.parametrize(("line", "leftward"), [("שלום abc", True), ("abcd של", False), ("12", False), ("", False)])
def test_most_letters_decide(line: str, leftward: bool) -> None:
    assert bidi.is_leftward(line) is leftward


def vertical(path: Path, lines: list[str]) -> Path:
    """A page of 400 by 600 points in vertical writing, in a font that readers of PDF know."""
    writer = PdfWriter()
    page = writer.add_blank_page(400, 600)
    system = {
        "Registry": TextStringObject("Adobe"),
        "Ordering": TextStringObject("Japan1"),
        "Supplement": NumberObject(4),
    }
    descriptor = {
        "Type": NameObject("/FontDescriptor"),
        "FontName": NameObject("/HeiseiMin-W3"),
        "Flags": NumberObject(1),  # its characters are of one width
    }
    descendant = {
        "Type": NameObject("/Font"),
        "Subtype": NameObject("/CIDFontType0"),
        "BaseFont": NameObject("/HeiseiMin-W3"),
        "CIDSystemInfo": _dictionary(system),
        "FontDescriptor": writer._add_object(_dictionary(descriptor)),
    }
    font = {
        "Type": NameObject("/Font"),
        "Subtype": NameObject("/Type0"),
        "BaseFont": NameObject("/HeiseiMin-W3-UniJIS-UCS2-V"),
        "Encoding": NameObject("/UniJIS-UCS2-V"),
        "DescendantFonts": ArrayObject([writer._add_object(_dictionary(descendant))]),
    }
    page[NameObject("/Resources")] = _dictionary({"Font": _dictionary({"F": writer._add_object(_dictionary(font))})})
    content = DecodedStreamObject()
    shown = (
        f"1 0 0 1 {350 - 20 * number} 550 Tm <{line.encode('utf-16-be').hex()}> Tj" for number, line in enumerate(lines)
    )
    content.set_data(f"BT /F 12 Tf {' '.join(shown)} ET".encode())
    page[NameObject("/Contents")] = writer._add_object(content)
    writer.write(path)
    return path


def _dictionary(entries: Mapping[str, object]) -> DictionaryObject:
    return DictionaryObject({NameObject(f"/{key}"): value for key, value in entries.items()})


def test_vertical_writing(tmp_path: Path) -> None:
    lines = [
        "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見",
        "当がつかぬ。何でも薄暗いじめじめした所でニャーニャー泣",
        "いていた事だけは記憶している。",
    ]
    (section,) = sections(pdf.read(vertical(tmp_path / "vertical.pdf", lines), Options()))
    assert section.text == "".join(lines)
    boxes = [mark.box for mark in section.marks if mark.box]
    assert len(boxes) == len(lines)
    for number, (left, top, right, bottom) in enumerate(boxes):
        assert 335 - 20 * number <= left < right <= 360 - 20 * number
        assert 45 <= top < top + 12 * (len(lines[number]) - 2) < bottom <= 400


def test_tables_that_are_read_from_right_to_left() -> None:
    def line(words: str, left: float, right: float, baseline: float) -> Line:
        return Line(words, 1, (left, baseline - 10, right, baseline), baseline, 16.0, leftward=True)

    lines = [
        line("סוף הפסקה", 60, 300, 80),
        line("כאן", 250, 300, 100),
        line("שם", 280, 300, 127),
        line("ערך", 80, 100, 127),
        line("כלור", 270, 300, 149),
        line("0.3", 85, 100, 149),
        line("טקסט שממשיך אחרי הטבלה", 60, 300, 175),
    ]
    above, table, below = tables.parts(lines)
    assert above == lines[:2]
    assert isinstance(table, tables.Table)
    assert [[one.text for cell in row.cells for one in cell] for row in table.rows] == [["שם", "ערך"], ["כלור", "0.3"]]
    assert below == lines[-1:]


def test_east_asian_letters_of_one_width_are_no_code(tmp_path: Path) -> None:
    with pypdfium2.PdfDocument(vertical(tmp_path / "vertical.pdf", ["在站工龄", "每年天数"])) as document:
        lines = pdf_lines.measure(document[0], 1).lines
    assert [line.text for line in lines] == ["在站工龄", "每年天数"]
    assert not any(line.monospaced for line in lines)
