import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.reading.markdown import reader as markdown
from kb.reading.sections import About, Kind, Section, Warned
from tests.kb.reading.reading import marked, sections


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


def about(folder: Path, source: str) -> About:
    path = folder / "a.md"
    path.write_text(source, encoding="utf-8")
    said = next(markdown.read(path))
    assert isinstance(said, About)
    return said


@pytest.mark.parametrize(
    ("source", "title", "metadata"),
    [
        (
            "---\ntitle: A *b*\ndate: 2024-01-01\ntags: [a, b]\ndraft: yes\nno: {a: b}\n---\n# C",
            "A *b*",
            "2024-01-01 a, b yes",
        ),
        ('+++\ntitle = "T"\ndate = 2024-01-01\n+++\n# C', "T", "2024-01-01"),
        ("---\nauthor: A\n...\n# C", "C", "A"),
        ("---\n---\n# C", "C", ""),
        ("---\na: &a [x]\nb: [*a, y]\nc: *a\n---\n# C", "C", "x y x"),
        ("---\nn: " + "9" * 5_000 + "\n---\n# C", "C", "9" * 1_000),
    ],
)
def test_front_matter(tmp_path: Path, source: str, title: str, metadata: str) -> None:
    said = about(tmp_path, source)
    assert (said.title, " ".join(said.metadata.values())) == (title, metadata)
    section = one(tmp_path, source)
    assert marked(section) == [(source.count("\n") + 1, "C")]


@pytest.mark.parametrize(
    "source",
    [
        "---\na: [\n---\n",
        "---\n- a\n---\n",
        "---\na: b\n",
        "+++\na b\n+++\n",
        "---\na: " + "[" * 20_000 + "\n---\n",
        "text\n---\na: b\n---\n",
    ],
)
def test_what_only_looks_like_front_matter(tmp_path: Path, source: str) -> None:
    assert about(tmp_path, source).metadata == {}
    assert "a" in "".join(section.text for section in read(tmp_path, source))


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("今天\n天气 Debian\nGNU", "今天天气 Debian GNU"),
        ("请看，\nDebian", "请看，Debian"),
        ("a  \nb\\\nc<br>d", "a\nb\nc\nd"),
        ("a **b** `c` [d](http://e) ![f](g) &amp; <b>h</b>", "a b c d f & h"),
        ("~~a~~ <https://b.c> https://d.e/f_g_ \\*h\\*", "a https://b.c https://d.e/f_g_ *h*"),
        ("[a][b] ![c *d*][b] [e\\]\n\n[b]: f 'g'", "a c d [e]"),
        ("$a_1$ and $b_2$, $5 and $10, $$c\nd*$$ *e*", "$a_1$ and $b_2$, $5 and $10, $$c d*$$ e"),
        ("a[^1] b[^no]\n\n<!-- x -->\n\n<p hidden>[^1]: y", "a[^1] b[^no]"),
        ("> quoted\n> twice", "quoted twice"),
        ("<div>\n<!-- no\nno -->in a block <b>of</b> HTML\n<script>no</script>\n</div>", "in a block of HTML"),
        ("a <script>no</script> b <!-- no --> c <kbd\nx>d</kbd>", "a b c d"),
        ("Vec<T> or <your-name>, not <u-v>w</u-v> and <b>x <button> y", "Vec<T> or <your-name>, not w and x y"),
        ("a `` b`c `` `\nd `", "a b`c d"),
    ],
)
def test_prose(tmp_path: Path, source: str, text: str) -> None:
    section = one(tmp_path, source)
    assert (section.kind, section.text) == ("prose", text)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("# A #\n\nB\nC\n===\n## D *e*\n- # F", [("A", 1), ("B C", 1), ("D e", 2), ("F", 1)]),
        ("<h1 align=center>A <img alt=b></h1>\n\n<h3>C</h3>", [("A b", 1), ("C", 2)]),
        ("> ## A\n\n####### B\n#C", [("A", 1)]),
    ],
)
def test_headings(tmp_path: Path, source: str, found: list[tuple[str, int]]) -> None:
    headings = [section for section in read(tmp_path, source) if section.kind == "heading"]
    assert [(section.text, len(section.heading_path)) for section in headings] == found


