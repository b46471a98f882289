import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.reading.failures import Reason, Unreadable
from kb.reading.html import reader as html
from kb.reading.sections import About, Kind, Section
from tests.kb.reading.reading import marked, sections


def read(folder: Path, source: str) -> list[Section]:
    path = folder / "a.html"
    path.write_text(source, encoding="utf-8")
    return sections(html.read(path))


def one(folder: Path, source: str) -> Section:
    (section,) = read(folder, source)
    return section


PAGE = """<!DOCTYPE html>
<html><head><title> A
title </title><style>p {}</style></head><body>
<h1>Leave <em>policy</em></h1>
<p>Twenty <b>da</b>ys &amp; more,
in all.<br>Ask.</p><script>alert(1)</script>
loose
<ul><li>one</li><li>two <ul><li>deep</li></ul></li></ul>
<table><tr><th>a<th>b</tr>
<tr><td></td><td>2 <p>x</p></td></tr></table>
<pre>code
  more

end</pre>
<h2>Annual</h2><div>outer<div>今天
天气</div></div>
</body></html>
"""


def test_it_reads(tmp_path: Path) -> None:
    found = read(tmp_path, PAGE)
    assert [(s.text, s.kind) for s in found] == [
        ("Leave policy", "heading"),
        ("Twenty days & more, in all.\nAsk.", "prose"),
        ("loose", "prose"),
        ("- one\n- two\n  - deep", "list"),
        ("a | b\n | 2 x", "table"),
        ("code\n  more\n\nend", "code"),
        ("Annual", "heading"),
        ("outer", "prose"),
        ("今天天气", "prose"),
    ]
    assert found[1].heading_path == ("Leave policy",)
    assert found[-1].heading_path == ("Leave policy", "Annual")
    assert marked(found[1])[-2:] == [(6, "in all."), (6, "Ask.")]
    assert marked(found[5]) == [(11, "code"), (12, "  more"), (14, "end")]


def about(folder: Path, source: str) -> About:
    path = folder / "a.html"
    path.write_text(source, encoding="utf-8")
    said = next(html.read(path))
    assert isinstance(said, About)
    return said


def test_what_it_says_of_itself(tmp_path: Path) -> None:
    said = about(
        tmp_path,
        "<html lang=de><head><meta name=Author content='A &amp; B'><title>\n A \n title</title>"
        "<meta name=viewport content=x><meta content=' a, b ' name=keywords></head><title>no</title><p>x",
    )
    assert said.title == "A title"
    assert said.metadata == {"language": "de", "author": "A & B", "keywords": "a, b"}
    assert about(tmp_path, "<p>x").title == ""


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("un<b>brok</b>en <i>words</i>", "unbroken words"),
        ("a<span> b</span><span>c </span>d", "a bc d"),
        ("a\n<b>\n b</b>", "a b"),
        ("a&nbsp;&nbsp;b soft&shy;ly", "a b softly"),
        ("今天\n天气，\nDebian 天 气", "今天天气，Debian 天 气"),
        ("한국\n말", "한국 말"),
        ("a<br>b<wbr>c", "a\nbc"),
        ("x<img src=a alt='Fig\n1'>y<img alt=''>z", "x Fig 1 yz"),
        ("<ruby>漢<rp>(</rp><rt>kan</rt><rp>)</rp></ruby>字", "漢字"),
        ("1 &lt; 2 < 3 &amp;lt; <3 &#x4e2d;&unknown;", "1 < 2 < 3 &lt; <3 中&unknown;"),
        ("a<!-- b > c --!>d<!--> e<![CDATA[f]]>g<?php echo 1 ?>h</ x>", "ad egh"),
        ("a <b title='x > y' c=d\n>e</b\n> f", "a e f"),
        ("an <unknown-element>is</unknown-element> shown", "an is shown"),
        (
            "E <math><semantics><mi>E</mi><annotation encoding='application/x-tex'>E=m&lt;</annotation></math>!",
            "E E=m< !",
        ),
        ("E <math alttext='x^2'><mi>x</mi></math>", "E x^2"),
        ("E <math><mi>x</mi><mn>2</mn></math>", "E x 2"),
    ],
)
def test_prose(tmp_path: Path, source: str, text: str) -> None:
    assert one(tmp_path, f"<p>{source}</p>").text == text


