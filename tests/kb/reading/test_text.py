import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.reading import text

# Lone surrogates and controls included: they are what files bring.
ANY_TEXT = st.text(st.characters(exclude_categories=()))


def test_it_cleans() -> None:
    assert text.clean("a\0b\r\nc\rd\x85e\x07 \ud800e\u0301\t\n") == "ab\nc\nd\ne é\t\n"


def test_a_pair_of_surrogates_is_the_character_it_stands_for() -> None:
    assert text.clean("\ud83d\ude00") == "😀"


@given(ANY_TEXT)
def test_clean_text_is_clean_and_stays_as_it_is(any_text: str) -> None:
    clean = text.clean(any_text)
    assert text.clean(clean) == clean
    assert unicodedata.is_normalized("NFC", clean)
    assert not [c for c in clean if unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t"]
    clean.encode("utf-8")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd.pdf", "passwd.pdf"),
        ("C:\\Users\\me\\Häuser.docx", "Häuser.docx"),
        ("报告 😀.md", "报告 😀.md"),
        ("cod\u202efdp.exe", "codfdp.exe"),
        ("a\nb\0.txt", "a b.txt"),
        ("e\u0301.txt", "é.txt"),
        ("..", "unnamed"),
        ("", "unnamed"),
        ("///", "unnamed"),
    ],
)
def test_a_file_name_is_shown_as(name: str, shown: str) -> None:
    assert text.clean_filename(name) == shown


def test_a_long_name_keeps_its_extension_and_whole_characters() -> None:
    family = "👩‍👩‍👧‍👦"
    shown = text.clean_filename(family * 20 + ".docx")
    assert shown == family * 7 + ".docx"


@given(ANY_TEXT)
def test_a_file_name_is_never_empty_long_or_a_path(name: str) -> None:
    shown = text.clean_filename(name)
    assert 1 <= len(shown.encode()) <= text.FILENAME_BYTES
    assert not set("/\\\n\0\u202e") & set(shown)
    assert shown not in (".", "..")
    assert text.clean(shown) == shown
