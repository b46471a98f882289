from pathlib import Path

import pytest

from kb.reading.failures import Reason, Unreadable
from kb.reading.opendocument import text as open_text
from kb.reading.sections import About, Section
from tests.kb.reading import packages
from tests.kb.reading.reading import marked, sections

OUTLINE = (
    '<text:outline-style style:name="Outline">'
    '<text:outline-level-style text:level="1" style:num-format="1" style:num-suffix="."/>'
    '<text:outline-level-style text:level="2" style:num-format="1" text:display-levels="2"/>'
    "</text:outline-style>"
)
LISTS = (
    '<text:list-style style:name="L1"><text:list-level-style-number text:level="1" style:num-format="a" '
    'style:num-prefix="(" style:num-suffix=")"/><text:list-level-style-bullet text:level="2"/></text:list-style>'
    '<text:list-style style:name="L2"><text:list-level-style-number text:level="1" style:num-format="I"'
    ' style:num-suffix="." text:start-value="4"/></text:list-style>'
)


def read(folder: Path, body: str, *, automatic: str = "", styles: str = "") -> list[Section]:
    path = packages.opendocument(folder / "a.odt", "text", body, automatic=automatic, styles=styles)
    return sections(open_text.read(path))


def items(*paragraphs: str) -> str:
    return "".join(f"<text:list-item>{paragraph}</text:list-item>" for paragraph in paragraphs)


def p(words: str) -> str:
    return f"<text:p>{words}</text:p>"


def test_it_reads(tmp_path: Path) -> None:
    body = (
        '<text:p text:style-name="P1">Handbook</text:p><text:h text:outline-level="1">Leave</text:h>'
        "<text:p>Twenty<text:tab/>days,<text:s text:c='2'/>\n  <text:span>all</text:span>."
        "<text:line-break/>Ask.</text:p>"
        "<text:p/><text:section><text:p>今天天气很好。</text:p></text:section>"
        '<text:h text:outline-level="2">Annual</text:h>'
    )
    automatic = '<style:style style:name="P1" style:parent-style-name="Title"/>'
    path = packages.opendocument(tmp_path / "a.odt", "text", body, automatic=automatic)
    about, *found = open_text.read(path)
    assert isinstance(about, About)
    assert (about.title, about.unit) == ("A title", "paragraph")
    assert [(s.text, s.kind, s.heading_path, s.marks[0].unit) for s in sections(found)] == [
        ("Handbook", "heading", ("Handbook",), 1),
        ("Leave", "heading", ("Handbook", "Leave"), 2),
        ("Twenty\tdays,   all.\nAsk.", "prose", ("Handbook", "Leave"), 3),
        ("今天天气很好。", "prose", ("Handbook", "Leave"), 5),
        ("Annual", "heading", ("Handbook", "Leave", "Annual"), 6),
    ]


def test_headings_have_their_numbers(tmp_path: Path) -> None:
    headings = [
        (1, "A", ""),
        (2, "B", ""),
        (2, "C", ""),
        (1, "D", ""),
        (1, "E", 'text:is-list-header="true"'),
        (2, "F", ""),
    ]
    body = "".join(f'<text:h text:outline-level="{level}" {more}>{words}</text:h>' for level, words, more in headings)
    found = read(tmp_path, body, styles=OUTLINE)
    assert [section.text for section in found] == ["1. A", "1.1 B", "1.2 C", "2. D", "E", "2.1 F"]


def test_lists(tmp_path: Path) -> None:
    inner = f"<text:list>{items(p('deep'))}</text:list>"
    body = (
        f'<text:list text:style-name="L1">{items(p("one"), p("two") + inner, p("three") + p("its second"))}</text:list>'
        f'<text:p/><text:list text:style-name="L1" text:continue-numbering="true">{items(p("four"))}</text:list>'
        f'<text:p>between</text:p><text:list text:style-name="L2">{items(p("late"))}</text:list>'
        f"<text:list>{items(p('plain'))}</text:list>"
    )
    first, between, last = read(tmp_path, body, automatic=LISTS)
    assert first.text == "(a) one\n(b) two\n  - deep\n(c) three\nits second\n(d) four"
    assert (first.kind, between.kind) == ("list", "prose")
    assert marked(first)[2:4] == [(3, "  - deep"), (4, "(c) three")]
    assert last.text == "IV. late\n- plain"