@pytest.mark.parametrize(
    ("source", "texts"),
    [
        ("a\n***\nb", ["a", "b"]),
        ("a[^n]\n\n[^n]: note\n    goes on\n\n    more\n\nb[^n]", ["a[n]", "[n] note goes on", "more", "b[n]"]),
        ("<details><summary>a</summary>\n\nb\n\n</details>\n\nc", ["a", "b", "c"]),
        ("<p hidden>\n\na\n\n</p>\n\n<div hidden>\n\nb\n\n</div>\n\nc", ["a", "c"]),
    ],
)
def test_blocks(tmp_path: Path, source: str, texts: list[str]) -> None:
    assert [section.text for section in read(tmp_path, source)] == texts


def test_a_code_span_over_lines_stands_on_both(tmp_path: Path) -> None:
    section = one(tmp_path, "see `the\ncode` here")
    assert section.text == "see the code here"
    assert marked(section) == [(1, "see the"), (2, "code here")]


def test_every_line_of_a_paragraph_has_its_number(tmp_path: Path) -> None:
    source = (
        "\ufeffa [b\r\nc](d\r\n'e') `` f\r\n `g` ``\r\n<i\r\nid=x>h</i> ![j\r\nk](l) $m\r\nn$\\\r\no &amp;\r\n*p\r\nq*"
    )
    assert marked(one(tmp_path, source)) == [
        (1, "a b"),
        (2, "c"),
        (3, "f"),
        (4, "`g`"),
        (6, "h j"),
        (7, "k $m"),
        (8, "n$"),
        (9, "o &"),
        (10, "p"),
        (11, "q"),
    ]


@pytest.mark.parametrize(
    ("source", "syntax", "lines"),
    [
        ("```Py title=x\ndef f():\n\n    return 1  \n```\n", "py", [(2, "def f():"), (4, "    return 1  ")]),
        ("~~~ {.c++ .x}\na\n~~~", "c++", [(2, "a")]),
        ("```rust,ignore\na\n", "rust", [(2, "a")]),
        ("``` text\na\n```", "", [(2, "a")]),
        ("    a\n\n      b\n", "", [(1, "a"), (3, "  b")]),
        ("> ```\n>   a\n> ```", "", [(2, "  a")]),
        ("$$\n\\frac{a}{b}\n  c\n$$", "latex", [(2, "\\frac{a}{b}"), (3, "  c")]),
        ("<pre lang=x><code class=language-js>\na\n\n\n</code></pre>", "js", [(2, "a")]),
    ],
)
def test_code_is_kept_whole(tmp_path: Path, source: str, syntax: str, lines: list[tuple[int, str]]) -> None:
    section = one(tmp_path, source)
    assert (section.kind, section.syntax) == ("code", syntax)
    assert marked(section) == lines
    assert section.text.split("\n")[0] == lines[0][1]


def test_a_list_is_one_section(tmp_path: Path) -> None:
    section = one(tmp_path, "3. one\n   more\n4. two\n   - deep\n\n     second\n")
    assert (section.kind, section.text) == ("list", "3. one more\n4. two\n  - deep\n    second")
    assert marked(section)[-1] == (6, "    second")


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("- [x] a\n- [ ] b", "- [x] a\n- [ ] b"),
        ("* a\n\n  b\n* c", "- a\n  b\n- c"),
        ("1) a\n   > b\n2) c", "1. a\n  b\n2. c"),
        ("a\n: b\n: c\n\n    d", "a\n  b\n  c\n  d"),
    ],
)
def test_lists(tmp_path: Path, source: str, text: str) -> None:
    section = one(tmp_path, source)
    assert (section.kind, section.text) == ("list", text)


