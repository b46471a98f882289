from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.reading import plain, text

from .reading import marked, sections


def test_it_reads(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("One,\r\ntwo.\r\n \r\n\r\n\r\ne\u0301 三\r\n".encode())
    first, second = sections(plain.read(path))
    assert first.text == "One,\ntwo."
    assert marked(first) == [(1, "One,"), (2, "two.")]
    assert marked(second) == [(6, "é 三")]


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"))))
def test_every_mark_is_its_line(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    path = tmp_path_factory.mktemp("plain") / "a.txt"
    path.write_bytes("\n".join(lines).encode())
    source = text.clean("\n".join(lines).removeprefix("\ufeff")).split("\n")
    found = [one for section in sections(plain.read(path)) for one in marked(section)]
    assert [unit for unit, _said in found] == [n for n, line in enumerate(source, start=1) if line.strip()]
    for unit, said in found:
        assert said.strip() == source[unit - 1].strip()
