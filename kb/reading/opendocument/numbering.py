"""The numbers before headings and items of lists in OpenDocument texts: counted, as the file does not hold them."""

from collections.abc import Iterable
from dataclasses import dataclass

from lxml import etree

from kb.reading import parts
from kb.reading.opendocument.markup import STYLE, TEXT

BULLET = "-"

_LEVELS = 10
_ROMAN = (
    (1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"),
    (50, "l"), (40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"),
)  # fmt: skip
_LARGEST = 3_999
"""Roman numerals go no further, and letters become a row of one letter."""


@dataclass(frozen=True, slots=True)
class Level:
    """How one level is numbered; without a form it has a bullet, or nothing where it is a heading's."""

    form: str
    before: str
    after: str
    start: int
    shown: int
    """How many levels the number shows, its own last: 3.2.1 has three."""


def levels(style: etree._Element) -> dict[int, Level]:
    """The levels of a list style or of the outline style, from 1."""
    found = {}
    for one in style:
        number = parts.whole(one.get(f"{TEXT}level", ""), 0)
        if 1 <= number <= _LEVELS:
            found[number] = Level(
                one.get(f"{STYLE}num-format", ""),
                one.get(f"{STYLE}num-prefix", ""),
                one.get(f"{STYLE}num-suffix", ""),
                parts.whole(one.get(f"{TEXT}start-value", ""), 1),
                parts.whole(one.get(f"{TEXT}display-levels", ""), 1),
            )
    return found


class Counter:
    """Where the numbering of one list, or of the headings, has come to."""

    def __init__(self, levels: dict[int, Level]) -> None:
        self._levels = levels
        self._counts: dict[int, int] = {}

    def next(self, level: int, *, start: str = "") -> str:
        """The label of the next item on a level, which may start anew; empty where the level shows none."""
        known = self._levels.get(level)
        first = known.start if known else 1
        count = parts.whole(start, 1) if start else self._counts.get(level, first - 1) + 1
        self._counts = {**{one: at for one, at in self._counts.items() if one < level}, level: count}
        return self._label(level, known) if known and known.form else ""

    def _label(self, level: int, known: Level) -> str:
        return (
            f"{known.before}{'.'.join(self._numbers(range(max(1, level - known.shown + 1), level + 1)))}{known.after}"
        )

    def _numbers(self, levels: Iterable[int]) -> Iterable[str]:
        for level in levels:
            known = self._levels.get(level)
            if known and known.form:
                yield _written(self._counts.get(level, known.start), known.form)


def _written(number: int, form: str) -> str:
    """Forms other than letters and Roman numerals are written in digits."""
    if form.lower() not in ("a", "i") or not 1 <= number <= _LARGEST:
        return str(number)
    if form.lower() == "a":
        rounds, at = divmod(number - 1, 26)
        letters = chr(ord("a") + at) * (rounds + 1)
    else:
        letters = ""
        for value, sign in _ROMAN:
            letters += sign * (number // value)
            number %= value
    return letters if form.islower() else letters.upper()
