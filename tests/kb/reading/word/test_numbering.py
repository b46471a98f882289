"""Numbers stand before headings and items of lists as Word shows them."""

from pathlib import Path

import pytest

from kb.reading.word import reader as word
from tests.kb.reading.reading import sections

from .files import instance, level, numbering, paragraph, style
from .files import word as word_file

CHAPTERS = level(0, "第%1章", "chineseCounting", '<w:pStyle w:val="H1"/><w:suff w:val="nothing"/>') + level(
    1, "%1.%2", "decimal", '<w:pStyle w:val="H2"/><w:isLgl/>'
)
HEADINGS = (
    style("H1", "heading 1", inside='<w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr>')
    + style("H2", "heading 2", inside='<w:pPr><w:numPr><w:ilvl w:val="1"/><w:numId w:val="1"/></w:numPr></w:pPr>')
    + style("Own2", "My heading", based_on="H2")
)
OUTLINE = "".join(level(at, "".join(f"%{n}." for n in range(1, at + 2))) for at in range(3))


def shown(tmp_path: Path, levels: list[tuple[str, int]], definitions: str) -> list[str]:
    """What stands before paragraphs of these lists and levels."""
    body = "".join(paragraph("x", numbered=one) for one in levels)
    found = sections(word.read(word_file(tmp_path / "a.docx", body, numbering=definitions)))
    lines = [line for section in found for line in section.text.split("\n")]
    return [line.removesuffix("x").strip() for line in lines]


def test_headings_and_their_paths(tmp_path: Path) -> None:
    body = (
        paragraph("总则", style="H1")
        + paragraph("目的", style="H2")
        + paragraph("范围", style="Own2")
        + paragraph("Words.")
        + paragraph("假期", style="H1")
        + paragraph("年假", style="H2")
    )
    file = word_file(tmp_path / "a.docx", body, styles=HEADINGS, numbering=numbering(CHAPTERS))
    assert [(one.text, one.heading_path) for one in sections(word.read(file))] == [
        ("第一章总则", ("第一章总则",)),
        ("1.1 目的", ("第一章总则", "1.1 目的")),
        ("1.2 范围", ("第一章总则", "1.2 范围")),
        ("Words.", ("第一章总则", "1.2 范围")),
        ("第二章假期", ("第二章假期",)),
        ("2.1 年假", ("第二章假期", "2.1 年假")),
    ]


def test_a_list(tmp_path: Path) -> None:
    levels = level(0, "%1.") + level(1, "(%2)", "lowerLetter") + level(2, "\uf0b7", "bullet")
    body = "".join(
        paragraph(words, numbered=("1", at))
        for words, at in (("one", 0), ("two", 0), ("a", 1), ("dot", 2), ("three", 0))
    )
    (found,) = sections(word.read(word_file(tmp_path / "a.docx", body, numbering=numbering(levels))))
    assert (found.kind, found.text) == ("list", "1. one\n2. two\n  (a) a\n    - dot\n3. three")
    assert [mark.unit for mark in found.marks] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("levels", "numbers"),
    [
        ([0, 1, 1, 2, 1, 0, 1], ["1.", "1.1.", "1.2.", "1.2.1.", "1.3.", "2.", "2.1."]),
        ([0, 2, 2, 1], ["1.", "1.1.1.", "1.1.2.", "1.2."]),  # a level left out counts as used
        ([1, 0, 1], ["1.1.", "2.", "2.1."]),
    ],
)
def test_levels_count_below_each_other(tmp_path: Path, levels: list[int], numbers: list[str]) -> None:
    assert shown(tmp_path, [("1", at) for at in levels], numbering(OUTLINE)) == numbers


@pytest.mark.parametrize(
    ("restart", "numbers"),
    [
        ("", ["1.", "1", "2.", "1", "1"]),
        ('<w:lvlRestart w:val="0"/>', ["1.", "1", "2.", "2", "3"]),
        ('<w:lvlRestart w:val="1"/>', ["1.", "1", "2.", "1", "2"]),
    ],
)
def test_a_level_begins_again_where_it_says(tmp_path: Path, restart: str, numbers: list[str]) -> None:
    levels = level(0, "%1.") + level(1, "-%2") + level(2, "%3", inside=restart)
    found = shown(tmp_path, [("1", at) for at in (0, 2, 0, 2, 1, 2)], numbering(levels))
    assert [one for one in found if not one.startswith("-")] == numbers


