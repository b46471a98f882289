"""What the lines of a PDF page make: paragraphs, items of lists, code and captions."""

from collections import Counter

import pytest
from hypothesis import given

from kb.reading.pdf import blocks as pdf_blocks
from kb.reading.pdf.blocks import Usual
from kb.reading.pdf.lines import Line

from .lines import HEIGHT, any_lines, below, blocks, line

FULL = "Lines that are as long as their column"
WIDE = 300.0


def found(lines: list[Line]) -> list[tuple[str, list[str]]]:
    return [(block.kind, [one.text for one in block.lines]) for block in blocks(lines)]


def paragraph(lines: int, baseline: float, *, indent: float = 0.0, left: float = 72.0) -> list[Line]:
    """Justified lines, the last one short."""
    first = line(FULL, left + indent, baseline, width=WIDE - indent)
    return [
        first,
        *below([FULL] * (lines - 2), left, baseline + 12, width=WIDE),
        *last(baseline + 12 * (lines - 1), left),
    ]


def last(baseline: float, left: float = 72.0) -> list[Line]:
    return [line("and it ends.", left, baseline)]


def sizes(lines: list[Line]) -> list[int]:
    return [len(words) for _kind, words in found(lines)]


@pytest.mark.parametrize(
    ("second", "parted_by"),
    [
        (paragraph(3, 148), "a gap"),
        (paragraph(3, 136), "a short last line"),
        (paragraph(3, 136, indent=12), "an indent"),
        (below([FULL] * 3, 400, 100, width=150), "the next column"),
        (below([FULL] * 3, baseline=136, size=15, leading=18), "larger letters"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_paragraphs_are_parted(second: list[Line], parted_by: str) -> None:
    assert sizes([*paragraph(3, 100), *second]) == [3, 3], parted_by


def test_an_indent_parts_paragraphs_whose_last_line_is_full() -> None:
    full = below([FULL, f"{FULL}."], width=WIDE)
    assert sizes([*full, *paragraph(3, 124, indent=12)]) == [2, 3]


def test_ragged_lines_stay_together() -> None:
    ragged = [line(FULL, baseline=100 + 12 * at, width=width) for at, width in enumerate([300, 285, 292, 288, 300])]
    assert sizes(ragged) == [5]


def test_letters_of_two_scripts_stay_together() -> None:
    lines = [line("安装系统之前请先备份数据并阅读", size=12, width=WIDE), line("README 文件", baseline=114, size=9)]
    assert sizes(lines) == [2]


def test_double_spaced_lines_stay_together() -> None:
    assert sizes(below([FULL] * 6, leading=20, width=WIDE)) == [6]


def test_a_short_line_before_a_long_word_stays() -> None:
    address = "https://example.org/a/very/long/address/of/a/page"
    lines = [*below([FULL] * 3, width=WIDE), line("See", baseline=136), line(address, baseline=148, width=WIDE)]
    assert sizes([*lines, line("for it.", baseline=160)]) == [6]


def test_right_to_left_lines_are_measured_from_the_right() -> None:
    words = "هذه فقرة تملأ السطر كله حتى نهايته"
    full = [line(words, 72, 100 + 12 * at, width=WIDE, leftward=True) for at in range(4)]
    short = line("والنهاية.", 72 + WIDE - 60, 148, width=60, leftward=True)
    again = [line(words, 72, 160 + 12 * at, width=WIDE, leftward=True) for at in range(2)]
    assert sizes([*full, short, *again]) == [5, 2]


@pytest.mark.parametrize("bullet", ["•", "▪", "–", "-", "*", "1.", "12)", "(a)", "a)", "1、", "（一）"])
def test_items_of_lists(bullet: str) -> None:
    item = f"{bullet} An item that is as long as its column."
    lines = [
        part
        for at in range(3)
        for part in (line(item, 72, 100 + 24 * at, width=WIDE), line("and goes on.", 84, 112 + 24 * at))
    ]
    assert found(lines) == [("list", [item, "and goes on."])] * 3


@pytest.mark.parametrize(
    "words", ["– as it is known – for years", "b) holds for all cases", "Table 3 and Figure 1 say"]
)
def test_what_stands_within_a_sentence_begins_nothing(words: str) -> None:
    assert sizes([line(FULL, width=WIDE), line(words, baseline=112, width=WIDE), *last(124)]) == [3]


@pytest.mark.parametrize("bullet", ["–", "a)"])
def test_items_behind_a_short_line(bullet: str) -> None:
    lines = [*paragraph(3, 60), line("Choose", baseline=96), line(f"{bullet} one", baseline=108)]
    assert found([*lines, line(f"{bullet} two", baseline=120)])[-2:] == [
        ("list", [f"{bullet} one"]),
        ("list", [f"{bullet} two"]),
    ]


@pytest.mark.parametrize(
    "words",
    [
        "Table 3: Prices",
        "Figure 2.1. A boat",
        "Fig. 4 The lid",
        "Abbildung 7: Das Boot",
        "Table A.1 Prices",
        "TABLE IV",
        "图 A-1 船",
        "表 3 价格",
        "図1：船",
        "Рис. 2. Лодка",
    ],
)
def test_captions(words: str) -> None:
    assert found([line(words), *paragraph(3, 140)])[0] == ("caption", [words])
    assert pdf_blocks.begins_block(line(words))


@pytest.mark.parametrize(
    "words", ["Tables are read", "Table manners matter", "TABLE OF CONTENTS", "Figures differ", "表示する"]
)
def test_no_captions(words: str) -> None:
    assert found([line(words)]) == [("prose", [words])]


def test_code_keeps_its_lines_together() -> None:
    lines = [*paragraph(3, 100), *below(["def a():", "return 1"], baseline=150, monospaced=True), *paragraph(3, 190)]
    assert [kind for kind, _words in found(lines)] == ["prose", "code", "prose"]


def test_code_with_an_empty_line_is_one_piece() -> None:
    lines = [*below(["import os"], monospaced=True), *below(["os.sync()"], baseline=124, monospaced=True)]
    assert [kind for kind, _words in found(lines)] == ["code"]
    assert sizes([*lines, *below(["other()"], baseline=300, monospaced=True)]) == [2, 1]


def test_what_is_typed_in_a_monospaced_font_may_be_prose() -> None:
    lines = below([FULL, FULL, "and ends."], monospaced=True)
    (block,) = pdf_blocks.blocks(lines, Usual(lines, HEIGHT), code=False)
    assert block.kind == "prose"


def test_no_lines_make_no_blocks() -> None:
    assert blocks([]) == []


@given(any_lines)
def test_no_line_is_lost_or_doubled(lines: list[Line]) -> None:
    said = Counter(word for block in blocks(lines) for one in block.lines for word in one.text.split())
    assert said == Counter(word for one in lines for word in one.text.split())


@given(any_lines)
def test_no_block_is_empty(lines: list[Line]) -> None:
    assert all(block.lines for block in blocks(lines))
    assert all(block.rows for block in blocks(lines) if block.kind == "table")