@pytest.mark.parametrize(
    ("source", "texts"),
    [
        ("<p>a<p>b<div>c</div>d", ["a", "b", "c", "d"]),
        ("a<br><br>b<hr>c", ["a", "b", "c"]),
        ("<script>if (a</b) '<p>x</p>'</SCRIPT >a<style>p {}</style><textarea><p>t</textarea>", ["a"]),
        (
            "<noscript>a</noscript><template>b</template><svg><title/><text>c</text></svg><select><option>d</select>e",
            ["e"],
        ),
        ("<p hidden>a<p style='color:red; DISPLAY : none'>b<p aria-hidden=true>c<p hidden=until-found>d", ["d"]),
        ("<img alt=a hidden><img alt=b aria-hidden=true>c", ["c"]),
        ("<dialog>a</dialog><dialog open>b</dialog>", ["b"]),
        ("<pre>x <button>Copy</button></pre><h2><button>Why?</button></h2>", ["x ", "Why?"]),
        ("<h1>a<a class='x headerlink'>¶</a></h1>", ["a"]),
        ("<h1><a href='#a'>a # </a><span><a href='#a'>#</a></span> b #</h1>", ["a # b #"]),
        ("<figure><img alt=pic><figcaption>cap</figcaption></figure>", ["pic", "cap"]),
        ("<details><summary>s</summary>t</details>", ["s", "t"]),
        ("a</p>b</table></li>c</div>", ["abc"]),
        ("<head><title>t</title><p>a", ["a"]),
        ("before <a b='unclosed>after", ["before after"]),  # kept, where a browser would show nothing more
        ("before <a b=c", ["before"]),
        ("<nav>n</nav><header>h</header><p>a<footer>f</footer>", ["n", "h", "a", "f"]),
        (
            "<nav>n</nav><header>h<main><header>i</header>a<nav>m</nav><aside>b</aside></main><footer>f</footer>",
            ["i", "a", "b"],
        ),
        ("<div role=navigation>n</div><div role=main>a</div><div role=contentinfo>f</div>", ["a"]),
    ],
)
def test_blocks(tmp_path: Path, source: str, texts: list[str]) -> None:
    assert [section.text for section in read(tmp_path, source)] == texts


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<ol start=9 type=i><li>a<li value=3>b<li>c</ol>", "ix. a\niii. b\niv. c"),
        ("<ol reversed><li>a<li>b<ol><li>c</ol></ol>", "2. a\n1. b\n  1. c"),
        ("<ol type=A start=26><li>a<li>b<li type=1>c</ol>", "Z. a\nAA. b\n28. c"),
        ("<ol start=0 type=a><li>a<li>b</ol>", "0. a\na. b"),
        ("<ol start=x><li>a</ol>", "1. a"),
        ("<ul><li><p>a<p>b<br>c<li>d</ul>", "- a\n  b\n  c\n- d"),
        ("<ul><li>a<ul><li>b<ul><li>c</ul></ul>d</ul>", "- a\n  - b\n    - c\n  d"),
        ("<dl><dt>t<dd>a<p>b<dt>u<dd>c</dl>", "t\n  a\n  b\nu\n  c"),
        ("<ul><li><input type=checkbox checked> a<li><input type=checkbox>b</ul>", "- [x] a\n- [ ] b"),
        ("<ul><li></li><li>a</li></ul>", "- a"),
    ],
)
def test_a_list(tmp_path: Path, source: str, text: str) -> None:
    section = one(tmp_path, source)
    assert (section.kind, section.text) == ("list", text)


def test_an_empty_item_leaves_nothing_behind(tmp_path: Path) -> None:
    assert [s.text for s in read(tmp_path, "<ul><li></ul><p>a</p><ol><li><h2>b</h2></ol>")] == ["a", "b"]


