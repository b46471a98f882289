"""The lines of text on a PDF page, measured."""

from pathlib import Path

import pypdfium2
import pytest

from kb.reading.options import Options
from kb.reading.pdf import lines as pdf_lines
from kb.reading.pdf import reader as pdf
from kb.reading.pdf.lines import Line, Sheet
from kb.reading.sections import Section
from tests.kb.reading import files
from tests.kb.reading.files import words
from tests.kb.reading.reading import sections


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.pdf"


def measured(path: Path) -> Sheet:
    document = pypdfium2.PdfDocument(path)
    page = document[0]
    sheet = pdf_lines.measure(page, 1)
    page.close()
    document.close()
    return sheet


def lines(path: Path, *drawn: bytes) -> list[Line]:
    return measured(files.with_content(path, b"".join(drawn))).lines


def texts(found: list[Line]) -> list[str]:
    return [line.text for line in found]


def read(path: Path) -> list[Section]:
    return sections(pdf.read(path, Options()))


def test_a_line(path: Path) -> None:
    (line,) = lines(path, words("Leave", 72, 692, size=10))
    assert (line.text, line.page, line.baseline) == ("Leave", 1, 100)
    assert line.place == pytest.approx(line.box, abs=0.01)
    left, top, right, bottom = line.box
    assert 72 <= left < right < 110
    assert 90 < top < bottom <= 103
    assert 9 < line.height < 13
    assert [line.hyphenated, line.bold, line.monospaced, line.leftward] == [False] * 4


@pytest.mark.parametrize(
    ("font", "bold", "monospaced"), [("F1", False, False), ("F2", False, True), ("F3", True, False)]
)
def test_fonts(path: Path, font: str, bold: bool, monospaced: bool) -> None:
    (line,) = lines(path, words("Leave", 72, 700, font=font))
    assert (line.bold, line.monospaced) == (bold, monospaced)


def test_letters_of_one_width_by_nature_are_not_monospaced(path: Path) -> None:
    drawn = words("每年天数", 72, 700, font="F5"), words("apt 更新", 72, 680, font="F5")
    assert [line.monospaced for line in lines(path, *drawn)] == [False, True]


def test_a_bold_word_makes_no_bold_line(path: Path) -> None:
    (line,) = lines(path, words("Note:", 72, 700, font="F3"), words("this is long enough", 110, 700))
    assert (line.text, line.bold) == ("Note: this is long enough", False)


def test_a_hyphen_at_the_end(path: Path) -> None:
    found = lines(path, words("an exam-", 72, 700), words("ple", 72, 686))
    assert [(line.text, line.hyphenated) for line in found] == [("an exam", True), ("ple", False)]


def test_columns_written_across_the_page_are_several_lines(path: Path) -> None:
    drawn = b"".join(words("left", 72, y) + words("right", 320, y) for y in (700, 686))
    found = lines(path, drawn)
    assert texts(found) == ["left", "right", "left", "right"]
    assert [line.box[0] > 300 for line in found] == [False, True, False, True]


@pytest.mark.parametrize("gap", [6, 14])
def test_gaps_of_justified_lines_part_nothing(path: Path, gap: int) -> None:
    assert texts(lines(path, words("left", 72, 700), words("right", 90 + gap, 700))) == ["left right"]


def test_gaps_of_typed_lines_part_nothing(path: Path) -> None:
    assert texts(lines(path, words("Name:         Ada", 72, 700, font="F2"))) == ["Name: Ada"]


@pytest.mark.parametrize(
    ("drawn", "said"),
    [
        ("e\ufb03cient \ufb02uid", "efficient fluid"),
        ("\ufe8d\ufe9f\ufe8e\ufeaf\ufe93"[::-1], "اجازة"),
        ("\ufedb\ufefc\ufee1"[::-1], "كلام"),
        ("\u2f00\u2f08", "一人"),
        ("\uf0b7 item", "• item"),
        ("\uf0d8 item", "➢ item"),
        ("e\u0301te\u0301", "été"),
        ("１２３", "１２３"),
        ("Leave ........... 12", "Leave … 12"),
        ("a\u00a0b", "a b"),
    ],
)
def test_letters_are_what_they_mean(path: Path, drawn: str, said: str) -> None:
    assert texts(lines(path, words(drawn, 72, 700, font="F4"))) == [said]


@pytest.mark.parametrize("drawn", ["وثيقة", "מסמך"])
def test_right_to_left_words(path: Path, drawn: str) -> None:
    (line,) = lines(path, words(drawn[::-1], 72, 700, font="F4"))
    assert (line.text, line.leftward) == (drawn, True)
    assert line.begin < line.end


def test_letterspaced_chinese_is_one_word(path: Path) -> None:
    assert texts(lines(path, b"18 Tc ", words("员工休假管理办法", 72, 700, font="F4"))) == ["员工休假管理办法"]


