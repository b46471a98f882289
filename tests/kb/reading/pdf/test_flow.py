"""Text of PDF files across lines, columns and pages."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.reading.pdf.lines import Line
from kb.reading.sections import Section
from tests.kb.reading.reading import marked

from .lines import FOOT, any_lines, below, line, read

FULL = "Sentences that go on and on,"
SOFT = "\u00ad"
WIDE = 300.0


def page(first: list[str], last: list[str], *, number: int = 1) -> list[Line]:
    """A page of these first lines, of a paragraph in the middle, and of these last lines at its foot."""
    middle = [*below([FULL] * 4, baseline=400, page=number, width=WIDE), line("and end.", baseline=448, page=number)]
    return [
        *below(first, page=number, width=WIDE),
        *middle,
        *below(last, baseline=FOOT - 12 * (len(last) - 1), page=number, width=WIDE),
    ]


def texts(found: list[Section]) -> list[str]:
    return [one.text for one in found]


@pytest.mark.parametrize(
    ("above", "below_it", "joined"),
    [
        ("one line", "and another", "one line and another"),
        ("安装程序会在", "重新启动之后继续", "安装程序会在重新启动之后继续"),
        ("インストールは", "ここから", "インストールはここから"),
        ("使用", "Debian", "使用 Debian"),
        ("，", "Debian", "，Debian"),
        ("ประเทศ", "ไทย", "ประเทศไทย"),
        ("한국어", "문장", "한국어 문장"),
        (f"an exam{SOFT}", "ple of it", "an example of it"),
        (f"a well{SOFT}", "known one", "a well-known one"),
        (f"the Franco{SOFT}", "German one", "the Franco-German one"),
        (f"the KB{SOFT}", "2041", "the KB-2041"),
        (f"ended by{SOFT}", "", "ended by-"),
    ],
)
def test_lines_are_joined(above: str, below_it: str, joined: str) -> None:
    lines = below([above, below_it] if below_it else [above], width=WIDE)
    known = line("It is well-known here.", baseline=300)
    assert texts(read([*lines, known]))[0] == joined


def test_a_paragraph_goes_on_over_a_page_break() -> None:
    found = read(page(["One."], [FULL, "that goes on"]), page(["on the next page."], ["Two."], number=2))
    assert f"{FULL} that goes on on the next page." in texts(found)
    (joined,) = (one for one in found if "on on" in one.text)
    assert marked(joined) == [(1, FULL), (1, "that goes on"), (2, "on the next page.")]


def test_a_word_goes_on_over_a_page_break() -> None:
    found = read(page(["One."], [FULL, f"an exam{SOFT}"]), page(["ple of it."], ["Two."], number=2))
    assert f"{FULL} an example of it." in texts(found)


def test_cjk_goes_on_over_a_page_break() -> None:
    found = read(page(["一。"], ["安装程序会在"]), page(["重新启动之后继续。"], ["二。"], number=2))
    assert "安装程序会在重新启动之后继续。" in texts(found)


@pytest.mark.parametrize(
    ("above", "below_it"),
    [
        ("It ends.", "Another begins"),
        ("它结束了。", "另一个开始了"),
        ("• An item of a list", "• Another of its items"),
        (FULL, "Table 3: Prices"),
    ],
)
def test_a_page_break_between_paragraphs(above: str, below_it: str) -> None:
    found = texts(read(page(["One."], [above]), page([below_it], ["Two."], number=2)))
    assert above in found
    assert below_it in found


def test_a_page_that_ends_early_ends_its_paragraph() -> None:
    found = texts(read(below([FULL, "and no stop"], width=WIDE), page(["another one."], ["Two."], number=2)))
    assert found[:2] == [f"{FULL} and no stop", "another one."]


def test_a_paragraph_of_three_pages() -> None:
    middle = below([FULL] * 51, page=2, width=WIDE)
    found = read(page(["One."], [FULL]), middle, page(["and it ends."], ["Two."], number=3))
    assert " ".join([FULL] * 52 + ["and it ends."]) in texts(found)


def test_notes_at_the_foot_do_not_part_a_paragraph() -> None:
    notes = below(["1 A note in small print.", "2 Another."], baseline=FOOT + 20, size=7, leading=9)
    found = texts(read([*page(["One."], [FULL]), *notes], page(["and it ends."], ["Two."], number=2)))
    at = found.index(f"{FULL} and it ends.")
    assert " ".join(found[at + 1 :]).startswith("1 A note in small print. 2 Another.")


def test_a_paragraph_goes_on_in_the_next_column() -> None:
    left = [*below([FULL] * 4, 72, 100, width=220), line("It ends.", 72, 148), *below([FULL] * 4, 72, 160, width=220)]
    right = [line("and goes on.", 320, 100), *below([FULL] * 4, 320, 112, width=220)]
    assert " ".join([FULL] * 4 + ["and goes on."]) in texts(read([*left, *right]))


@pytest.mark.parametrize("last", ["It ends.", "A short line"])
def test_a_paragraph_ends_with_its_column(last: str) -> None:
    left = [*below([FULL] * 4, 72, 100, width=220), line(last, 72, 148)]
    right = below([FULL] * 5, 320, 100, width=220)
    assert texts(read([*left, *right])) == [" ".join([FULL] * 4 + [last]), " ".join([FULL] * 5)]


def code(*lines: tuple[int, int, str]) -> list[Line]:
    """Lines of code: so many characters indented, at so many lines below the first."""
    return [line(words, 72 + 5 * indent, 100 + 12 * row, monospaced=True) for indent, row, words in lines]


def test_code_keeps_its_lines_and_indents() -> None:
    lines = code((4, 0, "def leave(days):"), (8, 1, "if days:"), (12, 2, "return 1"), (4, 4, "leave(3)"))
    (found,) = read(lines)
    assert (found.kind, found.text) == ("code", "def leave(days):\n    if days:\n        return 1\n\nleave(3)")


def test_hyphens_of_code_are_its_own() -> None:
    (found,) = read(code((0, 0, f"apt-get --quiet{SOFT}"), (0, 1, "update")))
    assert found.text == "apt-get --quiet-\nupdate"


def test_code_goes_on_over_a_page_break() -> None:
    above = [line("a = 1", baseline=FOOT, monospaced=True)]
    (found,) = read(above, [line("b = 2", page=2, monospaced=True)])
    assert (found.text, [mark.unit for mark in found.marks]) == ("a = 1\nb = 2", [1, 2])


pages = st.lists(any_lines, min_size=1, max_size=4)


@given(pages)
def test_every_line_is_marked_once(document: list[list[Line]]) -> None:
    found = read(*document)
    said = Counter(word for one in found for mark in one.marks for word in one.text[mark.start : mark.end].split())
    expected = Counter(word for lines in document for one in lines for word in one.text.split())
    # A table that goes on leaves out the header that its next page says again.
    assert said <= expected
    if not any(one.kind == "table" for one in found):
        assert said == expected


@given(pages)
def test_nothing_but_bars_and_space_stands_between_the_marks(document: list[list[Line]]) -> None:
    for one in read(*document):
        at = 0
        for mark in one.marks:
            assert not one.text[at : mark.start].strip(" \n|")
            at = mark.end
        assert not one.text[at:].strip(" \n|")


@given(pages)
def test_a_context_is_the_first_line_of_a_table(document: list[list[Line]]) -> None:
    for one in read(*document):
        if one.context:
            assert one.kind == "table"
            assert f"{one.text}\n".startswith(f"{one.context}\n")