def test_tables(tmp_path: Path) -> None:
    def row(*cells: str) -> str:
        return f"<table:table-row>{''.join(cells)}</table:table-row>"

    def cell(words: str, more: str = "") -> str:
        return f"<table:table-cell {more}>{p(words)}</table:table-cell>"

    header = row(cell("Kind"), cell("2024", 'table:number-columns-spanned="2"'), "<table:covered-table-cell/>")
    body = (
        f"<text:p>above</text:p><table:table><table:table-header-rows>{header}</table:table-header-rows>"
        + row(cell("Fruit", 'table:number-rows-spanned="2"'), cell("1"), cell("two</text:p><text:p>lines"))
        + row("<table:covered-table-cell/>", cell("3"), cell("4"))
        + "</table:table><text:p>below</text:p>"
    )
    _above, table, below = read(tmp_path, body)
    assert table.text == "Kind | 2024\nFruit | 1 | two lines\nFruit | 3 | 4"
    assert (table.kind, table.context) == ("table", "Kind | 2024")
    assert [(mark.unit, mark.cell) for mark in table.marks] == [(2, (1, 1)), (3, (2, 1)), (4, (3, 1))]
    assert below.marks[0].unit == 5


@pytest.mark.parametrize(("style", "context"), [("Table_20_Heading", "a"), ("Table_20_Contents", "")])
def test_a_header_by_its_looks(tmp_path: Path, style: str, context: str) -> None:
    cells = [
        f'<table:table-cell><text:p text:style-name="{style}">a</text:p></table:table-cell>',
        "<table:table-cell/>",
    ]
    rows = f"<table:table-row>{''.join(cells)}</table:table-row>" * 2
    (table,) = read(tmp_path, f"<table:table>{rows}</table:table>")
    assert table.context == context


def test_what_hangs_on_a_paragraph_stands_behind_it(tmp_path: Path) -> None:
    note = (
        "<text:note><text:note-citation>1</text:note-citation><text:note-body>"
        + p("a note")
        + "</text:note-body></text:note>"
    )
    frame = "<draw:frame><draw:text-box>" + p("in a box") + "</draw:text-box></draw:frame>"
    comment = "<office:annotation>" + p("a comment") + "</office:annotation>"
    found = read(tmp_path, p(f"words{note}{frame}{comment} go on") + p("next"))
    assert [(section.text, section.marks[0].unit) for section in found] == [
        ("words go on", 1),
        ("a note", 1),
        ("in a box", 1),
        ("next", 2),
    ]


def test_changes_are_accepted_and_contents_left_out(tmp_path: Path) -> None:
    body = (
        "<text:tracked-changes><text:changed-region><text:deletion><text:p>gone</text:p></text:deletion>"
        "</text:changed-region></text:tracked-changes>"
        "<text:table-of-content><text:index-body><text:p>Leave 3</text:p></text:index-body></text:table-of-content>"
        "<text:p>kept <text:change-start/>added<text:change-end/></text:p>"
    )
    (section,) = read(tmp_path, body)
    assert marked(section) == [(2, "kept added")]


def test_a_password(tmp_path: Path) -> None:
    path = packages.opendocument(tmp_path / "a.odt", "text", "")
    manifest = (
        '<!DOCTYPE manifest PUBLIC "-//OpenOffice.org//DTD Manifest 1.0//EN" "Manifest.dtd">'
        '<m:manifest xmlns:m="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
        '<m:file-entry m:full-path="content.xml"><m:encryption-data/></m:file-entry></m:manifest>'
    )
    packages.added(path, {"META-INF/manifest.xml": manifest})
    with pytest.raises(Unreadable) as refused:
        list(open_text.read(path))
    assert refused.value.reason == Reason.ENCRYPTED


def test_spaces_and_repetitions_without_end(tmp_path: Path) -> None:
    cell = f'<table:table-cell table:number-columns-repeated="999999999">{p("a")}</table:table-cell>'
    body = (
        p('<text:s text:c="999999999"/>words') + f"<table:table><table:table-row>{cell}</table:table-row></table:table>"
    )
    words, table = read(tmp_path, body)
    assert words.text == "words"
    assert len(table.text) < 1_000
