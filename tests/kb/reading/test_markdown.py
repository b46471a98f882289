from pathlib import Path

import pytest

from kb.reading import markdown
from kb.reading.sections import About, Section

from .reading import marked, sections


def read(folder: Path, source: str) -> list[Section]:
    path = folder / "a.md"
    path.write_text(source, encoding="utf-8")
    return sections(markdown.read(path))


def one(folder: Path, source: str) -> Section:
    (section,) = read(folder, source)
    return section


def test_it_reads(tmp_path: Path) -> None:
    found = read(tmp_path, "---\ntitle: x\n---\n# Leave *policy*\n\nTwenty days,\nno more.\n\n## Annual\n\nAsk.\n")
    assert [(s.text, s.kind, s.heading_path) for s in found] == [
        ("Leave policy", "heading", ("Leave policy",)),
        ("Twenty days, no more.", "prose", ("Leave policy",)),
        ("Annual", "heading", ("Leave policy", "Annual")),
        ("Ask.", "prose", ("Leave policy", "Annual")),
    ]
    assert marked(found[1]) == [(6, "Twenty days,"), (7, "no more.")]


def test_the_first_heading_is_the_title(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("Words.\n\nA *title*\nof two lines\n---\n")
    about = next(markdown.read(path))
    assert isinstance(about, About)
    assert about.title == "A title of two lines"


def test_a_heading_closes_those_of_its_level_and_below(tmp_path: Path) -> None:
    found = read(tmp_path, "# A\n### B\n## C\n# D\n")
    assert [s.heading_path for s in found] == [("A",), ("A", "B"), ("A", "C"), ("D",)]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("今天\n天气 Debian\nGNU", "今天天气 Debian GNU"),
        ("请看，\nDebian", "请看，Debian"),
        ("a  \nb\\\nc", "a\nb\nc"),
        ("a **b** `c` [d](http://e) ![f](g) &amp; <b>h</b>", "a b c d f & h"),
        ("> quoted\n> twice", "quoted twice"),
        ("<div>\n<!-- no\nno -->in a block <b>of</b> HTML\n<script>no</script>\n</div>", "in a block of HTML"),
    ],
)
def test_prose(tmp_path: Path, source: str, text: str) -> None:
    assert one(tmp_path, source).text == text


def test_a_code_span_over_lines_stands_on_both(tmp_path: Path) -> None:
    section = one(tmp_path, "see `the\ncode` here")
    assert section.text == "see the code here"
    assert marked(section) == [(1, "see the"), (2, "code here")]


def test_code_keeps_its_lines(tmp_path: Path) -> None:
    section = one(tmp_path, "```py\ndef f():\n\n    return 1\n```\n")
    assert (section.kind, section.text) == ("code", "def f():\n\n    return 1")
    assert marked(section) == [(2, "def f():"), (4, "    return 1")]


def test_a_list_is_one_section(tmp_path: Path) -> None:
    section = one(tmp_path, "3. one\n   more\n4. two\n   - deep\n\n     second\n")
    assert (section.kind, section.text) == ("list", "3. one more\n4. two\n  - deep\n    second")
    assert marked(section)[-1] == (6, "    second")


def test_a_table_is_a_line_a_row(tmp_path: Path) -> None:
    section = one(tmp_path, "| a | b |\n|---|---|\n| 1 | x\\|y |\n|   | 3 |\n")
    assert (section.kind, section.text) == ("table", "a | b\n1 | x|y\n | 3")
    assert section.context == "a | b"
    assert [(mark.unit, mark.cell) for mark in section.marks] == [
        (1, (1, 1)),
        (1, (1, 2)),
        (3, (2, 1)),
        (3, (2, 2)),
        (4, (3, 2)),
    ]
