"""What Tesseract writes becomes lines like those of a page with text."""

from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.reading import text
from kb.reading.composition import joint
from kb.reading.ocr import hocr
from kb.reading.pdf.lines import Line

LINE = "bbox 100 200 500 240; baseline 0.002 -10; x_size 48; x_descenders 10; x_ascenders 12"


def paragraph(*lines: tuple[str, list[tuple[str, int]]]) -> bytes:
    """One paragraph of lines, each its title and its words with their confidence."""
    spans = "".join(
        f"<span class='ocr_line' title='{title}'>"
        + "".join(
            f"<span class='ocrx_word' title='bbox 0 0 9 9; x_wconf {confidence}'><em>{escape(word)}</em></span>"
            for word, confidence in words
        )
        + "</span>"
        for title, words in lines
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><html xmlns="http://www.w3.org/1999/xhtml"><body>'
        f"<div class='ocr_page' title='bbox 0 0 1000 1000'><p class='ocr_par'>{spans}</p></div></body></html>"
    ).encode()


def sure(*words: str) -> list[tuple[str, int]]:
    return [(word, 90) for word in words]


def texts(*lines: list[tuple[str, int]]) -> list[str]:
    page = hocr.page(paragraph(*((LINE, words) for words in lines)), dots_per_inch=300)
    return [line.text for line in page.lines]


def test_a_line_stands_in_points() -> None:
    page = hocr.page(paragraph((LINE, sure("Two", "words"))), dots_per_inch=144)
    assert page.lines == (Line("Two words", 0, (50.0, 100.0, 250.0, 120.0), 115.0, 24.0),)
    assert (page.confidence, page.is_sideways) == (90.0, False)


def test_a_line_without_baseline_stands_on_its_box() -> None:
    (line,) = hocr.page(paragraph(("bbox 0 0 200 100", sure("Word"))), dots_per_inch=72).lines
    assert (line.baseline, line.height) == (100.0, 100.0)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["每", "名", "员工"], "每名员工"),
        (["编号", "“", "样品", "”", "在", "标签", "上", "。"], "编号“样品”在标签上。"),
        (["使用", "Python", "脚本", "，"], "使用 Python 脚本，"),
        (["ひら", "がな", "と", "カタカナ"], "ひらがなとカタカナ"),
        (["e\u0301", "co"], "é co"),
        (["say", "“so”", "—", "twice"], "say “so” — twice"),
    ],
)
def test_only_words_of_scripts_with_spaces_are_spaced(words: list[str], line: str) -> None:
    assert texts(sure(*words)) == [line]


def test_what_is_hardly_a_word_is_left_out() -> None:
    assert texts([("Clean", 95), ("~;", 4), ("words", 60)]) == ["Clean words"]
    assert texts([("smudge", 9)], sure("—", "..")) == []


def test_confidence_is_by_letters() -> None:
    page = hocr.page(paragraph((LINE, [("long", 90), ("x", 40)])), dots_per_inch=300)
    assert page.confidence == 80.0
    assert hocr.page(paragraph(), dots_per_inch=300).confidence == 0.0


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ("confirma-", "tion", ("confirma", True)),
        ("E-17-", "again", ("E-17-", False)),
        ("north-", "East", ("north-", False)),
        ("whole", "tion", ("whole", False)),
    ],
)
def test_a_word_broken_at_the_end_of_a_line(first: str, second: str, said: tuple[str, bool]) -> None:
    page = hocr.page(paragraph((LINE, sure(first)), (LINE, sure(second))), dots_per_inch=300)
    assert (page.lines[0].text, page.lines[0].hyphenated) == said
    assert (page.lines[1].text, page.lines[1].hyphenated) == (second, False)


def test_a_hyphen_that_ends_a_paragraph_stays() -> None:
    assert texts(sure("confirma-")) == ["confirma-"]


def test_a_page_on_its_side() -> None:
    page = hocr.page(paragraph(("bbox 0 0 40 800", sure("turned")), (LINE, sure("not"))), dots_per_inch=300)
    assert page.is_sideways


@pytest.mark.parametrize(
    "written",
    [
        b"",
        b"Orientation in degrees: 0",
        paragraph((LINE, sure("cut off")))[:-40],
        paragraph(("baseline 0 0", sure("no box"))),
        paragraph(("bbox 9 9 1 1", sure("inside out"))),
        paragraph((LINE, sure("no confidence"))).replace(b"x_wconf 90", b""),
        b'<!DOCTYPE a [<!ENTITY b "c">]><html>&b;</html>'.replace(b"</html>", b""),
    ],
)
def test_what_tesseract_does_not_write(written: bytes) -> None:
    with pytest.raises(hocr.Garbled):
        hocr.page(written, dots_per_inch=300)


XML = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")


@given(st.lists(st.lists(st.tuples(st.text(XML, max_size=6), st.integers(0, 100)), max_size=6), max_size=5))
def test_lines_are_clean_and_not_empty(lines: list[list[tuple[str, int]]]) -> None:
    page = hocr.page(paragraph(*((LINE, words) for words in lines)), dots_per_inch=300)
    for line in page.lines:
        assert line.text.strip()
        assert text.one_line(line.text) == line.text
    assert 0.0 <= page.confidence <= 100.0


@pytest.mark.parametrize(
    ("before", "after", "between"),
    [("说", "“", ""), ("”", "说", ""), ("“", "s", " "), ("a", "“", " "), ("、", "“", ""), ("中", "a", " ")],
)
def test_quotation_marks_take_no_space_in_chinese(before: str, after: str, between: str) -> None:
    assert joint(before, after) == between
