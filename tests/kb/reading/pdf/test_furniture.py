"""Running headers, footers and page numbers of PDF pages."""

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.reading.pdf.furniture import Window
from kb.reading.pdf.lines import Line

from .lines import HEIGHT, any_lines, below, line, sheet

HEAD, NUMBER = 40.0, 770.0
ROMAN = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x")
MANUAL = "Sampler manual"


def body(page: int) -> list[Line]:
    return below([f"Words of page {page}, line {number}." for number in range(45)], baseline=100, page=page)


def kept(pages: list[list[Line]]) -> list[list[str]]:
    """The words of each page that are none of its body and stay."""
    return [[one.text for one in lines if not one.text.startswith("Words")] for lines in without(pages)]


def without(pages: list[list[Line]]) -> Iterator[list[Line]]:
    window = Window()
    for number, lines in enumerate(pages, start=1):
        yield from (one.lines for one in window.add(sheet(number, lines)))
    yield from (one.lines for one in window.rest())


Furniture = Callable[[int], list[Line]]

RUNNING: dict[str, Furniture] = {
    "the same head": lambda page: [line(MANUAL, baseline=HEAD)],
    "page numbers": lambda page: [line(str(page), 300, NUMBER)],
    "roman page numbers": lambda page: [line(ROMAN[page - 1], 300, NUMBER)],
    "page of pages": lambda page: [line(f"Page {page} of 10", 300, NUMBER)],
    "page numbers in Chinese": lambda page: [line(f"第 {'一二三四五六七八九十'[page - 1]} 页", 300, NUMBER)],
    "head and foot in two lines": lambda page: [
        *below([MANUAL, f"Revision {page}"], baseline=28),
        *below(["Confidential", str(page)], baseline=NUMBER),
    ],
    "head and number in one row": lambda page: [line(MANUAL, baseline=HEAD), line(str(page), 500, HEAD)],
    "even and odd pages": lambda page: [line(MANUAL if page % 2 else "3 Leave", 72 if page % 2 else 400, HEAD)],
    "another head with each section": lambda page: [line(f"Section {'ABCDEFGHIJ'[page - 1] * 4}", baseline=HEAD)],
}


@pytest.mark.parametrize("furniture", RUNNING.values(), ids=RUNNING)
def test_what_repeats_is_taken_off(furniture: Furniture) -> None:
    pages = [[*furniture(page), *body(page)] for page in range(1, 11)]
    assert kept(pages) == [[]] * 10


def test_the_order_of_the_content_does_not_matter() -> None:
    assert kept([[*body(page), line(MANUAL, baseline=HEAD)] for page in range(1, 6)]) == [[]] * 5


def test_a_first_page_of_another_look_is_kept() -> None:
    title = [line("The manual of the sampler", baseline=60, size=24)]
    pages = [[*title, *body(1)], *([line(MANUAL, baseline=HEAD), *body(page)] for page in range(2, 8))]
    assert kept(pages) == [["The manual of the sampler"], *[[]] * 6]


def test_two_pages_keep_their_first_lines() -> None:
    pages = [[line(said, baseline=HEAD), *body(page)] for page, said in enumerate(["Dear all,", "Yours, Ada"], start=1)]
    assert kept(pages) == [["Dear all,"], ["Yours, Ada"]]


def test_two_pages_lose_what_both_say() -> None:
    pages = [[line(MANUAL, baseline=HEAD), *body(page), line(f"Page {page}", 300, NUMBER)] for page in (1, 2)]
    assert kept(pages) == [[], []]


def test_one_page_keeps_all() -> None:
    assert kept([[line(MANUAL, baseline=HEAD), *body(1), line("1", 300, NUMBER)]]) == [[MANUAL, "1"]]


TITLES = ("Why we sample", "Where we sample", "How we sample", "What we found", "What comes next")


def test_titles_of_slides_are_kept() -> None:
    pages = [
        [
            line(title, baseline=60, size=24),
            *below(["Words of a slide"] * 5, baseline=200, leading=30, size=16),
            line(str(page), 500, NUMBER, size=8),
        ]
        for page, title in enumerate(TITLES, start=1)
    ]
    assert kept(pages) == [[title] for title in TITLES]


def test_the_first_lines_of_full_pages_are_kept() -> None:
    pages = [
        below([f"{title} and more", *[f"Words {number}." for number in range(55)]], baseline=50, page=page)
        for page, title in enumerate(TITLES, start=1)
    ]
    assert kept(pages) == [[f"{title} and more"] for title in TITLES]


def test_what_repeats_in_the_middle_is_kept() -> None:
    pages = [[*body(page)[:20], line("Note", baseline=400)] for page in range(1, 6)]
    assert kept(pages) == [["Note"]] * 5


def test_a_line_far_from_the_next_is_kept_where_others_have_none() -> None:
    pages = [body(page) for page in range(1, 8)]
    pages[3] = [line("Part two", baseline=HEAD), *pages[3]]
    assert kept(pages) == [[], [], [], ["Part two"], [], [], []]


def test_furniture_is_known_by_the_pages_around_it() -> None:
    pages = [[line(MANUAL if page <= 20 else "Annex", baseline=HEAD), *body(page)] for page in range(1, 41)]
    assert kept(pages) == [[]] * 40


@given(st.lists(any_lines | st.just([]), max_size=20))
def test_every_page_comes_out_in_order_with_lines_of_its_own(pages: list[list[Line]]) -> None:
    found = list(without(pages))
    assert len(found) == len(pages)
    for left, lines in zip(found, pages, strict=True):
        taken = {id(one) for one in lines} - {id(one) for one in left}
        assert [id(one) for one in left] == [id(one) for one in lines if id(one) not in taken]
        edge = 0.12 * HEIGHT
        assert all(one.box[3] <= edge or one.box[1] >= HEIGHT - edge for one in lines if id(one) in taken)
