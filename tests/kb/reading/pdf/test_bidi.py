"""Right-to-left words from PDF files."""

from hypothesis import given
from hypothesis import strategies as st

from kb.reading.pdf import bidi

WORD = "وثيقة"


def leftwards(count: int) -> list[float | None]:
    return [100.0 - 10 * n for n in range(count)]


def rightwards(count: int) -> list[float | None]:
    return [10.0 * n for n in range(count)]


def test_a_word_stored_as_it_is_read_stays():
    assert bidi.in_reading_order(WORD, leftwards(len(WORD))) == WORD


def test_a_word_stored_as_it_stands_is_turned():
    assert bidi.in_reading_order(WORD[::-1], rightwards(len(WORD))) == WORD


def test_each_word_of_a_line_is_judged_by_itself():
    line = f"KB-2041 {WORD} {WORD[::-1]} 308"
    lefts = [*rightwards(8), *leftwards(len(WORD)), None, *rightwards(len(WORD)), *rightwards(4)]
    assert bidi.in_reading_order(line, lefts) == f"KB-2041 {WORD} {WORD} 308"


def test_the_letters_of_one_glyph_keep_their_order():
    # lam and alef are drawn as one glyph, between two others
    assert bidi.in_reading_order("سلام"[::-1].replace("ال", "لا"), [0.0, 10.0, 10.0, 20.0]) == "سلام"


@given(st.text(max_size=40), st.lists(st.none() | st.floats(0, 600), min_size=40, max_size=40))
def test_no_character_is_lost(line, lefts):
    assert sorted(bidi.in_reading_order(line, lefts[: len(line)])) == sorted(line)


@given(st.text(st.characters(max_codepoint=0x24F), max_size=40))
def test_other_scripts_stay(line):
    assert bidi.in_reading_order(line, rightwards(len(line))) == line