@pytest.mark.parametrize(
    ("pieces", "font", "said"),
    [(["员工", "休假", "管理", "办法", "细则"], "F4", "员工休假管理办法细则"), (list("MANUAL"), "F1", "M A N U A L")],
)
def test_a_line_spread_over_its_column_is_not_cut(path: Path, pieces: list[str], font: str, said: str) -> None:
    drawn = [words(piece, 72 + 50 * at, 700, font=font) for at, piece in enumerate(pieces)]
    assert texts(lines(path, *drawn)) == [said]


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_pages_turned_in_the_file(path: Path, rotate: int) -> None:
    drawn = files.with_content(path, words("One line", 72, 700) + words("and the next", 72, 686))
    sheet = measured(files.changed(drawn, rotate=rotate))
    assert texts(sheet.lines) == ["One line", "and the next"]
    first, second = sheet.lines
    assert second.baseline - first.baseline == pytest.approx(14, abs=0.1)
    assert second.begin == pytest.approx(first.begin, abs=2)
    assert (sheet.width, sheet.height) == ((612, 792) if rotate in (0, 180) else (792, 612))
    assert sheet.length == 792


TURNED = {90: (300, 72, 14, 0), 180: (500, 300, 0, 14), 270: (300, 700, -14, 0)}


@pytest.mark.parametrize("turned", TURNED)
@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_text_drawn_turned(path: Path, turned: int, rotate: int) -> None:
    x, y, right, up = TURNED[turned]
    drawn = b"".join(words(f"Line {at} of a paragraph", x + at * right, y + at * up, turned=turned) for at in range(3))
    sheet = measured(files.changed(files.with_content(path, drawn), rotate=rotate))
    assert texts(sheet.lines) == [f"Line {at} of a paragraph" for at in range(3)]
    assert [one.baseline - sheet.lines[0].baseline for one in sheet.lines] == pytest.approx([0, 14, 28], abs=0.1)
    assert len({round(one.begin) for one in sheet.lines}) == 1
    for one in sheet.lines:
        assert one.place is not None
        wide, high = one.place[2] - one.place[0], one.place[3] - one.place[1]
        assert (wide > high) == ((turned - rotate) % 180 == 0)
        assert max(wide, high) == pytest.approx(one.box[2] - one.box[0], abs=0.1)


def test_a_paragraph_drawn_turned_is_one(path: Path) -> None:
    drawn = b"".join(words("This line goes on for long enough", 300 + 14 * at, 72, turned=90) for at in range(3))
    (found,) = read(files.with_content(path, drawn))
    assert found.text == " ".join(["This line goes on for long enough"] * 3)


def test_words_askew_are_read(path: Path) -> None:
    assert "Draft" in " ".join(texts(lines(path, words("Draft", 200, 300, size=60, turned=45))))


def test_what_runs_over_the_edge_of_the_paper_has_no_box(path: Path) -> None:
    shown, beyond = lines(path, words("Shown", 72, 700), words("Beyond", 72, -40))
    assert shown.place is not None
    assert (beyond.text, beyond.place) == ("Beyond", None)


def test_what_the_crop_box_hides_is_left_out(path: Path) -> None:
    drawn = files.with_content(path, words("Shown", 100, 700) + words("Hidden", 100, 100))
    (line,) = measured(files.changed(drawn, crop=(90, 500, 500, 750))).lines
    assert (line.text, line.baseline) == ("Shown", 50)
    assert line.box[0] == pytest.approx(10, abs=1.5)


def test_an_empty_page(path: Path) -> None:
    assert lines(path, words("   ", 72, 700)) == []


def test_columns_are_read_one_after_the_other(path: Path) -> None:
    said = "The words of a column that is full"
    drawn = b"".join(
        words(f"{said} {at}", 72, 700 - 14 * at) + words(f"{said} {at + 8}", 330, 700 - 14 * at) for at in range(8)
    )
    assert " ".join(one.text for one in read(files.with_content(path, drawn))) == " ".join(
        f"{said} {at}" for at in range(16)
    )


CODE = ["def leave(days):", "    return days + 2"]


def test_code_keeps_its_indents(path: Path) -> None:
    prose = b"".join(words("A paragraph that says what is done below.", 72, 720 - 14 * at) for at in range(3))
    drawn = b"".join(words(said, 72, 600 - 14 * at, font="F2") for at, said in enumerate(CODE))
    found = read(files.with_content(path, prose + drawn))
    assert [(one.kind, one.text) for one in found][1:] == [("code", "\n".join(CODE))]


def test_a_typewritten_document_is_no_code(path: Path) -> None:
    drawn = b"".join(
        words("Dear colleagues, we write to you about leave", 72, 700 - 14 * at, font="F2") for at in range(5)
    )
    assert [one.kind for one in read(files.with_content(path, drawn))] == ["prose"]