def test_code_in_a_list_is_a_section(tmp_path: Path) -> None:
    found = read(tmp_path, "1. a\n   ```sh\n   b\n     c\n   ```\n   d\n2. e\n")
    kinds: list[tuple[str, Kind]] = [("1. a", "list"), ("b\n  c", "code"), ("d\n2. e", "list")]
    assert [(section.text, section.kind) for section in found] == kinds


def test_a_table_is_a_line_a_row(tmp_path: Path) -> None:
    section = one(tmp_path, "| a | *b* |\n|---|:-:|\n| 1 | `x\\|y` |\n|   | 3 |\n")
    assert (section.kind, section.text, section.context) == ("table", "a | b\n1 | x|y\n | 3", "a | b")
    assert [(mark.unit, mark.cell) for mark in section.marks] == [
        (1, (1, 1)),
        (1, (1, 2)),
        (3, (2, 1)),
        (3, (2, 2)),
        (4, (3, 2)),
    ]


RAW = "<table><tr><th>a</th><th>b</th></tr>\n\n<tr><td>\n\n{}\n\n</td><td>d</td></tr>\n\n</table>"


def test_a_raw_table_with_words_in_markdown(tmp_path: Path) -> None:
    section = one(tmp_path, RAW.format("*c*"))
    assert (section.kind, section.text, section.context) == ("table", "a | b\nc | d", "a | b")


def test_a_raw_table_with_blocks_in_markdown_lays_them_out(tmp_path: Path) -> None:
    found = read(tmp_path, RAW.format("```\nc\n```"))
    assert [(section.text, section.kind) for section in found][2:] == [("c", "code"), ("d", "prose")]


def test_what_is_too_deep_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("a\n\n" + "> " * 1_000 + "b\n\nc\n\n" + "> " * 40 + "d")
    items = list(markdown.read(path))
    assert [item.code for item in items if isinstance(item, Warned)] == ["nested_too_deep"]
    assert [section.text for section in sections(items)] == ["a", "c", "d"]


@pytest.mark.parametrize(
    "source", ["![" * 5_000 + "x" + "](u)" * 5_000, "[" * 20_000 + "x", "*a **" * 20_000 + "x", "$" * 20_000 + "x"]
)
def test_it_survives(tmp_path: Path, source: str) -> None:
    assert "x" in one(tmp_path, source).text


# What begins a line, what stands in it: any mixture is some Markdown.
LINE = st.tuples(
    st.sampled_from(
        (
            "",
            "",
            "# ",
            "- ",
            "1. ",
            "> ",
            "  ",
            "    ",
            "| ",
            "[^1]: ",
            ": ",
            "~~~",
            "<div>",
            "</div>",
            "<p>",
            "<ul><li>",
        )
    ),
    st.lists(
        st.sampled_from(
            (
                "w",
                "w",
                " w",
                "`w",
                "`",
                "*w*",
                "[w",
                "](u)",
                "![w",
                "$w",
                "$",
                "<b>",
                "</b>",
                "<i\n>",
                "  ",
                "\\",
                "[^1]",
                "e<i>&#x301;",
                " | ",
            )
        ),
        max_size=6,
    ).map("".join),
    st.sampled_from(("", "", "  ", "\\", "\n", "\n|--|--|", "\n===", "\n$$\nw\n$$", "\n\n", "\n```\nw\n```\n")),
).map("".join)


@given(st.lists(LINE, max_size=12).map("\n".join))
def test_every_word_is_from_its_line(tmp_path_factory: pytest.TempPathFactory, soup: str) -> None:
    pieces = soup.split("w")
    source = "".join(f"{piece}w{number}." for number, piece in enumerate(pieces))
    lines = source.split("\n")
    said = []
    for section in read(tmp_path_factory.mktemp("markdown"), source):
        for unit, text in marked(section):
            words = re.findall(r"w\d+\.", text)
            assert all(word in lines[unit - 1] for word in words)
            said += words
    assert len(said) == len(set(said))
