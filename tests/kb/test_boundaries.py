import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from kb import boundaries

TEXT = st.text(st.sampled_from("ab .\n,。，中文天気คนไทยขå\u0301\u200d👩👧🇩🇪한ᄀ\u0600"), max_size=300)


def ends_of_characters(text: str) -> set[int]:
    return {0, *(character.end() for character in regex.finditer(r"\X", text))}


@given(TEXT)
def test_between_characters(text: str) -> None:
    ends = ends_of_characters(text)
    # Flags are pairs: which letters pair is known only from the first of a row, however far back it is.
    if "🇩" not in text and "🇪" not in text:
        assert {at for at in range(len(text) + 1) if boundaries.is_between_characters(text, at)} == ends


@given(TEXT, st.data())
def test_a_cut_is_within_its_limits_and_between_characters(text: str, data: st.DataObject) -> None:
    limit = data.draw(st.integers(1, max(1, len(text) - 1)))
    start = data.draw(st.integers(0, limit - 1))
    cut = boundaries.cut_before(text + "end", start, limit)
    assert start < cut <= limit


@given(TEXT, st.sampled_from(["en", "zh", "ja", "th", "ar", "und"]))
def test_sentences_and_lines_cover_the_text(text: str, language: str) -> None:
    for ranges in (boundaries.sentences(text, 0, len(text), language=language), boundaries.lines(text, 0, len(text))):
        at = 0
        for start, end in ranges:
            assert start == at < end
            at = end
        assert at == len(text)


@given(TEXT)
def test_trimming_takes_white_space_and_nothing_else(text: str) -> None:
    start, end = boundaries.trim(text, 0, len(text))
    assert text.strip() in text[start:end]
    assert not (text[:start] + text[end:]).strip()


def test_sentences_go_over_the_ends_of_windows() -> None:
    sentence = "今天天气很好，我们去公园吧。"
    text = sentence * 1_000
    found = list(boundaries.sentences(text, 0, len(text), language="zh"))
    assert [text[start:end] for start, end in found] == [sentence] * 1_000


@pytest.mark.parametrize(
    ("text", "limit", "head"),
    [
        ("one two three four", 15, "one two three"),
        ("今天天气很好，我们去公园吧", 9, "今天天气很好，"),
        ("今天我们一起去公园散步", 8, "今天我们一起去"),
        ("วันนี้อากาศดีมาก", 11, "วันนี้อากาศ"),
        ("今日は天気がいいですね", 5, "今日は"),
        ("aaaaaaaaaa", 7, "aaaaaaa"),
        ("aaae\u0301\u0302\u0303", 6, "aaa"),
    ],
)
def test_a_cut_is_between_words(text: str, limit: int, head: str) -> None:
    assert text[: boundaries.cut_before(text, 0, limit)] == head