@pytest.mark.parametrize(
    ("source", "kinds"),
    [
        ("<ul><li>a<pre>b</pre>c<li>d</ul>", [("- a", "list"), ("b", "code"), ("c\n- d", "list")]),
        ("<ul><li>a<table><tr><td>b</table></ul>", [("- a", "list"), ("b", "table")]),
        ("<ul><li><h3>a</h3>b</ul>", [("a", "heading"), ("b", "list")]),
        ("<table><caption>a</caption><tr><td>b</table>", [("a", "caption"), ("b", "table")]),
        ("<table><tr><td><h2>a</h2><td>b</table>", [("a", "heading"), ("b", "prose")]),
        ("<table role=presentation><tr><td>a<td>b</table>", [("a", "prose"), ("b", "prose")]),
        ("<table><tr><td>a<td><table><tr><td>b<td>c</table></table>", [("a", "prose"), ("b | c", "table")]),
    ],
)
def test_what_stands_in_what(tmp_path: Path, source: str, kinds: list[tuple[str, Kind]]) -> None:
    assert [(s.text, s.kind) for s in read(tmp_path, source)] == kinds


@pytest.mark.parametrize(
    ("source", "text", "context"),
    [
        ("<tr><th>a<th>b<tr><td>1<td>2", "a | b\n1 | 2", "a | b"),
        ("<thead><tr><td>a<td>b</thead><tbody><tr><td>1<td>2", "a | b\n1 | 2", "a | b"),
        ("<tr><td>1<td>2<tr><th>a<th>b", "1 | 2\na | b", ""),
        ("<tr><th><th>a<tr><th>b<td>1", " | a\nb | 1", " | a"),
        ("<tr><th>a<th colspan=2>b<th>c<tr><td>1<td>2<td>3<td>4", "a | b |  | c\n1 | 2 | 3 | 4", "a | b |  | c"),
        ("<tr><td rowspan=2>a<td>1<tr><td>2<tr><td>b<td>3", "a | 1\na | 2\nb | 3", ""),
        ("<tr><th rowspan=2>a<th colspan=2>b<tr><th>c<th>d<tr><td>1", "a | b\na | c | d\n1", "a | b\na | c | d"),
        ("<tr><td>a<br>b<ul><li>c</ul><td></td><td><pre>d\ne</pre>", "a b c |  | d e", ""),
        ("<tr></tr><tr><td>a", "a", ""),
        ("<td>a", "a", ""),
        ("<tr><td rowspan=2>" + "long " * 20 + "<td>1<tr><td>2", "long " * 20 + "| 1\n | 2", ""),
        ("<tr><th>" + "a" * 1_001 + "<tr><td>1", "a" * 1_001 + "\n1", ""),
    ],
)
def test_a_table(tmp_path: Path, source: str, text: str, context: str) -> None:
    section = one(tmp_path, f"<table>{source}</table>")
    assert (section.kind, section.text, section.context) == ("table", text, context)


def test_cells_have_their_places(tmp_path: Path) -> None:
    section = one(tmp_path, "<table>\n<tr><td colspan=2>a\nb<td>c\n<tr>\n<td rowspan=2>d\n<tr><td>e</table>")
    assert [(mark.unit, mark.cell) for mark in section.marks] == [
        (2, (1, 1)),
        (3, (1, 1)),
        (3, (1, 3)),
        (5, (2, 1)),
        (5, (3, 1)),
        (6, (3, 2)),
    ]


@pytest.mark.parametrize(
    ("source", "syntax"),
    [
        ("<pre class='x language-C++'>a</pre>", "c++"),
        ("<pre><code class='hljs Python'>a</code></pre>", "python"),
        ("<div class='highlight-js notranslate'><div class=highlight><pre>a</pre></div></div>", "js"),
        ("<div class='highlight highlight-source-shell'><pre>a</pre></div>", "shell"),
        ("<pre><code data-lang=go>a</code></pre>", "go"),
        ("<div class=highlight-default><pre class=screen>a</pre></div>", ""),
        ("<div class=language-js></div><pre>a</pre>", ""),
    ],
)
def test_code_says_its_language(tmp_path: Path, source: str, syntax: str) -> None:
    section = one(tmp_path, source)
    assert (section.kind, section.text, section.syntax) == ("code", "a", syntax)


def test_code_keeps_its_lines(tmp_path: Path) -> None:
    section = one(tmp_path, "<pre>\n  a &lt;b>b</b>  \n\n<span\nid=x>\tc</span>&#10;d<br>e<div>f</div>g\n\n</pre>")
    assert section.text == "  a <b>b  \n\n\tc\nd\ne\nf\ng"
    assert marked(section) == [(2, "  a <b>b  "), (5, "\tc"), (5, "d"), (5, "e"), (5, "f"), (5, "g")]


