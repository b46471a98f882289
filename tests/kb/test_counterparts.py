"""Words of one revision in another: nearly the same is found, what is gone is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb import counterparts

WORDS = "Ask for reference HG-77/2 at the counter."


def nearly(words: str, now: str) -> tuple[int, int] | None:
    """Where words that were all of a text stand in it now."""
    return counterparts.nearly(words, (0, len(words)), now)


@pytest.mark.parametrize(
    "now",
    [
        "Ask for the reference HG-77/2 at the counter.",
        "Ask for reference\nHG-77/2 at  the counter.",
        "Ask for reference HG-77/3 at the counter!",
        "Please ask for reference HG-77/2 at the counter.",
        "Ask for reference at the counter.",
        "Ask for reference HG-77/2 again at the counter.",
    ],
)
def test_small_changes_are_seen_through(now):
    before = "The counter is in the hall. There is a reference library, too. " * 40
    text = f"{before}{now} {before}"
    start, end = nearly(WORDS, text) or (0, 0)
    assert text[start:end] == now.removeprefix("Please ")


def test_without_spaces_too():
    now = "新的一段，在前面。每位员工每年享有二十天带薪年假，另有病假。"
    start, end = nearly("每位员工每年享有十五天带薪年假，另有病假。", now) or (0, 0)
    assert "年享有二十天带薪" in now[start:end]


@pytest.mark.parametrize("now", ["There is no code any more.", "", "Ask for advice at the reception desk."])
def test_what_is_gone_is_not_found(now):
    assert nearly(WORDS, now) is None


def test_so_many_words_are_compared_and_no_more():
    words = "".join(chr(0x4E00 + at * 7919 % 20_000) for at in range(counterparts.LONGEST))
    changed = "".join(f"{words[at : at + 19]}x" for at in range(0, len(words), 20))
    assert nearly(words, changed) == (0, len(changed))
    assert nearly(words + "x", changed) is None


def clauses(*changed: str, without: int = 0) -> str:
    """A contract, with some of its clauses as given instead."""
    written = {n: f"Clause {n}. The tenant pays {100 + n} euros on day {n} of the month." for n in range(1, 30)}
    return "\n\n".join([*(changed or ()), *(words for n, words in written.items() if n != without)])


@pytest.mark.parametrize("added", [[], ["Clause 0. The landlord is called Smith."]])
def test_where_a_clause_is_deleted_no_other_stands_for_it(added):
    was, now = clauses(), clauses(*added, without=7)
    start = was.index("Clause 7.")
    assert counterparts.nearly(was, (start, was.index("Clause 8.") - 2), now) is None


@pytest.mark.parametrize("added", [[], ["Clause 0. The landlord is called Smith."]])
@pytest.mark.parametrize("n", [1, 7, 29])
def test_where_a_clause_is_changed_it_is_found(added, n):
    was = clauses()
    now = clauses(*added).replace(f"{100 + n} euros on day {n} ", f"{200 + n} euros on day {n} ")
    start = was.index(f"Clause {n}.")
    found = counterparts.nearly(was, (start, was.index(".", start + 10) + 1), now) or (0, 0)
    assert now[slice(*found)] == f"Clause {n}. The tenant pays {200 + n} euros on day {n} of the month."


@given(st.text(), st.text(min_size=1), st.text())
def test_words_that_are_there_as_they_were_are_found(before, words, after):
    text = before + words + after
    start, end = nearly(words, text) or (-1, -1)
    assert 0 <= start < end <= len(text)


@given(st.text(), st.text())
def test_it_is_a_place_of_the_text_or_none(words, text):
    found = nearly(words, text)
    assert found is None or 0 <= found[0] < found[1] <= len(text)
