"""Right-to-left text in the order it is read.

PDF files hold glyphs, some in the order they are read, some from left to right as they stand on the page, often both in
one line. PDFium puts most words in order, moves numbers and names of other scripts to where they do not belong, and
turns brackets round. Where the characters stand on the page tells the order for certain.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import regex
from msgspec import Struct

_LEFTWARD = r"\p{Arabic}\p{Hebrew}\p{Syriac}\p{Thaana}"
_RUN = regex.compile(rf"[[{_LEFTWARD}]&&[\p{{L}}\p{{M}}]]{{2,}}", regex.V1)
_LEFTWARD_LETTER = regex.compile(rf"[[{_LEFTWARD}]&&\p{{L}}]", regex.V1)
_LETTER = regex.compile(r"\p{L}")
_MARK = regex.compile(r"\p{M}")


def _rightward(separators: str) -> "regex.Pattern[str]":
    """Within a right-to-left line: words of other scripts with all between them, and numbers one by one."""
    number = rf"[$€£₪]?\p{{Nd}}++(?:[{separators}]\p{{Nd}}++)*+[%‰°]?"
    other = rf"[\p{{L}}--[{_LEFTWARD}]]"
    return regex.compile(
        rf"(?:{number})?{other}(?:[^{_LEFTWARD}]*(?:{other}|[\p{{Nd}}--[{_LEFTWARD}]]))?|{number}", regex.V1
    )


_ARABIC = regex.compile(r"\p{Arabic}")
# A hyphen is part of a number beside Hebrew, not beside Arabic (Unicode Standard Annex 9, rules W2 and W4).
_BESIDE_ARABIC = _rightward(r".,:/٫٬")
_BESIDE_OTHERS = _rightward(r".,:/\-−+")

_BRACKET = regex.compile(r"[()\[\]{}]")
_OTHER_SIDE = str.maketrans("()[]{}", ")(][}{")
_OPENS = regex.compile(r"(?<=^|[\s\p{Ps}\p{Pd}\p{Pi}])[)\]}](?=[\p{L}\p{N}])")
_CLOSES = regex.compile(r"(?<=[\p{L}\p{M}\p{N}.%])[(\[{](?=$|[\s\p{Po}\p{Pe}\p{Pf}])")

_FAR = 1e9

_TURNED = ("ال", "أل", "إل", "آل", "هلل")
"""Letters of one glyph that is never drawn: these stand the other way round."""

Left = float | None
"""The left edge of a character on the page, None where it has no place."""

Span = tuple[float, float] | None
"""The left and right edges of a character on the page, None where it has no place."""


class _Glyph(Struct):
    """Characters that stand at one place, with the marks upon them."""

    letters: str
    left: float
    right: float
    word: int
    """The how-manieth of the line it belongs to, by the spaces in it."""

    def distance(self, other: "_Glyph") -> float:
        """How far to the right another begins: 0 where this one's middle is upon it, far where it is to the left."""
        if other.left <= self.centre <= other.right:
            return 0.0
        return other.left - self.centre if other.left > self.centre else _FAR

    @property
    def is_of_word(self) -> bool:
        return self.letters[0].isalnum()

    @property
    def centre(self) -> float:
        return (self.left + self.right) / 2


def is_leftward(words: str) -> bool:
    """Whether most letters are read from right to left."""
    return 2 * len(_LEFTWARD_LETTER.findall(words)) > len(_LETTER.findall(words))


def leftwards(line: str, spans: Sequence[Span]) -> str:
    """The characters of a line that is read from right to left, whatever order they come in.

    `spans` are their edges on the page. Numbers and words of other scripts within the line are read from left to right.
    """
    glyphs = _spaced(sorted(_drawn(line, spans), key=lambda glyph: glyph.centre), len(line.split()) - 1)
    shown = "".join(glyph.letters[0] for glyph in glyphs)
    pieces: list[str] = []
    at = 0
    for start, end in _rightward_runs(shown):
        pieces += (glyph.letters for glyph in glyphs[at:start])
        pieces.append("".join(glyph.letters for glyph in glyphs[start:end]))
        at = end
    pieces += (glyph.letters for glyph in glyphs[at:])
    words = "".join(reversed(pieces))
    return _CLOSES.sub(_mirrored, _OPENS.sub(_mirrored, words))


