from pathlib import Path

import pytest

from kb.reading import html
from kb.reading.failures import Reason, Unreadable
from kb.reading.sections import About, Section

from .reading import marked, sections


def read(folder: Path, source: str) -> list[Section]:
    path = folder / "a.html"
    path.write_text(source, encoding="utf-8")
    return sections(html.read(path))


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


def test_its_title(tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    path.write_text(PAGE, encoding="utf-8")
    about = next(html.read(path))
    assert isinstance(about, About)
    assert about.title == "A title"


def test_the_declared_encoding_is_not_believed(tmp_path: Path) -> None:
    (section,) = read(tmp_path, "<?xml version='1.0' encoding='gb2312'?><meta charset=gb2312><p>中文é</p>")
    assert section.text == "中文é"


def test_nothing_to_parse(tmp_path: Path) -> None:
    with pytest.raises(Unreadable) as refused:
        read(tmp_path, "<!-- only this -->")
    assert refused.value.reason == Reason.NO_TEXT
