"""Numbers as Word writes them in lists: the formats of ST_NumberFormat (ECMA-376 part 1, 17.18.59)."""

import re
from collections.abc import Callable, Sequence
from functools import partial

_HIGHEST = 32_767
"""The largest number that Word counts to. Beyond it, a file means to make letters and Roman numerals without end."""

Numeral = Callable[[int], str]


def written(number: int, form: str, sample: str = "") -> str:
    """The number in this format; `sample` is what `custom` goes by ("001, 002, ..."). Decimal where the format has no
    sign for it."""
    if form in ("none", "bullet"):
        return ""
    if form == "custom":
        return str(number).zfill(len(_FIRST_OF_SAMPLE.match(sample)[0]))  # type: ignore[index]  # it matches anything
    if form not in FORMS or not 0 <= number <= _HIGHEST:
        return str(number)
    return FORMS[form](number) or str(number)


_FIRST_OF_SAMPLE = re.compile(r"\d*")


def _decimal(number: int, *, digits: str = "0123456789") -> str:
    return "".join(digits[int(digit)] for digit in str(number))


def _taken(number: int, *, signs: Sequence[str], first: int = 1) -> str:
    """The sign for a number where each number has one of its own."""
    return signs[number - first] if first <= number < first + len(signs) else ""


def _repeated(number: int, *, letters: str) -> str:
    """z, aa, bb: past its end an alphabet begins again with every letter twice."""
    if not number:
        return ""
    rounds, at = divmod(number - 1, len(letters))
    return letters[at] * (rounds + 1)


def _around(number: int, *, letters: str) -> str:
    """ン, ア: past its end it begins again."""
    return letters[(number - 1) % len(letters)] if number else ""


def _roman(number: int) -> str:
    said = ""
    for value, letters in _ROMAN:
        count, number = divmod(number, value)
        said += letters * count
    return said