def test_markup_may_spread_a_line_of_code_over_several(tmp_path: Path) -> None:
    section = one(tmp_path, "<pre>a<!--\n--> b<i\n> </i></pre>")
    assert section.text == "a b "
    assert marked(section) == [(1, "a"), (2, " b"), (3, " ")]


def test_pieces_of_code_that_combine_are_one(tmp_path: Path) -> None:
    section = one(tmp_path, "<pre>x\ne<i\n>&#x301;</i></pre>")
    assert section.text == "x\né"
    assert marked(section) == [(1, "x"), (2, "é")]


def test_lines_are_those_of_an_editor(tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    path.write_bytes("<!--\r\n-->a\r<b\r\n\r\n>b</b>\f\x0b\u2028c\n<img\nsrc=x\nalt=d>".encode())
    (section,) = sections(html.read(path))
    assert section.text == "a b \u2028c d"
    assert marked(section) == [(2, "a"), (5, "b \u2028c"), (8, "d")]


@pytest.mark.parametrize(
    "source",
    [
        "<div>" * 100_000 + "x" + "</span>" * 100_000 + "</div>" * 100_000,
        "<table><tr><td>" * 50_000 + "x",
        "<svg><title/>" * 50_000 + "</svg>" * 50_000 + "x",
        "<b><p>" * 100_000 + "x",
        "x" + "<a <a " * 100_000,
        "x" + "<!-- " * 100_000,
        "x" + "<title <meta <html " * 50_000,
        "x<math><annotation" + "<annotation tex" * 50_000,
    ],
)
def test_it_survives(tmp_path: Path, source: str) -> None:
    assert one(tmp_path, source).text == "x"


def test_nesting_does_not_outgrow_the_text(tmp_path: Path) -> None:
    depth = 20_000
    text = one(tmp_path, "<ul><li>a" * depth).text
    assert text.count("a") == depth
    assert len(text) < 40 * depth


def test_the_declared_encoding_is_not_believed(tmp_path: Path) -> None:
    (section,) = read(tmp_path, "<?xml version='1.0' encoding='gb2312'?><meta charset=gb2312><p>中文é</p>")
    assert section.text == "中文é"


def test_the_declared_encoding_is_taken_where_it_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    path.write_bytes("<meta http-equiv=content-type content='text/html; charset=GB2312'><p>中文".encode("gb18030"))
    (section,) = sections(html.read(path))
    assert section.text == "中文"


@pytest.mark.parametrize("source", ["<!-- only this -->", "<p hidden>x</p>", "<title>t</title>"])
def test_nothing_to_read(tmp_path: Path, source: str) -> None:
    with pytest.raises(Unreadable) as refused:
        read(tmp_path, source)
    assert refused.value.reason == Reason.NO_TEXT


# fmt: off
TAGS = (
    "p", "div", "b", "span", "h1", "h2", "ul", "ol", "li", "dl", "dt", "dd", "table", "thead", "tr", "th", "td",
    "caption", "pre", "blockquote", "figcaption", "x-y",
)
# fmt: on
SOUP = st.lists(
    st.one_of(
        st.sampled_from(TAGS).map("<{}>".format),
        st.sampled_from(TAGS).map("</{}>".format),
        st.sampled_from(("\n", " ", "<br>", "<!--\n-->", "<i\n>", "<hr>", "e<i>&#x301;", "&#13;", "&nbsp;")),
        st.just("w"),
    ),
    max_size=60,
)


@given(SOUP)
def test_every_word_comes_once_and_from_its_line(tmp_path_factory: pytest.TempPathFactory, soup: list[str]) -> None:
    source = "".join(f" w{number}. " if piece == "w" else piece for number, piece in enumerate(soup)) + " end."
    found = read(tmp_path_factory.mktemp("html"), source)
    lines = source.split("\n")
    said = []
    for unit, text in (mark for section in found for mark in marked(section)):
        words = re.findall(r"w\d+\.|end\.", text)
        assert all(word in lines[unit - 1] for word in words)
        said += words
    assert sorted(said) == sorted(re.findall(r"w\d+\.|end\.", source))
