"""The words of a text, whichever script stands beside them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb import lexemes

LATIN = [chr(code) for code in (*range(0x300), *range(0x2000, 0x2070))]
OTHER = "水"
"""A character of another script: with it a text is no longer read as Latin alone."""


def beside_another_script(text: str) -> list[str]:
    *found, other = lexemes.lexemes(f"{text} {OTHER}")
    assert other == OTHER
    return found


@pytest.mark.parametrize("frame", ["{}", "a{}b", "1{}2 {} -{}"])
def test_each_latin_character_is_read_as_beside_another_script(frame):
    for character in LATIN:
        text = frame.replace("{}", character)
        assert lexemes.lexemes(text) == beside_another_script(text), f"U+{ord(character):04X}"


@given(st.text(alphabet=LATIN, max_size=60))
def test_latin_text_is_read_as_beside_another_script(text):
    found = lexemes.lexemes(text)
    assert found == beside_another_script(text)
    assert lexemes.spans(text, set(found), "und") == lexemes.spans(f"{text} {OTHER}", set(found), "und")
