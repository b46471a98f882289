"""A long PDF is read in parts that make the same whole."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pypdf import PdfWriter
from pypdf.annotations import FreeText

from kb.reading.options import Options
from kb.reading.pdf import reader as pdf
from kb.reading.sections import About, Checkpoint, Item, Page, Progress, Section, Warned
from tests.kb.reading import files

LONG = "This line of a paragraph goes on for as long as the column has"


def parts(path: Path) -> Iterator[list[Item]]:
    begin = None
    while True:
        items = list(pdf.read(path, Options(), begin=begin))
        yield items
        if not isinstance(items[-1], Checkpoint):
            return
        begin = items[-1]


@pytest.fixture
def long_file(tmp_path: Path) -> Path:
    pages = [[f"# Chapter {n}", LONG, f"Number {n}.", *[""] * 30, LONG, LONG] for n in range(11)]
    return files.pdf(tmp_path / "a.pdf", [*pages, [], ["goes on here."]], outline=True)


@pytest.mark.parametrize("size", [1, 4, 5, 13])
def test_parts_make_the_whole(long_file: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    whole = list(pdf.read(long_file, Options()))
    monkeypatch.setattr(pdf, "PART", size)
    found = list(parts(long_file))
    assert len(found) == -(-13 // size)
    for kind in (About, Page, Section, Warned):
        assert [item for part in found for item in part if isinstance(item, kind)] == [
            item for item in whole if isinstance(item, kind)
        ]
    for part in found:
        last = max(item.number for item in part if isinstance(item, Page))
        assert Progress(last, 13) in part


def test_pages_without_text_are_counted_over_all_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = files.pdf(tmp_path / "a.pdf", [[], ["One"], [], [], ["Two"], []])
    monkeypatch.setattr(pdf, "PART", 2)
    first, second, last = parts(path)
    assert not any(isinstance(item, Warned) for item in (*first, *second))
    (warned,) = (item for item in last if isinstance(item, Warned))
    assert warned.detail == "4 of 6 pages have no text: 1, 3, 4, 6."


@pytest.mark.parametrize(
    "words",
    [
        "".join(chr(0xE000 + n % 40) for n in range(60)),
        "".join(chr(ord(letter) << 8) for letter in "TidesAtThePier" * 4),
    ],
    ids=["private", "bytes in the wrong order"],
)
def test_letters_that_mean_nothing_are_said(tmp_path: Path, words: str) -> None:
    path = files.with_private_letters(tmp_path / "a.pdf", words)
    (warned,) = (item for item in pdf.read(path, Options()) if isinstance(item, Warned))
    assert (warned.code, warned.detail) == ("garbled_text", "The letters of these pages cannot be told: 1.")


def test_notes_are_read_where_asked(tmp_path: Path) -> None:
    path = files.pdf(tmp_path / "a.pdf", [["Words"]])
    writer = PdfWriter(clone_from=path)
    writer.add_annotation(0, FreeText(text="Check this figure.", rect=(50, 500, 200, 550)))
    writer.write(path)

    def said(options: Options) -> list[Section]:
        return [item for item in pdf.read(path, options) if isinstance(item, Section)]

    assert [section.text for section in said(Options())] == ["Words"]
    (_words, note) = sorted(said(Options(annotations=True)), key=lambda section: section.text != "Words")
    assert note.text == "Check this figure."
    assert [(mark.unit, mark.box) for mark in note.marks] == [(1, (50.0, 50.0, 200.0, 100.0))]
