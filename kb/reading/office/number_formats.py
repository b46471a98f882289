"""Numbers of a spreadsheet as people read them: by their format codes (ECMA-376, part 1, 18.8.30 and 18.8.31)."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache
from math import isfinite

BUILT_IN = {
    1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 11: "0.00E+00",
    **dict.fromkeys((14, 15, 16, 17), "yyyy-mm-dd"), **dict.fromkeys((18, 20), "h:mm"),
    **dict.fromkeys((19, 21), "h:mm:ss"), 22: "yyyy-mm-dd h:mm",
    **dict.fromkeys((*range(27, 32), 36, *range(50, 55), 57, 58), "yyyy-mm-dd"),
    **dict.fromkeys((32, 34, 55), "h:mm"), **dict.fromkeys((33, 35, 56), "h:mm:ss"),
    37: "#,##0;(#,##0)", 38: "#,##0;(#,##0)", 39: "#,##0.00;(#,##0.00)", 40: "#,##0.00;(#,##0.00)",
    41: "#,##0;-#,##0", 42: "#,##0;-#,##0", 43: "#,##0.00;-#,##0.00", 44: "#,##0.00;-#,##0.00",
    45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss", 48: "0.0E+0", 49: "@",
}  # fmt: skip
"""The codes that a file may use by number alone; those that depend on the reader's country are given in one way."""

_DIGITS = 15
"""As many as a spreadsheet keeps; what more a float has is noise."""

_DECIMALS_MOST = 12
"""With 15 digits before them still fewer than the 28 that decimal arithmetic has."""

_PERCENTS_MOST = 3
_LARGEST = 10**_DIGITS
_UNITS = [Decimal(1).scaleb(-decimals) for decimals in range(_DECIMALS_MOST + 1)]

_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|[_*].|\[\$(?P<symbol>[^\]-]*)[^\]]*\]|\[[^\]]*\]'
    r"|(?P<digit>[#0?.,/]|E[+-])|(?P<general>General)|(?P<other>.)",
    re.DOTALL,
)
_PATTERN = re.compile(r"(?P<whole>[#0?,]*?)(?:\.(?P<decimals>[#0?]*))?(?P<scale>,*)(?P<exponent>E[+-][#0?]+)?")
_SECTION = re.compile(r'(?:"[^"]*"|\\.|\[[^\]]*\]|[^;])+|(?<=;)(?=;|$)|^(?=;)', re.DOTALL)
_CONDITION = re.compile(r"\[[<>=]")

_NOT_A_MOMENT = re.compile(
    r'"[^"]*"|\\.|[_*].|\[(?!(?:h+|m+|s+)\])[^\]]*\]|AM/PM|A/P|General|E[+-]', re.IGNORECASE | re.DOTALL
)
_ELAPSED = re.compile(r"\[[hms]+\]")

_EPOCH = datetime(1899, 12, 30)
_EPOCH_1904 = datetime(1904, 1, 1)
_DAYS = 2_958_466
"""The first serial after 31 December 9999, where the calendar of a spreadsheet ends."""

_LEAP_DAY = 60
"""Serial 60 is 29 February 1900, a day that never was: those before it count from one day later."""


@lru_cache(maxsize=10_000)
def shown(value: str, code: str, *, from_1904: bool = False) -> str:
    """A stored number as its format shows it; days and times in ISO's order, which every country reads alike.

    A format with more than literals, digits, percents, exponents, days and times is passed over, and the number given
    plainly. What is no number comes back unchanged.
    """
    try:
        number = Decimal(value)
    except InvalidOperation:
        return value
    if not number.is_finite() or not isfinite(float(number)):
        return value
    number = Decimal(f"{number:.{_DIGITS}g}")
    moment = _moment(code)
    if moment is None:
        return _by_sections(number, code)
    return moment.shown(number, from_1904=from_1904) or _plain(number)


def _plain(number: Decimal) -> str:
    if number == number.to_integral_value():
        return f"{number:f}" if abs(number) < _LARGEST else f"{float(number):.6g}"
    return f"{float(number):.10g}"


@dataclass(frozen=True, slots=True)
class _Moment:
    """What a code shows of a day and a time."""

    day: bool
    time: bool
    seconds: bool
    elapsed: bool

    def shown(self, number: Decimal, *, from_1904: bool) -> str:
        """Empty for what the calendar does not have."""
        seconds = round(number * 86_400)
        if self.elapsed:
            return self._duration(seconds)
        if not 0 <= number < _DAYS:
            return ""
        moment = self._epoch(number, from_1904=from_1904) + timedelta(seconds=seconds)
        day = f"{moment:%Y-%m-%d}" if self.day else ""
        time = (f"{moment:%H:%M:%S}" if self.seconds else f"{moment:%H:%M}") if self.time else ""
        return f"{day} {time}".strip()

    def _duration(self, seconds: int) -> str:
        minutes, second = divmod(abs(seconds), 60)
        hours, minute = divmod(minutes, 60)
        sign = "-" if seconds < 0 else ""
        return f"{sign}{hours}:{minute:02}" + (f":{second:02}" if self.seconds else "")

    def _epoch(self, number: Decimal, *, from_1904: bool) -> datetime:
        if from_1904:
            return _EPOCH_1904
        return _EPOCH if number >= _LEAP_DAY else _EPOCH + timedelta(days=1)