def _spaced(glyphs: Sequence[_Glyph], count: int) -> list[_Glyph]:
    """Glyphs from left to right with so many spaces put into the widest gaps between words.

    PDFium knows how many there are, and confuses them with the brackets and stops beside them.
    """
    gaps = [
        (right.left - left.right, index)
        for index, (left, right) in enumerate(pairwise(glyphs), start=1)
        if left.word != right.word or not (left.is_of_word and right.is_of_word)
    ]
    before = {index for _gap, index in sorted(gaps, reverse=True)[:count]}
    spaced: list[_Glyph] = []
    for index, glyph in enumerate(glyphs):
        if index in before:
            spaced.append(_Glyph(" ", glyph.left, glyph.left, glyph.word))
        spaced.append(glyph)
    return spaced


def _rightward_runs(shown: str) -> Iterator[tuple[int, int]]:
    """What is read from left to right in a line as it stands on the page, with the bracket that ends it."""
    pattern = _BESIDE_ARABIC if _ARABIC.search(shown) else _BESIDE_OTHERS
    for run in pattern.finditer(shown):
        start, end = run.span()
        is_open = len(_BRACKET.findall(run.group())) % 2 == 1
        yield start, end + (is_open and _BRACKET.match(shown, end) is not None)


def _mirrored(bracket: "regex.Match[str]") -> str:
    return bracket.group().translate(_OTHER_SIDE)


def _drawn(line: str, spans: Sequence[Span]) -> list[_Glyph]:
    """The glyphs of a line, each with its letters; what has no place stays with the one before it."""
    glyphs = [_Glyph("", _FAR, _FAR, 0)]
    marks: list[_Glyph] = []
    word = 0
    for letter, span in zip(line, spans, strict=True):
        if letter.isspace():
            word += 1
        elif span is None or (glyphs[-1].left, glyphs[-1].right, glyphs[-1].word) == (*span, word):
            glyphs[-1].letters += letter
        elif _MARK.match(letter):
            marks.append(_Glyph(letter, *span, word))
        else:
            glyphs.append(_Glyph(letter, *span, word))
    # A mark of a font's own stands upon its letter; one of a glyph for both is given the left part of it.
    for mark in marks:
        under = min((glyph for glyph in glyphs if glyph.word == mark.word), key=mark.distance, default=glyphs[0])
        under.letters += mark.letters
    for glyph in glyphs:
        if glyph.letters in _TURNED:
            glyph.letters = glyph.letters[::-1]
    return [glyph for glyph in glyphs if glyph.letters]


def in_reading_order(line: str, lefts: Sequence[Left]) -> str:
    """The line with those right-to-left words turned round whose letters run from left to right.

    `lefts` are the left edges of its characters. Letters of one edge are one glyph, and stay as they are.
    """
    turned = list(line)
    for run in _RUN.finditer(line):
        start, end = run.span()
        if _runs_rightwards(lefts[start:end]):
            turned[start:end] = [line[i] for glyph in reversed(list(_glyphs(lefts, start, end))) for i in glyph]
    return "".join(turned)


def _runs_rightwards(lefts: Sequence[Left]) -> bool:
    """Whether most steps from letter to letter lead to the right."""
    placed = [left for left in lefts if left is not None]
    steps = [after - before for before, after in pairwise(placed) if after != before]
    return sum(step > 0 for step in steps) * 2 > len(steps)


def _glyphs(lefts: Sequence[Left], start: int, end: int) -> Iterator[range]:
    first = start
    for index in range(start + 1, end + 1):
        if index == end or lefts[index] is None or lefts[index] != lefts[first]:
            yield range(first, index)
            first = index
