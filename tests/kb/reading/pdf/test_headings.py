"""Headings of PDF files without an outline."""

from itertools import chain

import pytest

from kb.reading.pdf.lines import Line
from kb.reading.sections import Section

from .lines import below, line, read

PROSE = ("A paragraph of the body of this document,", "which has two lines and ends in a stop.")


def document(*headings: Line) -> list[Line]:
    """Each heading, below the one before, above a paragraph."""
    return list(
        chain.from_iterable(
            [_moved(heading, 100 + 80 * at), *below(PROSE, baseline=130 + 80 * at)]
            for at, heading in enumerate(headings)
        )
    )


def _moved(heading: Line, baseline: float) -> Line:
    return line(heading.text, 72, baseline, size=heading.height, bold=heading.bold, monospaced=heading.monospaced)


def paths(found: list[Section]) -> list[tuple[str, ...]]:
    return [one.heading_path for one in found if one.kind == "heading"]


@pytest.mark.parametrize(
    "heading",
    [
        line("Leave", size=14),
        line("2.1 Leave", size=14),
        line("How much leave is there?", size=14),
        line("2.1 Leave", bold=True),
        line("2.1. Leave", bold=True),
        line("Leave", bold=True),
        line("第二章 休假", bold=True),
        line("3.2 休暇", bold=True),
        line("第十二条 年假", bold=True),
        line("Chapter IV Leave", bold=True),
        line("Anhang B Urlaub", bold=True),
    ],
    ids=lambda heading: f"{heading.text}, {heading.height:g}",
)
def test_a_heading(heading: Line) -> None:
    found = read(document(heading))
    assert [(one.kind, one.heading_path) for one in found] == [
        ("heading", (heading.text,)),
        ("prose", (heading.text,)),
    ]


@pytest.mark.parametrize(
    "words",
    [
        line("Leave", size=10.5),
        line("2.1 Leave"),
        line("2 Litres of water are enough."),
        line("2 litres of water are enough.", bold=True),
        line("Small print", size=8, bold=True),
        line("This sentence is important.", bold=True),
        line("A sentence in large letters.", size=14),
        line("* * *", size=14),
        line("2024", size=20),
        line("2.1 Leave", bold=True, monospaced=True),
    ],
    ids=lambda words: f"{words.text}, {words.height:g}",
)
def test_no_heading(words: Line) -> None:
    found = read(document(words))
    assert paths(found) == []
    assert [one.heading_path for one in found] == [()] * len(found)


def test_a_paragraph_in_large_letters_is_no_heading() -> None:
    large = below(["This is a notice that fills lines and lines"] * 4, size=14, leading=17)
    found = read([*large, *below(PROSE * 5, baseline=250)])
    assert "heading" not in [one.kind for one in found]


def test_a_bold_paragraph_is_no_heading() -> None:
    found = read([*below(["What is printed bold may go on", "for lines"], bold=True), *below(PROSE, baseline=150)])
    assert [one.kind for one in found] == ["prose", "prose"]


def test_a_heading_of_two_lines_is_one() -> None:
    found = read([*below(["What everyone on a boat", "has to know"], size=14, leading=17), *below(PROSE, baseline=160)])
    assert paths(found) == [("What everyone on a boat has to know",)]
    assert len(found[0].marks) == 2


def test_larger_letters_are_further_out() -> None:
    found = read(
        document(line("Manual", size=20), line("Leave", size=16), line("Pay", size=16), line("Annex", size=20))
    )
    assert paths(found) == [("Manual",), ("Manual", "Leave"), ("Manual", "Pay"), ("Annex",)]
    assert [one.heading_path for one in found if one.kind == "prose"] == paths(found)


@pytest.mark.parametrize("size", [10.0, 14.0])
def test_numbers_nest_headings_of_one_size(size: float) -> None:
    numbered = ["1 Staff", "1.1 Leave", "1.1.1 Parents", "1.2 Pay", "2 Guests"]
    found = read(document(*(line(words, size=size, bold=True) for words in numbered)))
    assert paths(found) == [
        ("1 Staff",),
        ("1 Staff", "1.1 Leave"),
        ("1 Staff", "1.1 Leave", "1.1.1 Parents"),
        ("1 Staff", "1.2 Pay"),
        ("2 Guests",),
    ]


def test_bold_lines_stand_below_numbered_and_larger_ones() -> None:
    found = read(document(line("Staff", size=14), line("1 Leave", bold=True), line("For parents", bold=True)))
    assert paths(found)[-1] == ("Staff", "1 Leave", "For parents")


def test_chapters_hold_sections_and_articles() -> None:
    said = ["第一编 总则", "第一章 目的", "第一节 范围", "第一条 员工", "第二章 休假", "第二编 附则"]
    found = read(document(*(line(words, bold=True) for words in said)))
    assert paths(found) == [
        ("第一编 总则",),
        ("第一编 总则", "第一章 目的"),
        ("第一编 总则", "第一章 目的", "第一节 范围"),
        ("第一编 总则", "第一章 目的", "第一节 范围", "第一条 员工"),
        ("第一编 总则", "第二章 休假"),
        ("第二编 附则",),
    ]


def test_a_heading_goes_on_for_pages() -> None:
    found = read(document(line("Leave", size=14)), below(PROSE, page=2), below(PROSE, page=3))
    assert [one.heading_path for one in found] == [("Leave",)] * 4
