from pathlib import Path

from kb.reading.opendocument import slides as open_slides
from kb.reading.sections import About, Progress
from tests.kb.reading import packages
from tests.kb.reading.reading import sections


def frame(inside: str, *, x: str = "0cm", y: str = "0cm", kind: str = "") -> str:
    look = f'presentation:class="{kind}"' if kind else ""
    place = f'svg:x="{x}" svg:y="{y}" svg:width="1in" svg:height="2cm"'
    return f"<draw:frame {look} {place}><draw:text-box>{inside}</draw:text-box></draw:frame>"


def p(words: str) -> str:
    return f"<text:p>{words}</text:p>"


def test_it_reads(tmp_path: Path) -> None:
    items = "".join(f"<text:list-item>{p(words)}</text:list-item>" for words in ("one", "two"))
    page = (
        frame(p("right"), x="100mm", y="3.1cm")
        + frame(p("left"), y="3cm")
        + frame(f"<text:list>{items}</text:list>", y="120pt", x="1cm")
        + frame(p("A") + p("heading"), y="15cm", kind="title")
        + frame(p("7"), kind="page-number")
        + f"<presentation:notes>{frame(p('Say hello'), kind='notes')}</presentation:notes>"
    )
    path = packages.opendocument(tmp_path / "a.odp", "presentation", f"<draw:page>{page}</draw:page><draw:page/>")
    about, *found = open_slides.read(path)
    assert isinstance(about, About)
    assert (about.title, about.unit) == ("A title", "slide")
    assert found[-1] == Progress(2, 2)
    assert [(s.text, s.kind, s.heading_path, {mark.unit for mark in s.marks}) for s in sections(found)] == [
        ("A heading", "heading", ("A heading",), {1}),
        ("left", "prose", ("A heading",), {1}),
        ("- one\n- two", "list", ("A heading",), {1}),
        ("right", "prose", ("A heading",), {1}),
        ("Say hello", "prose", ("A heading",), {1}),
    ]
