"""A section's text put together from pieces, each of which knows where it stands."""

import unicodedata

import regex
from msgspec.structs import replace

from kb.reading import text
from kb.reading.sections import Box, Cell, Kind, Mark, Section

# Scripts that put no space between words, and the full-width punctuation that carries its own.
_UNSPACED = regex.compile(
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Bopomofo}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}ー々〆\u3000-\u303f\uff00-\uffef]"
)
# What Chinese shares with Latin: it tells nothing by itself.
_SHARED_PUNCTUATION = regex.compile(r"[‘’“”·—…]")
_FULL_WIDTH_PUNCTUATION = regex.compile(r"[\u3000-\u303f\uff00-\uffef&&\p{P}]", regex.VERSION1)


def joint(before: str, after: str) -> str:
    """What a line break between these two characters stands for: a space, or nothing in a script without spaces."""
    if _UNSPACED.match(before) and _UNSPACED.match(after):
        return ""
    if _FULL_WIDTH_PUNCTUATION.match(before) or _FULL_WIDTH_PUNCTUATION.match(after):
        return ""
    if _SHARED_PUNCTUATION.match(before) and _UNSPACED.match(after):
        return ""
    if _UNSPACED.match(before) and _SHARED_PUNCTUATION.match(after):
        return ""
    return " "


class Composition:
    """Text in the making. Every piece is cleaned before it is counted, so that marks never move."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._marks: list[Mark] = []
        self._length = 0

    def __bool__(self) -> bool:
        return bool(self._pieces)

    @property
    def ends(self) -> str:
        """The last character so far; empty where there is none."""
        return self._pieces[-1][-1] if self._pieces else ""

    def add(
        self, piece: str, unit: int, *, box: Box | None = None, cell: Cell | None = None, between: str = ""
    ) -> None:
        """Append a piece that stands at a unit (and box or cell) of the file, after what stands `between`."""
        piece = text.clean(piece)
        if not piece:
            return
        if self._pieces:
            self._append(_kept_apart(self.ends, between, piece))
        self._marks.append(Mark(self._length, self._length + len(piece), unit, box, cell))
        self._append(piece)

    def go_on(self, piece: str, *, between: str = "") -> None:
        """Append a piece that stands where the one before it does: one mark is for both."""
        piece = text.clean(piece)
        if piece:
            self._append(_kept_apart(self.ends, between, piece))
            self._append(piece)
            self._marks[-1] = replace(self._marks[-1], end=self._length)

    def section(self, kind: Kind, path: tuple[str, ...] = (), *, context: str = "") -> Section:
        """The whole of it."""
        return Section("".join(self._pieces), kind, path, tuple(self._marks), context)

    def _append(self, piece: str) -> None:
        if piece:
            self._pieces.append(piece)
            self._length += len(piece)


def _kept_apart(before: str, between: str, after: str) -> str:
    """Two clean pieces may combine where they meet (a letter and its accent): a space keeps the whole clean, and with
    it every offset."""
    if between:
        return between
    combines = unicodedata.combining(after[0]) or text.clean(before + after[0]) != before + after[0]
    return " " if combines else ""
