import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.reading import plain, text
from kb.reading.sections import Kind

from .reading import marked, sections

FILLED = """\
This paragraph was filled by an editor, as people do in mail and in files
that are called README, so that none of its lines is longer than it has to
be."""
ALIKE = FILLED.replace("\n", " ")


def found(folder: Path, source: str) -> list[tuple[str, Kind, int]]:
    path = folder / "a.txt"
    path.write_bytes(source.encode())
    return [(one.text, one.kind, len(one.heading_path)) for one in sections(plain.read(path))]


def test_it_reads(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("One,\r\ntwo.\r\n \r\n\r\n\r\ne\u0301 三\r\n".encode())
    first, second = sections(plain.read(path))
    assert first.text == "One,\ntwo."
    assert marked(first) == [(1, "One,"), (2, "two.")]
    assert marked(second) == [(6, "é 三")]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("Part\n====\n\nOne\n---\n\nTwo\n---\n\ntext\n\nLast\n=====", [1, 2, 2, 2, 1]),
        ("=====\nTitle\n=====\n\nPart\n=====\n\ntext", [1, 2, 2]),
    ],
)
def test_a_rule_makes_a_heading(tmp_path: Path, source: str, expected: list[int]) -> None:
    read = found(tmp_path, source)
    assert [depth for _text, _kind, depth in read] == expected
    assert [kind for _text, kind, _depth in read].count("heading") == len(expected) - 1


@pytest.mark.parametrize(
    "source",
    [
        "A title that is longer\n-----",
        "Title\n-----\ntext",
        "text\n\n-----",
        "-----\n-----",
        "=====\nTitle\n-----\n=====",
        "Roses are red,\nViolets are blue",
        "Name      Qty\na         1",
        FILLED.replace("called README", "README"),
        "The first of two lines is the longer one here, by chance, and not filled.\nIt is alone.",
        "- a\nb\n- c",
        "a\n- b\n- c",
    ],
)
def test_what_is_in_doubt_stays_as_it_is(tmp_path: Path, source: str) -> None:
    kept = [(paragraph, "prose", 0) for paragraph in source.split("\n\n")]
    assert found(tmp_path, source) == kept


def test_filled_lines_are_joined(tmp_path: Path) -> None:
    two = "These are two lines that are as long as the others are, because an editor\nhas filled them."
    assert found(tmp_path, f"{FILLED}\n\n{two}\n\nRoses are red,\nViolets are blue") == [
        (ALIKE, "prose", 0),
        (two.replace("\n", " "), "prose", 0),
        ("Roses are red,\nViolets are blue", "prose", 0),
    ]


def test_filled_lines_without_spaces_are_joined_without(tmp_path: Path) -> None:
    line = "今天天气很好我们去公园散步看看花喝喝茶聊聊天然后再回家吃晚饭睡觉休息"
    assert found(tmp_path, f"{line}\n{line}\n回家。") == [(f"{line}{line}回家。", "prose", 0)]


def test_lists(tmp_path: Path) -> None:
    item = "- " + FILLED.replace("\n", "\n  ")
    assert found(tmp_path, f"{item}\n  * two\n(c) three\n   below") == [
        (f"- {ALIKE}\n  * two\n(c) three\n   below", "list", 0)
    ]


# Words, markers and rules in any mixture: some of it is a list, a heading or a filled paragraph.
LINES = st.lists(
    st.one_of(
        st.text(st.characters(codec="utf-8", exclude_characters="\0")),
        st.sampled_from(("", "- a", "  b", "====", "Title", *FILLED.split("\n"))),
    )
)


@given(LINES, st.sampled_from(("\n", "\r\n", "\r")))
def test_every_mark_is_its_line(tmp_path_factory: pytest.TempPathFactory, lines: list[str], end: str) -> None:
    path = tmp_path_factory.mktemp("plain") / "a.txt"
    path.write_bytes(end.join(lines).encode())
    source = re.split("\r\n|\r|\n", end.join(lines).removeprefix("\ufeff"))
    said = dict(one for section in sections(plain.read(path)) for one in marked(section))
    for unit, line in enumerate(source, start=1):
        words = text.one_line(line)
        assert text.one_line(said.get(unit, "")) == words or set(words) <= set('=-~^"*+#_')
    assert max(said, default=0) <= len(source)
