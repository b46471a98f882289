"""The lines of text on a PDF page, each with its box on the page as displayed."""

import ctypes
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pypdfium2
import pypdfium2.raw as pdfium
import regex

from kb.reading import pdf_bidi, text
from kb.reading.sections import Box

_LINE_ENDS = (0x0A, 0x0D)
_HYPHEN = 0x02
"""What PDFium gives for a hyphen at the end of a line (FPDFText_IsHyphen), in place of hyphen and line end."""

_RIGHT_TO_LEFT = regex.compile(r"[\p{Arabic}\p{Hebrew}\p{Syriac}\p{Thaana}]")
_LETTER = regex.compile(r"\p{L}")


@dataclass(frozen=True, slots=True)
class Line:
    """Clean text, not empty. Lengths are points from the top left of the page as displayed."""

    text: str
    box: Box
    baseline: float
    height: float
    """Of its font, from descent to ascent."""

    hyphenated: bool
    """It ended in a hyphen, left out of `text`: the word goes on in the next line."""

    @property
    def begin(self) -> float:
        """How far from the side of the page where reading begins; only differences mean anything."""
        return -self.box[2] if self._is_right_to_left() else self.box[0]

    @property
    def end(self) -> float:
        """The same for where the line ends."""
        return -self.box[0] if self._is_right_to_left() else self.box[2]

    def _is_right_to_left(self) -> bool:
        letter = _LETTER.search(self.text)
        return bool(letter and _RIGHT_TO_LEFT.match(letter.group()))


Displayed = Callable[[float, float], tuple[float, float]]
"""From a point in the page's own space to one on the page as displayed."""


def displayed(page: pypdfium2.PdfPage) -> Displayed:
    """How the crop box and the rotation of a page move its points."""
    left, bottom, right, top = page.get_bbox()
    turned: dict[int, Displayed] = {
        0: lambda x, y: (x - left, top - y),
        90: lambda x, y: (y - bottom, x - left),
        180: lambda x, y: (right - x, y - bottom),
        270: lambda x, y: (top - y, right - x),
    }
    return turned[page.get_rotation()]


def lines(page: pypdfium2.PdfPage) -> list[Line]:
    """The lines of a page in the order of its content; what lies outside the displayed page is left out."""
    characters = page.get_textpage()
    place = displayed(page)
    width, height = page.get_size()
    found = (_line(characters, first, last, place=place) for first, last in _ranges(characters))
    shown = [line for line in found if line and _overlaps(line.box, width, height)]
    characters.close()
    return shown


def _ranges(characters: pypdfium2.PdfTextPage) -> Iterator[tuple[int, int]]:
    """The characters [first, last) of each line, a hyphen at its end included."""
    first = 0
    total = characters.count_chars()
    for index in range(total):
        code = pdfium.FPDFText_GetUnicode(characters, index)
        if code in _LINE_ENDS:
            yield first, index
            first = index + 1
        elif code == _HYPHEN and pdfium.FPDFText_IsHyphen(characters, index) == 1:
            yield first, index + 1
            first = index + 1
    yield first, total


def _line(characters: pypdfium2.PdfTextPage, first: int, last: int, *, place: Displayed) -> Line | None:
    codes = [pdfium.FPDFText_GetUnicode(characters, index) for index in range(first, last)]
    visible = [first + offset for offset, code in enumerate(codes) if not chr(code).isspace()]
    standing = {index: box for index in visible if (box := _box(characters, index, place=place))}
    lefts = [standing[index][0] if index in standing else None for index in range(first, last)]
    words = text.one_line(pdf_bidi.in_reading_order("".join(map(chr, codes)), lefts))
    if not words or not standing:
        return None
    baseline, height = _measure(characters, visible[0], place=place)
    return Line(words, _around(list(standing.values())), baseline, height, hyphenated=codes[-1] == _HYPHEN)


def _box(characters: pypdfium2.PdfTextPage, index: int, *, place: Displayed) -> Box | None:
    left, right, bottom, top = (ctypes.c_double() for _side in range(4))
    if not pdfium.FPDFText_GetCharBox(characters, index, left, right, bottom, top):
        return None
    if left.value == right.value and bottom.value == top.value:
        return None
    return _upright(place(left.value, bottom.value), place(right.value, top.value))


def _upright(one: tuple[float, float], other: tuple[float, float]) -> Box:
    return min(one[0], other[0]), min(one[1], other[1]), max(one[0], other[0]), max(one[1], other[1])


def _around(boxes: list[Box]) -> Box:
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return round(min(lefts), 2), round(min(tops), 2), round(max(rights), 2), round(max(bottoms), 2)


def _measure(characters: pypdfium2.PdfTextPage, index: int, *, place: Displayed) -> tuple[float, float]:
    """Baseline and font height, by the character at `index`."""
    x, y = ctypes.c_double(), ctypes.c_double()
    pdfium.FPDFText_GetCharOrigin(characters, index, x, y)
    bounds = pdfium.FS_RECTF()
    pdfium.FPDFText_GetLooseCharBox(characters, index, bounds)
    box = _upright(place(bounds.left, bounds.bottom), place(bounds.right, bounds.top))
    return place(x.value, y.value)[1], box[3] - box[1]


def _overlaps(box: Box, width: float, height: float) -> bool:
    return box[0] < width and box[2] > 0 and box[1] < height and box[3] > 0