def test_lists_of_one_definition_count_together_unless_one_begins_anew(tmp_path: Path) -> None:
    more = instance("2", "1") + instance(
        "3", "1", '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="5"/></w:lvlOverride>'
    )
    used = [("1", 0), ("2", 0), ("3", 0), ("3", 0), ("1", 0)]
    assert shown(tmp_path, used, numbering(OUTLINE, instances=more)) == ["1.", "2.", "5.", "6.", "7."]


def test_a_list_may_have_a_level_of_its_own(tmp_path: Path) -> None:
    more = instance("2", "1", f'<w:lvlOverride w:ilvl="0">{level(0, "Art. %1", "upperRoman")}</w:lvlOverride>')
    assert shown(tmp_path, [("1", 0), ("2", 0)], numbering(OUTLINE, instances=more)) == ["1.", "Art. II"]


def test_a_definition_by_its_style(tmp_path: Path) -> None:
    styles = style("S", "Mine", kind="numbering", inside='<w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr>')
    lists = numbering(level(0, "§ %1"), '<w:numStyleLink w:val="S"/>')
    file = word_file(tmp_path / "a.docx", paragraph("x", numbered=("2", 0)), styles=styles, numbering=lists)
    assert [one.text for one in sections(word.read(file))] == ["§ 1 x"]


@pytest.mark.parametrize(
    ("levels", "shows"),
    [
        (level(0, "Note:", "none"), "Note: x"),
        (level(0, "", "none"), "x"),
        (level(0, "%1)", start=0), "0) x"),
        (level(0, "%1.", "decimal", '<w:suff w:val="space"/>'), "1. x"),
        (level(0, "%1、", "japaneseCounting", '<w:suff w:val="nothing"/>'), "一、x"),
        (level(0, "•", "bullet", '<w:suff w:val="nothing"/>'), "- x"),
        (level(0, "%1%9", "decimal"), "1 x"),
        (
            '<w:lvl w:ilvl="0"><w:start w:val="3"/><mc:AlternateContent><mc:Choice Requires="w14">'
            '<w:numFmt w:val="custom" w:format="001, 002, 003, ..."/></mc:Choice><mc:Fallback>'
            '<w:numFmt w:val="decimal"/></mc:Fallback></mc:AlternateContent><w:lvlText w:val="%1"/></w:lvl>',
            "003 x",
        ),
    ],
)
def test_what_stands_before_an_item(tmp_path: Path, levels: str, shows: str) -> None:
    file = word_file(tmp_path / "a.docx", paragraph("x", numbered=("1", 0)), numbering=numbering(levels))
    assert [one.text for one in sections(word.read(file))] == [shows]


def test_what_is_not_numbered(tmp_path: Path) -> None:
    body = (
        paragraph("none", style="H1", properties='<w:numPr><w:numId w:val="0"/></w:numPr>')
        + paragraph("no such list", numbered=("9", 0))
        + paragraph("no such level", numbered=("1", 7))
        + paragraph("a style for lists", style="L")
    )
    styles = HEADINGS + style("L", "List Paragraph")
    file = word_file(tmp_path / "a.docx", body, styles=styles, numbering=numbering(CHAPTERS))
    assert [(one.text, one.kind) for one in sections(word.read(file))] == [
        ("none", "heading"),
        ("no such list", "prose"),
        ("no such level", "prose"),
        ("a style for lists", "prose"),
    ]


def test_an_empty_item_counts_and_a_hidden_one_does_not(tmp_path: Path) -> None:
    hidden = "<w:rPr><w:vanish/></w:rPr>"
    body = (
        paragraph("one", numbered=("1", 0))
        + paragraph("", numbered=("1", 0))
        + paragraph("", numbered=("1", 0), properties=hidden)
        + paragraph("three", numbered=("1", 0))
    )
    (found,) = sections(word.read(word_file(tmp_path / "a.docx", body, numbering=numbering(OUTLINE))))
    assert found.text == "1. one\n3. three"
