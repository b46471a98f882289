import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.reading.word import numerals as word_numerals


@pytest.mark.parametrize(
    ("form", "numerals"),
    [
        ("decimal", {0: "0", 12: "12", -3: "-3"}),
        ("decimalZero", {1: "01", 100: "100"}),
        ("decimalFullWidth", {12: "１２"}),
        ("upperRoman", {4: "IV", 1994: "MCMXCIV"}),
        ("lowerRoman", {9: "ix", 40: "xl"}),
        ("upperLetter", {1: "A", 26: "Z", 27: "AA", 53: "AAA"}),
        ("lowerLetter", {28: "bb"}),
        ("ordinal", {1: "1st", 2: "2nd", 3: "3rd", 11: "11th", 112: "112th", 121: "121st"}),
        ("cardinalText", {1: "One", 21: "Twenty-one", 340: "Three hundred forty", 1002: "One thousand two"}),
        ("ordinalText", {1: "First", 12: "Twelfth", 20: "Twentieth", 22: "Twenty-second", 100: "One hundredth"}),
        ("hex", {31: "1F"}),
        ("chicago", {1: "*", 4: "§", 5: "**"}),
        ("numberInDash", {7: "- 7 -"}),
        ("decimalEnclosedCircle", {1: "①", 20: "⑳", 21: "21"}),
        ("decimalEnclosedParen", {3: "⑶"}),
        ("decimalEnclosedFullstop", {3: "⒊"}),
        ("chineseCounting", {1: "一", 10: "十", 11: "十一", 20: "二十", 99: "九十九", 100: "一○○"}),
        ("chineseCountingThousand", {10: "十", 21: "二十一", 101: "一百零一", 110: "一百一十", 1001: "一千零一"}),
        ("taiwaneseCountingThousand", {15: "十五", 10_000: "一萬"}),
        ("chineseLegalSimplified", {3: "叁", 10: "壹拾", 105: "壹佰零伍"}),
        ("ideographLegalTraditional", {2: "貳", 12: "壹拾貳"}),
        ("ideographDigital", {10: "一〇", 123: "一二三"}),
        ("ideographTraditional", {1: "甲", 10: "癸", 11: "甲"}),
        ("ideographZodiac", {1: "子", 12: "亥"}),
        ("ideographZodiacTraditional", {1: "甲子", 60: "癸亥"}),
        ("ideographEnclosedCircle", {2: "㊁"}),
        ("japaneseCounting", {1: "一", 10: "十", 101: "百一", 1110: "千百十", 20_000: "二万"}),
        ("japaneseLegal", {10: "壱拾", 23: "弐拾参"}),
        ("aiueo", {1: "ｱ", 46: "ﾝ", 47: "ｱ"}),
        ("aiueoFullWidth", {6: "カ"}),
        ("irohaFullWidth", {1: "イ", 4: "ニ"}),
        ("ganada", {1: "가", 14: "하"}),
        ("chosung", {3: "ㄷ"}),
        ("koreanCounting", {10: "십", 11: "십일", 120: "백이십"}),
        ("koreanDigital", {10: "일영"}),
        ("koreanLegal", {1: "하나", 12: "열둘", 100: "100"}),
        ("hebrew1", {1: "א", 15: "טו", 16: "טז", 17: "יז", 115: "קטו", 500: "תק"}),
        ("hebrew2", {22: "ת"}),
        ("arabicAlpha", {1: "أ", 2: "ب", 3: "ت"}),
        ("arabicAbjad", {3: "ج", 4: "د"}),
        ("russianUpper", {1: "А", 7: "Ж"}),
        ("hindiNumbers", {12: "१२"}),
        ("thaiNumbers", {12: "๑๒"}),
        ("thaiLetters", {1: "ก"}),
        ("none", {1: ""}),
        ("unheardOf", {5: "5"}),
    ],
)
def test_it_writes(form: str, numerals: dict[int, str]) -> None:
    assert {number: word_numerals.written(number, form) for number in numerals} == numerals


@pytest.mark.parametrize(("sample", "said"), [("001, 002, 003, ...", "007"), ("00001, ...", "00007"), ("", "7")])
def test_a_custom_format_has_the_width_of_its_sample(sample: str, said: str) -> None:
    assert word_numerals.written(7, "custom", sample) == said


@given(st.sampled_from(sorted(word_numerals.FORMS)), st.integers(-(10**9), 10**9))
def test_every_number_is_written_and_none_goes_on_for_ever(form: str, number: int) -> None:
    assert 0 < len(word_numerals.written(number, form)) < 10_000
