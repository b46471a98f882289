from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.reading import delimited
from kb.reading.sections import Section

from .reading import marked, sections


def read(folder: Path, source: str) -> list[Section]:
    path = folder / "a.csv"
    path.write_text(source, encoding="utf-8")
    return sections(delimited.read(path))


@pytest.mark.parametrize(
    ("source", "text", "context"),
    [
        ("a,b\n1,2\n", "a | b\n1 | 2", "a | b"),
        ('"a, b";c\n"x ""y""\nz";1,5', 'a, b | c\nx "y" z | 1,5', "a, b | c"),
        ("a\tb c\n1\t\n\t2", "a | b c\n1\n | 2", "a | b c"),
        ("a|b\n1|2", "a | b\n1 | 2", "a | b"),
        ("1,2\n3,4", "1 | 2\n3 | 4", ""),
        ("a,,b\n1,2,3", "a |  | b\n1 | 2 | 3", ""),
        ("a,b", "a | b", ""),
        ("one\ntwo", "one\ntwo", "one"),
        ("a,b\n" + '1,"' + "x" * 200_000, 'a | b\n1 | "' + "x" * 200_000, "a | b"),
    ],
)
def test_it_reads(tmp_path: Path, source: str, text: str, context: str) -> None:
    (section,) = read(tmp_path, source)
    assert (section.kind, section.text, section.context) == ("table", text, context)


def test_rows_have_their_lines(tmp_path: Path) -> None:
    (section,) = read(tmp_path, 'a,b\n\n"x\ny",1\n2,3\n')
    assert marked(section) == [(1, "a | b"), (3, "x y | 1"), (5, "2 | 3")]
    assert [mark.cell for mark in section.marks] == [(1, 1), (2, 1), (3, 1)]


def test_nothing_in_it(tmp_path: Path) -> None:
    assert read(tmp_path, ",,\n\n,\n") == []


@given(st.text(st.sampled_from('ab1 ,;\t|"\n'), max_size=80))
def test_no_letter_is_lost(tmp_path_factory: pytest.TempPathFactory, source: str) -> None:
    found = read(tmp_path_factory.mktemp("delimited"), source)
    text = "".join(section.text for section in found)
    assert [letter for letter in text if letter in "ab1"] == [letter for letter in source if letter in "ab1"]