_ROMAN = (
    (1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"),
    (50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"),
)  # fmt: skip


def _hebrew(number: int) -> str:
    """Letters that count 1 to 9, 10 to 90 and 100 to 400, added up, largest first."""
    if not 0 < number < 1_000:
        return ""
    hundreds, rest = divmod(number, 100)
    tens, ones = divmod(rest, 10)
    said = _HEBREW[-1] * (hundreds // 4) + (_HEBREW[17 + hundreds % 4] if hundreds % 4 else "")
    said += (_HEBREW[8 + tens] if tens else "") + (_HEBREW[ones - 1] if ones else "")
    # 15 and 16 would spell a name of God.
    return said.replace("יה", "טו").replace("יו", "טז")


def _counted(
    number: int, *, digits: str, units: str, one_before: int = 10, zero: str = "", ten_alone: bool = False
) -> str:
    """A number in East Asian words. The digit one is written before units from `one_before` on; `zero` stands for the
    places left out between others; with `ten_alone`, 10 to 19 begin with the unit itself."""
    if not 0 < number < 10_000 * 10:
        return digits[0] if number == 0 else ""
    said, gap = "", False
    for power in range(4, -1, -1):
        digit = number // 10**power % 10
        if not digit:
            gap = bool(said)
            continue
        said += zero if gap else ""
        gap = False
        bare = power and digit == 1 and (10**power < one_before or (ten_alone and power == 1 and number < 20))
        said += ("" if bare else digits[digit]) + (units[power - 1] if power else "")
    return said


def _below_hundred(number: int) -> str:
    """一, 十一, 九十九, then digit by digit: 一○○."""
    if number < 100:
        return _counted(number, digits=_CHINESE_CIRCLED, units="十百千万", ten_alone=True)
    return _decimal(number, digits=_CHINESE_CIRCLED)


def _sexagenary(number: int) -> str:
    return _around(number, letters=_STEMS) + _around(number, letters=_BRANCHES) if number else ""


def _korean_native(number: int) -> str:
    tens, ones = divmod(number, 10)
    return _KOREAN_TENS[tens] + _KOREAN_ONES[ones] if 0 < number < 100 else ""


def _english(number: int) -> str:
    if number < 20:
        return _ONES[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return _TENS[tens] + (f"-{_ONES[ones]}" if ones else "")
    if number < 1_000:
        hundreds, rest = divmod(number, 100)
        return f"{_ONES[hundreds]} hundred" + (f" {_english(rest)}" if rest else "")
    thousands, rest = divmod(number, 1_000)
    return f"{_english(thousands)} thousand" + (f" {_english(rest)}" if rest else "")


def _english_ordinal(number: int) -> str:
    said = _english(number)
    last = re.split("[ -]", said)[-1]
    changed = _ORDINALS.get(last) or (f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th")
    return said.removesuffix(last) + changed


def _ordinal(number: int) -> str:
    ending = "th" if number // 10 % 10 == 1 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


# fmt: off
_ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth",
}
_STEMS, _BRANCHES = "甲乙丙丁戊己庚辛壬癸", "子丑寅卯辰巳午未申酉戌亥"
_CHINESE, _CHINESE_CIRCLED = "〇一二三四五六七八九", "○一二三四五六七八九"
_HEBREW = "אבגדהוזחטיכלמנסעפצקרשת"
_AIUEO = "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワヲン"
_AIUEO_HALF = "ｱｲｳｴｵｶｷｸｹｺｻｼｽｾｿﾀﾁﾂﾃﾄﾅﾆﾇﾈﾉﾊﾋﾌﾍﾎﾏﾐﾑﾒﾓﾔﾕﾖﾗﾘﾙﾚﾛﾜｦﾝ"
_IROHA = "イロハニホヘトチリヌルヲワカヨタレソツネナラムウヰノオクヤマケフコエテアサキユメミシヱヒモセスン"
_IROHA_HALF = "ｲﾛﾊﾆﾎﾍﾄﾁﾘﾇﾙｦﾜｶﾖﾀﾚｿﾂﾈﾅﾗﾑｳヰﾉｵｸﾔﾏｹﾌｺｴﾃｱｻｷﾕﾒﾐｼヱﾋﾓｾｽﾝ"
_KOREAN_ONES = ("", "하나", "둘", "셋", "넷", "다섯", "여섯", "일곱", "여덟", "아홉")
_KOREAN_TENS = ("", "열", "스물", "서른", "마흔", "쉰", "예순", "일흔", "여든", "아흔")
_RUSSIAN = "абвгдежзиклмнопрстуфхцчшщэюя"
_THAI_LETTERS = "กขคงจฉชซฌญฎฏฐฑฒณดตถทธนบปผฝพฟภมยรลวศษสหฬอฮ"
_CIRCLES = "①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳"

FORMS: dict[str, Numeral] = {
    "decimal": str,
    "decimalHalfWidth": str,
    "decimalZero": lambda number: f"{number:02}",
    "decimalFullWidth": partial(_decimal, digits="０１２３４５６７８９"),
    "decimalFullWidth2": partial(_decimal, digits="０１２３４５６７８９"),
    "decimalEnclosedCircle": partial(_taken, signs=_CIRCLES),
    "decimalEnclosedCircleChinese": partial(_taken, signs=_CIRCLES),
    "decimalEnclosedFullstop": partial(_taken, signs="⒈⒉⒊⒋⒌⒍⒎⒏⒐⒑⒒⒓⒔⒕⒖⒗⒘⒙⒚⒛"),
    "decimalEnclosedParen": partial(_taken, signs="⑴⑵⑶⑷⑸⑹⑺⑻⑼⑽⑾⑿⒀⒁⒂⒃⒄⒅⒆⒇"),
    "numberInDash": lambda number: f"- {number} -",
    "hex": lambda number: f"{number:X}",
    "ordinal": _ordinal,
    "cardinalText": lambda number: _english(number).capitalize(),
    "ordinalText": lambda number: _english_ordinal(number).capitalize(),
    "chicago": partial(_repeated, letters="*†‡§"),
    "upperRoman": _roman,
    "lowerRoman": lambda number: _roman(number).lower(),
    "upperLetter": partial(_repeated, letters="ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    "lowerLetter": partial(_repeated, letters="abcdefghijklmnopqrstuvwxyz"),
    "russianUpper": partial(_repeated, letters=_RUSSIAN.upper()),
    "russianLower": partial(_repeated, letters=_RUSSIAN),
    # Chinese
    "chineseCounting": _below_hundred,
    "chineseCountingThousand": partial(_counted, digits=_CHINESE, units="十百千万", zero="零", ten_alone=True),
    "chineseLegalSimplified": partial(_counted, digits="零壹贰叁肆伍陆柒捌玖", units="拾佰仟萬", zero="零"),
    "taiwaneseCounting": _below_hundred,
    "taiwaneseCountingThousand": partial(_counted, digits=_CHINESE, units="十百千萬", zero="零", ten_alone=True),
    "taiwaneseDigital": partial(_decimal, digits=_CHINESE_CIRCLED),
    "ideographDigital": partial(_decimal, digits=_CHINESE),
    "ideographTraditional": partial(_around, letters=_STEMS),
    "ideographZodiac": partial(_around, letters=_BRANCHES),
    "ideographZodiacTraditional": _sexagenary,
    "ideographLegalTraditional": partial(_counted, digits="零壹貳參肆伍陸柒捌玖", units="拾佰仟萬", zero="零"),
    "ideographEnclosedCircle": partial(_taken, signs="㊀㊁㊂㊃㊄㊅㊆㊇㊈㊉"),
    # Japanese
    "japaneseCounting": partial(_counted, digits=_CHINESE, units="十百千万", one_before=10_000),
    "japaneseLegal": partial(_counted, digits="〇壱弐参四伍六七八九", units="拾百阡萬"),
    "japaneseDigitalTenThousand": partial(_decimal, digits=_CHINESE),
    "aiueo": partial(_around, letters=_AIUEO_HALF),
    "aiueoFullWidth": partial(_around, letters=_AIUEO),
    "iroha": partial(_around, letters=_IROHA_HALF),
    "irohaFullWidth": partial(_around, letters=_IROHA),
    # Korean
    "ganada": partial(_around, letters="가나다라마바사아자차카타파하"),
    "chosung": partial(_around, letters="ㄱㄴㄷㄹㅁㅂㅅㅇㅈㅊㅋㅌㅍㅎ"),
    "koreanDigital": partial(_decimal, digits="영일이삼사오육칠팔구"),
    "koreanDigital2": partial(_decimal, digits="零一二三四五六七八九"),
    "koreanCounting": partial(_counted, digits="영일이삼사오육칠팔구", units="십백천만", one_before=10_000),
    "koreanLegal": _korean_native,
    # Hebrew, Arabic
    "hebrew1": _hebrew,
    "hebrew2": partial(_repeated, letters=_HEBREW),
    "arabicAlpha": partial(_around, letters="أبتثجحخدذرزسشصضطظعغفقكلمنهوي"),
    "arabicAbjad": partial(_around, letters="أبجدهوزحطيكلمنسعفصقرشتثخذضظغ"),
    # South and South-East Asia
    "hindiNumbers": partial(_decimal, digits="०१२३४५६७८९"),
    "hindiCounting": partial(_taken, signs=["एक", "दो", "तीन", "चार", "पाँच", "छः", "सात", "आठ", "नौ", "दस"]),
    "thaiLetters": partial(_repeated, letters=_THAI_LETTERS),
    "thaiNumbers": partial(_decimal, digits="๐๑๒๓๔๕๖๗๘๙"),
    "thaiCounting": partial(_taken, signs=["หนึ่ง", "สอง", "สาม", "สี่", "ห้า", "หก", "เจ็ด", "แปด", "เก้า", "สิบ"]),
    "vietnameseCounting": partial(
        _taken, signs=("một", "hai", "ba", "bốn", "năm", "sáu", "bảy", "tám", "chín", "mười")
    ),
}
# fmt: on