@lru_cache(maxsize=1_000)
def _moment(code: str) -> _Moment | None:
    """None for a code that shows no day and no time."""
    letters = set(_NOT_A_MOMENT.sub("", code.partition(";")[0]).lower())
    if not letters & set("ymdhseg"):
        return None
    time = bool(letters & set("hs"))
    day = bool(letters & set("ydeg")) or not time
    return _Moment(day, time, seconds="s" in letters, elapsed=_ELAPSED.search(code.lower()) is not None)


def _by_sections(number: Decimal, code: str) -> str:
    """Up to three sections of a code are for numbers above zero, below it and for zero."""
    sections = _sections(code)
    if not code or _CONDITION.search(code):
        return _plain(number)
    if number < 0 and len(sections) > 1:
        return _pictured(-number, sections[1])
    if number == 0 and len(sections) > 2:
        return _pictured(number, sections[2])
    return _pictured(number, sections[0])


@lru_cache(maxsize=1_000)
def _sections(code: str) -> list[str]:
    return _SECTION.findall(code)


def _pictured(number: Decimal, section: str) -> str:
    picture = _picture(section)
    if picture is None:
        return _plain(number)
    digits = picture.digits(abs(number))
    # What is rounded to nothing is below nothing no more.
    sign = "-" if number < 0 and digits.strip("0.,") else ""
    return f"{sign}{picture.before}{digits}{picture.after}".strip()


@dataclass(frozen=True, slots=True)
class _Pattern:
    """How digits are written: at least so many before the point, so many behind it, of which the first `kept` stay
    though they be zeros."""

    least: int
    decimals: int
    kept: int
    grouped: bool
    thousands: int
    exponent: bool

    def written(self, number: Decimal) -> str:
        """A number that is not below zero."""
        if self.exponent:
            return f"{float(number):.{self.decimals}E}"
        if number >= _LARGEST:
            return _plain(number)
        if self.thousands:
            number /= 1_000**self.thousands
        number = number.quantize(_UNITS[self.decimals], ROUND_HALF_UP)
        whole, _point, fraction = (f"{number:,f}" if self.grouped else f"{number:f}").partition(".")
        if self.kept < self.decimals:
            fraction = fraction[: self.kept] + fraction[self.kept :].rstrip("0")
        if len(whole) < self.least:
            whole = whole.zfill(self.least)
        if fraction:
            return f"{whole}.{fraction}"
        return "" if whole == "0" and not self.least else whole


@dataclass(frozen=True, slots=True)
class _Picture:
    """Literals around one pattern of digits. `plain` is the number as it is; without either it is not shown, as in
    `;;;`."""

    before: str
    after: str
    percents: int
    pattern: _Pattern | None
    plain: bool

    def digits(self, number: Decimal) -> str:
        """A number that is not below zero, without its literals."""
        if self.percents:
            number *= 100**self.percents
        if self.pattern is not None:
            return self.pattern.written(number)
        return _plain(number) if self.plain else ""


@lru_cache(maxsize=1_000)
def _picture(section: str) -> _Picture | None:
    """None for what has digits in several places, as a telephone number has."""
    before = after = digits = ""
    percents = 0
    plain = False
    for token in _TOKEN.finditer(section):
        if digit := token["digit"]:
            if after:
                return None
            digits += digit
        elif token["general"] or token["other"] == "@":
            plain = True
        else:
            percents += token["other"] == "%"
            literal = token["quoted"] or token["escaped"] or token["symbol"] or token["other"] or ""
            if digits or plain:
                after += literal
            else:
                before += literal
    found = _PATTERN.fullmatch(digits) if digits else None
    if digits and (plain or found is None):
        return None
    return _Picture(before, after, min(percents, _PERCENTS_MOST), _pattern(found) if found else None, plain)


def _pattern(found: re.Match[str]) -> _Pattern:
    decimals = (found["decimals"] or "")[:_DECIMALS_MOST]
    return _Pattern(
        least=min(found["whole"].count("0"), _DIGITS),
        decimals=len(decimals),
        kept=decimals.count("0"),
        grouped="," in found["whole"],
        thousands=min(len(found["scale"]), _DIGITS),
        exponent=found["exponent"] is not None,
    )
