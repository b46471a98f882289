"""The benchmarks run and print what they measure; how fast it was is nobody's to assert."""

import json
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from kb.benchmarks import manual
from kb.benchmarks.fidelity import Bare
from kb.chunking import Passage
from kb.models import Chunk, Collection, Document, User
from kb.reading.assembly import Reading

from .reading import files

pytestmark = pytest.mark.django_db

FIRST = "The tide at the northern pier is measured every ten minutes."
SECOND = "A second sentence goes on to say where the gauge stands."
THIRD = "The gauges of the pier and when they were built"
HTML = f"""<html><body>
<div class="navheader">Chapter 1. The tides of the northern pier, said in the navigation</div>
<h1 class="title">Chapter 1. Tides</h1><p>{FIRST} {SECOND} Short.</p>
<p>Table 1.1. {THIRD}</p>
<h2 class="title">1.1. Gauges</h2>
<p>See the long explanation in <a href="ch02.html">chapter 2</a> for all of this.
A sentence that stands in the HTML alone, of more than thirty letters.</p></body></html>"""


@pytest.fixture
def pdf(tmp_path: Path) -> Path:
    path = tmp_path / "tides.pdf"
    files.pdf(path, [["# Tides", FIRST, SECOND, f"Table 1.1: {THIRD}", "# Gauges", "Short."]], outline=True)
    return path


def bench(*arguments: object) -> str:
    out = StringIO()
    call_command("bench", *map(str, arguments), stdout=out)
    return out.getvalue()


def test_read_prints_what_each_contender_took(space, pdf):
    figures = json.loads(bench("read", pdf, "--rounds", 2, "--json"))
    assert set(figures) == {"rounds", "held_up", "busy", "files", "all"}
    [one] = figures["files"]
    assert (one["name"], one["pages"], one["chunks"]) == ("tides.pdf", 1, 2)
    for measured in (one, figures["all"]):
        assert set(measured["pages_a_second"]) == {"pypdf", "pdfium", "ours"}
        assert measured["times_pypdf"] > 0 < measured["of_pdfium"]
        assert sum(measured["steps"].values()) == pytest.approx(1, abs=0.2)
        assert set(measured["floors"]) == {"pdfium", "outline", "tokenizer", "rows"}
    said = bench("read", pdf, "--rounds", 1)
    assert "tides.pdf" in said
    assert "COPY of the rows" in said


def test_read_keeps_nothing(space, pdf):
    bench("read", pdf, "--rounds", 1)
    for model in (User, Collection, Document, Chunk):
        assert not model.objects.exists()


def test_fidelity_finds_the_manual_in_its_pdf(space, pdf, tmp_path):
    (tmp_path / "ch01.html").write_text(HTML)
    figures = json.loads(bench("fidelity", pdf, tmp_path / "ch01.html", "--json"))
    assert (figures["sentences"], figures["in_pdfium"], figures["in_text"], figures["in_one_chunk"]) == (4, 3, 3, 3)
    assert (figures["headings"], figures["paths_right"], figures["other_headings"]) == (
        2,
        1,
        0,
    )  # the PDF has them side by side
    assert (figures["chunks"], figures["with_furniture"]) == (2, 0)
    assert figures["pages_right"] == figures["sampled"] == 2
    assert "stands in the HTML alone" in bench("fidelity", pdf, tmp_path / "ch01.html", "--missing")


def passage(*lines: str, pages: tuple[int, int], boxes: Sequence[int] = ()) -> Passage:
    """With a box as large as the page on each of the pages `boxes`."""
    words = "\n\n".join(lines)
    placed = [{"page": page, "box": [0, 0, 595, 842]} for page in boxes]
    return Passage(0, len(words), words, (), "prose", 1, {"pages": list(pages), "boxes": placed}, "en")


@pytest.fixture
def bare(tmp_path: Path) -> Bare:
    path = tmp_path / "tides.pdf"
    names = ["one", "two", "three", "four", "five", "six"]
    pages = [[f"The tides, page {page}", *[""] * 12, f"{FIRST} {name}"] for page, name in enumerate(names, start=1)]
    files.pdf(path, pages)
    return Bare(path)


def test_furniture_is_seen(bare):
    nothing = Reading("", (), (), (), (), "page")
    two = passage("The tides, page 2", f"{FIRST} two", pages=(2, 2))
    assert bare.furniture(two, nothing) == ["The tides, page 2"]
    assert bare.furniture(passage("The tides, page 3", f"{FIRST} two", pages=(2, 2)), nothing) == []


@pytest.mark.parametrize(
    ("pages", "boxes", "placed"),
    [
        ((2, 3), (2, 3), True),
        ((2, 2), (2,), False),
        ((2, 3), (2,), False),
        ((2, 4), (2, 3, 4), True),
        ((1, 3), (2, 3), False),
    ],
)
def test_a_passage_is_placed_when_its_letters_are_in_its_boxes(bare, pages, boxes, placed):
    two_and_three = passage(f"{FIRST} two", f"{FIRST} three", pages=pages, boxes=boxes)
    assert bare.is_placed(two_and_three) == placed
    assert not bare.is_placed(passage(SECOND, pages=pages, boxes=boxes))


def test_a_file_that_is_not_there(space, tmp_path):
    with pytest.raises(CommandError, match="There is no file"):
        bench("read", tmp_path / "none.pdf")


def test_without_a_space_it_says_what_to_do(db, pdf):
    with pytest.raises(CommandError, match=r"manage\.py prepare"):
        bench("read", pdf)


def test_a_manual_in_html(tmp_path):
    (tmp_path / "ch01.html").write_text(HTML)
    assert manual.sentences([tmp_path / "ch01.html"]) == [
        FIRST,
        SECOND,
        THIRD,
        "A sentence that stands in the HTML alone, of more than thirty letters.",
    ]
    assert list(manual.headings([tmp_path / "ch01.html"])) == [("tides",), ("tides", "gauges")]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1.2. Gauges", "Gauges"),
        ("2.1.3 测量 仪器", "测量仪器"),
        ("第 3 章 测量", "测量"),
        ("Appendix B. Preseeding", "b preseeding"),
        ("Kapitel 4. Gezeiten", "Gezeiten"),
    ],
)
def test_titles_are_compared_without_their_numbers(one, other):
    assert manual.title(one) == manual.title(other)
