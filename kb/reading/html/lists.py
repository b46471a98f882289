"""Lists as they are shown: what stands before an item."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

_ROMAN = {
    "m": 1000, "cm": 900, "d": 500, "cd": 400, "c": 100, "xc": 90, "l": 50, "xl": 40, "x": 10, "ix": 9, "v": 5,
    "iv": 4, "i": 1,
}  # fmt: skip
_ROMAN_MOST = 3_999


@dataclass
class List:
    """An open list. `item` says that what comes now is an item of it, and not the term of a definition."""

    write: Callable[[int], str] | None = None
    number: int = 1
    step: int = 1
    item: bool = True

    def marker(self, attributes: Mapping[str, str]) -> str:
        """What stands before the next item."""
        if self.write is None:
            return "- "
        number = _whole(attributes.get("value"), self.number)
        self.number = number + self.step
        return f"{_WRITERS.get(attributes.get('type', ''), self.write)(number)}. "


def opened(name: str, attributes: Mapping[str, str]) -> List:
    """A list of this name; an ordered one counts as its attributes say (HTML Standard, 4.4.5)."""
    if name != "ol":
        return List(item=name != "dl")
    step = -1 if "reversed" in attributes else 1
    return List(_WRITERS.get(attributes.get("type", ""), str), _whole(attributes.get("start"), 1), step)


def _whole(said: str | None, otherwise: int) -> int:
    if said is None:
        return otherwise
    digits = said.strip()
    return int(digits) if digits.removeprefix("-").isdecimal() and len(digits) < 10 else otherwise


def _letters(number: int) -> str:
    if number < 1:
        return str(number)
    letters = ""
    while number:
        number, letter = divmod(number - 1, 26)
        letters = chr(ord("a") + letter) + letters
    return letters


def _roman(number: int) -> str:
    if not 1 <= number <= _ROMAN_MOST:
        return str(number)
    numeral = ""
    for letters, value in _ROMAN.items():
        count, number = divmod(number, value)
        numeral += letters * count
    return numeral


_WRITERS: dict[str, Callable[[int], str]] = {
    "1": str,
    "a": _letters,
    "A": lambda number: _letters(number).upper(),
    "i": _roman,
    "I": lambda number: _roman(number).upper(),
}
