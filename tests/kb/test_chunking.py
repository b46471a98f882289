"""Passages are the text itself, cut: nothing lost, nothing twice, nothing out of place."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, get_args

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from embeddings.hashing import HashingTokenizer
from kb import chunking
from kb.chunking import Passage
from kb.context import encoded_text
from kb.reading import assembly, text
from kb.reading.assembly import Heading
from kb.reading.sections import About, Item, Kind, Mark, Page, Section, Unit

NOWHERE: dict[str, Any] = {"boxes": [], "rows": None, **{f"{unit}s": None for unit in get_args(Unit)}}
TOKENIZER = HashingTokenizer()

PHRASE = st.sampled_from(
    [
        "Annual leave is twenty days.",
        "今天天气很好。",
        "คนไทยลาพักร้อน",
        "e\u0301",
        "x" * 30,
        "👩‍👧",
        "1,5",
        "\n",
        " ",
        "مرحبا. ",
        "ᄀ",
    ]
)
SECTION_TEXT = st.lists(PHRASE, min_size=1, max_size=12).map(" ".join).map(text.clean).filter(str.strip)


def section(words: str, kind: Kind = "prose", path: tuple[str, ...] = (), *, unit: int = 1) -> Section:
    return Section(words, kind, path, (Mark(0, len(words), unit),))


@st.composite
def documents(draw: st.DrawFn) -> list[Item]:
    items: list[Item] = [About("plain", "1", "line")]
    path: tuple[str, ...] = ()
    for unit in range(1, draw(st.integers(1, 12)) + 1):
        if draw(st.booleans()):
            path = (
                *path[: draw(st.integers(0, 2))],
                draw(st.sampled_from(["A", "B", "A much longer title of seven words"])),
            )
            items.append(section(path[-1], "heading", path, unit=unit))
        else:
            kind: Kind = draw(st.sampled_from(["prose", "list", "table", "code"]))
            one = section(draw(SECTION_TEXT), kind, path, unit=unit)
            header = one.text.split("\n")[0] if kind == "table" else ""
            items.append(replace(one, context=header))
    return items


def split(items: Sequence[Item], *, target: int = 10, maximum: int = 16, overlap: int = 0) -> list[Passage]:
    reading = assembly.read_document(items)
    return chunking.split(reading, TOKENIZER, target=target, maximum=maximum, overlap=overlap)


def words_of(passages: list[Passage]) -> list[str]:
    return [passage.text for passage in passages]


def test_it_works() -> None:
    items: list[Item] = [
        section("Leave", "heading", ("Leave",)),
        section("Twenty days a year.", path=("Leave",), unit=2),
        section("Ask your manager.", path=("Leave",), unit=3),
    ]
    (passage,) = split(items)
    assert passage.text == "Leave\n\nTwenty days a year.\n\nAsk your manager."
    assert (passage.start, passage.end, passage.tokens) == (0, 45, 8)
    assert (passage.heading_path, passage.kind, passage.language) == (("Leave",), "prose", "en")
    assert passage.anchor == {**NOWHERE, "lines": [1, 3]}


@given(documents(), st.integers(16, 48), st.integers(12, 48), st.integers(0, 20))
def test_what_holds_for_every_document(items: list[Item], maximum: int, target: int, overlap: int) -> None:
    reading = assembly.read_document(items)
    passages = chunking.split(reading, TOKENIZER, target=min(target, maximum), maximum=maximum, overlap=overlap)
    whole = {0, *(character.end() for character in regex.finditer(r"\X", reading.text))}
    start = end = 0
    for passage in passages:
        assert passage.text == reading.text[passage.start : passage.end]
        assert not reading.text[end : passage.start].strip()  # nothing is left out
        assert passage.end > end
        assert passage.start >= start
        assert sum(TOKENIZER.count([reading.text[passage.start : end]])) <= overlap
        assert passage.tokens == max(1, *TOKENIZER.count([encoded_text(passage.context, passage.text)]))
        assert passage.tokens <= maximum
        assert {passage.start, passage.end} <= whole
        for stretch in reading.stretches:
            if stretch.kind != "heading" and stretch.start < passage.end and stretch.end > passage.start:
                assert stretch.heading_path == passage.heading_path
        start, end = passage.start, passage.end
    assert not reading.text[end:].strip()


@given(documents())
def test_anchors_name_the_sections_they_touch(items: list[Item]) -> None:
    reading = assembly.read_document(items)
    placed = list(zip(reading.stretches, (item for item in items if isinstance(item, Section)), strict=True))
    for passage in chunking.split(reading, TOKENIZER, target=10, maximum=16):
        touched = [
            one.marks[0].unit for stretch, one in placed if stretch.start < passage.end and stretch.end > passage.start
        ]
        assert passage.anchor["lines"] == [touched[0], touched[-1]]


def test_small_paragraphs_are_put_together_and_none_is_left_alone() -> None:
    passages = split([section("one two three")] * 6 + [section("end")], target=9, maximum=16)
    assert words_of(passages) == ["one two three\n\n" * 2 + "one two three", "one two three\n\n" * 3 + "end"]


def test_a_passage_never_crosses_a_heading() -> None:
    items = [section(words, "heading", (words,)) for words in "AB"]
    assert words_of(split(items)) == ["A", "B"]


def test_a_heading_goes_with_what_follows() -> None:
    long = "one two three four five six seven eight nine ten eleven twelve"
    items: list[Item] = [
        section("A", "heading", ("A",)),
        section("B", "heading", ("A", "B")),
        section(long, path=("A", "B")),
        section(long, path=("A", "B")),
    ]
    first, second = split(items, target=8)
    assert first.text == f"A\n\nB\n\n{long}"
    assert (first.heading_path, first.kind) == (("A", "B"), "prose")
    assert second.text == long


def test_a_long_paragraph_is_cut_between_sentences() -> None:
    sentence = "One two three four five six."
    passages = split([section(" ".join([sentence] * 5))], target=12, maximum=16)
    assert words_of(passages) == [f"{sentence} {sentence}", f"{sentence} {sentence}", sentence]


def test_sentences_are_repeated_within_a_section() -> None:
    one, two, three, four = (f"{word} two three four." for word in ("One", "Two", "Three", "Four"))
    words = " ".join([one, two, three, four])
    items = [section(words, path=("A",)), section(words, path=("B",))]
    assert words_of(split(items, target=8, overlap=4)) == [f"{one} {two}", f"{two} {three} {four}"] * 2
    assert words_of(split(items, target=8, overlap=3)) == [f"{one} {two}", f"{three} {four}"] * 2


def test_a_paragraph_may_be_repeated_but_no_heading_table_or_code() -> None:
    items: list[Item] = [
        section("Title", "heading", ("Title",)),
        section("One two three four.", path=("Title",)),
        section("Five six seven. Eight nine ten.", path=("Title",)),
        section("a | b | c | d | e | f", "table", ("Title",)),
        section("g h i j k l", "code", ("Title",)),
    ]
    texts = words_of(split(items, target=6, maximum=16, overlap=4))
    assert texts == [
        "Title\n\nOne two three four.",
        "One two three four.\n\nFive six seven. Eight nine ten.",
        "Eight nine ten.\n\na | b | c | d | e | f",
        "g h i j k l",
    ]


def test_the_headings_that_are_not_in_a_passage_are_its_context() -> None:
    sentence = "One two three four five six."
    items: list[Item] = [
        section("A", "heading", ("A",)),
        section("x y z", path=("A",)),
        section("B", "heading", ("A", "B")),
        section(" ".join([sentence] * 4), path=("A", "B")),
    ]
    passages = split(items, target=13)
    assert [(passage.text, passage.context) for passage in passages] == [
        ("A\n\nx y z", ""),
        (f"B\n\n{sentence} {sentence}", "A"),
        (f"{sentence} {sentence}", "A › B"),
    ]
    assert [passage.tokens for passage in passages] == [4, 14, 14]


@pytest.mark.parametrize(
    ("path", "context"),
    [
        (("Book", "Part", "Chapter"), "Book › Part › Chapter"),
        (("A very long title of a book", "Part", "Chapter"), "Part › Chapter"),
        (("Book", "A very long title of a chapter"), "A very long"),
    ],
)
def test_a_long_heading_path_is_shortened(path: tuple[str, ...], context: str) -> None:
    (passage,) = split([section("one two three", path=path)], target=10, maximum=15)
    assert (passage.context, passage.heading_path) == (context, path)


def _table(rows: int, *, path: tuple[str, ...] = ()) -> Section:
    header = "Town | Depth"
    return replace(
        section("\n".join([header, *(f"Port {n} | {n}" for n in range(rows))]), "table", path), context=header
    )


def test_later_parts_of_a_table_have_its_header_as_context() -> None:
    passages = split([_table(8, path=("Ports",))], target=9, maximum=16)
    assert [passage.context for passage in passages] == ["Ports", "Ports\nTown | Depth", "Ports\nTown | Depth"]
    assert passages[1].text == "Port 2 | 2\nPort 3 | 3\nPort 4 | 4"


def test_a_row_of_several_lines_is_not_cut() -> None:
    rows = ["Town | Depth\n", "North\nPort | 1\n", "South\nPort | 2\n", "West\nPort | 3"]
    starts = [sum(map(len, rows[:n])) for n in range(5)]
    marks = tuple(Mark(a, b, n, cell=(n, 1)) for n, (a, b) in enumerate(pairwise(starts), start=1))
    table = Section("".join(rows), "table", (), marks)
    assert words_of(split([table], target=5, maximum=6)) == [row.strip() for row in ("".join(rows[:2]), *rows[2:])]


def test_code_is_whole_up_to_the_limit() -> None:
    code = section("\n".join(["a b c"] * 5), "code")
    assert words_of(split([section("see below"), code], target=8, maximum=15)) == ["see below", code.text]


def test_a_heading_is_not_left_alone_before_a_table() -> None:
    table = section("\n".join(["a | b | c"] * 5), "table", ("T",))
    first, *_rest = split([section("T", "heading", ("T",)), table], target=8, maximum=15)
    assert first.text.startswith("T\n\na | b | c\n")


def test_a_small_rest_that_does_not_fit_takes_the_last_sentences() -> None:
    sentence = "One two three four."
    passages = split([section(" ".join([sentence] * 4)), section("five")], target=16, maximum=16)
    assert words_of(passages) == [" ".join([sentence] * 3), f"{sentence}\n\nfive"]


def test_every_process_cuts_alike() -> None:
    program = (
        "from embeddings.hashing import HashingTokenizer\n"
        "from kb import chunking\n"
        "from kb.reading import assembly\n"
        "from kb.reading.sections import Section\n"
        "words = '今日は天気がいいですね。 คนไทยลาพักร้อน Dr. Smith left. ' * 40\n"
        "reading = assembly.read_document([Section(words, 'prose', ('A', 'B'))])\n"
        "passages = chunking.split(reading, HashingTokenizer(), target=40, maximum=50, overlap=12)\n"
        "print([(one.start, one.end, one.content_hash, one.language) for one in passages])\n"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, check=True, env={**os.environ, "PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1
    assert len(said.pop()) > 1_000


@pytest.mark.parametrize("kind", ["table", "code", "list"])
def test_a_table_is_cut_between_lines(kind: Kind) -> None:
    row = "one | two. Three | four five"
    assert words_of(split([section("\n".join([row] * 5), kind)], target=10, maximum=12)) == [
        "\n".join([row] * 2)
    ] * 2 + [row]


def test_a_small_rest_joins_the_passage_before() -> None:
    (passage,) = split([section("one two three four five six seven eight"), section("nine")], target=8)
    assert passage.text.endswith("nine")


@pytest.mark.parametrize(
    "words",
    ["今天我们一起去公园散步" * 30, "วันนี้อากาศดีมาก" * 30, "今日は天気がいいですね" * 30, "word " * 300, "x" * 3_000],
)
def test_text_without_sentences_is_cut_all_the_same(words: str) -> None:
    passages = split([section(words.strip())], target=40, maximum=50)
    assert "".join(words_of(passages)).replace(" ", "") == words.replace(" ", "")
    assert max(passage.tokens for passage in passages) <= 50


def test_the_anchor_of_a_pdf_has_pages_and_boxes() -> None:
    items: list[Item] = [
        About("pdf", "1", "page"),
        Page(1, 100, 100),
        Section("one two", "prose", (), (Mark(0, 3, 1, (1, 2, 3, 4)), Mark(4, 7, 1, (5, 6, 7, 8)))),
        Page(2, 100, 100),
        Page(3, 100, 100),
        Section("three", "prose", (), (Mark(0, 5, 3, (1, 1, 2, 2)),)),
        Page(4, 100, 100),
    ]
    reading = assembly.read_document(items)
    assert reading.page_starts == (0, 9, 9, 14)
    whole = chunking.split(reading, TOKENIZER, target=9, maximum=9)
    assert whole[0].anchor["pages"] == [1, 3]
    assert [box["page"] for box in whole[0].anchor["boxes"]] == [1, 1, 3]
    second = chunking.split(reading, TOKENIZER, target=1, maximum=1)[1]
    assert second.text == "two"
    assert second.anchor == {**NOWHERE, "pages": [1, 1], "boxes": [{"page": 1, "box": [5, 6, 7, 8]}]}


@pytest.mark.parametrize("unit", get_args(Unit))
def test_the_anchor_names_the_unit_of_the_format(unit: Unit) -> None:
    (passage,) = split([About("any", "1", unit), section("words", unit=7)])
    assert passage.anchor == {**NOWHERE, f"{unit}s": [7, 7]}


@pytest.mark.parametrize(("unit", "second", "rows"), [("sheet", 3, [2, 9]), ("sheet", 4, None), ("paragraph", 3, None)])
def test_the_anchor_names_the_rows_of_one_sheet(unit: Unit, second: int, rows: list[int] | None) -> None:
    marks = (Mark(0, 3, 3, cell=(2, 1)), Mark(4, 7, second, cell=(9, 1)))
    (passage,) = split([About("any", "1", unit), Section("one two", "table", (), marks)])
    assert passage.anchor["rows"] == rows


def test_the_outline() -> None:
    items: list[Item] = [
        section("A", "heading", ("A",)),
        section("a", path=("A",)),
        section("A", "heading", ("A",)),
        section("b", path=("A", "B")),  # below a heading that is not in the text
    ]
    reading = assembly.read_document(items)
    assert reading.outline == (Heading(1, "A", 0), Heading(1, "A", 6), Heading(2, "B", 9))
    assert reading.outline_json()[2] == {"level": 2, "title": "B", "start": 9}


def test_the_content_hash_is_of_what_the_encoder_is_given() -> None:
    (one,) = split([section("words", path=("A",))])
    (same,) = split([section("words", path=("A",), unit=9)])
    (other,) = split([section("words", path=("B",))])
    assert one.content_hash == same.content_hash != other.content_hash
    assert len(one.content_hash) == 64


def test_the_main_language_is_that_of_most_text() -> None:
    items: list[Item] = [
        section("今天天气很好。", path=("A",)),
        section("Hello there, everyone.", path=("B",)),
        section("1", path=("C",)),
    ]
    assert chunking.main_language(split(items)) == "en"
    assert chunking.main_language([]) == "und"


class _CountingTokenizer(HashingTokenizer):
    """Notes how many characters it was given."""

    def __init__(self) -> None:
        self.characters = 0

    def offsets(self, text: str) -> Iterator[tuple[int, int]]:
        self.characters += len(text)
        return super().offsets(text)


@pytest.mark.parametrize("size", [100, 5_000])
def test_the_work_grows_as_the_text_does(size: int) -> None:
    reading = assembly.read_document([section("今天天气很好，我们去公园吧。" * size)])
    tokenizer = _CountingTokenizer()
    chunking.split(reading, tokenizer, target=300, maximum=480)
    assert tokenizer.characters == 2 * len(reading.text)  # to cut it, and to count what each passage has


def _passage(spoken: str, length: int) -> Passage:
    return Passage(0, length, "x" * length, (), "prose", 1, {}, spoken)


def test_a_language_hardly_any_of_a_document_is_in_is_not_believed():
    chinese = [_passage("zh", 900), _passage("uz", 20), _passage("en", 20), _passage("ja", 20)]
    assert [one.language for one in chunking.settle_languages(chinese)] == ["zh", "und", "en", "ja"]
    german = [_passage("de", 900), _passage("lb", 20), _passage("fr", 200)]
    assert [one.language for one in chunking.settle_languages(german)] == ["de", "de", "fr"]
