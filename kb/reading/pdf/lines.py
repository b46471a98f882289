"""The lines of text on a PDF page, each with its box on the page as displayed.

PDFium is asked for a page's text at once and for the boxes of whole runs of it: a call for each character would take
longer than all the rest. Single characters are measured where they decide: in right-to-left words, and at wide gaps.
"""

import ctypes
import math
import re
import struct
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import islice, pairwise
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium
import regex
from msgspec import Struct

from kb.reading import text
from kb.reading.pdf import bidi
from kb.reading.sections import Box

_ENDED = re.compile(r"[^\r\n\x02]*(?:\r\n|[\r\n\x02]|$)")
_SOME_LINES = re.compile(r"[^\r\n\x02]{3,}")
_ANGLES = 5

_HYPHEN = "\x02"
"""What PDFium gives for a hyphen at the end of a line (FPDFText_IsHyphen), in place of hyphen and line end."""

# Hebrew, Arabic, Syriac, Thaana and what follows them in Unicode's blocks, and their presentation forms.
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_ASCII = re.compile("[!-~]")

_EAST_ASIAN = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Bopomofo}]")
"""Scripts that are written from top to bottom as well, in lines from right to left, with characters of one width."""

_DOWNWARDS = math.pi / 2
"""How vertical writing runs. Text that is turned clockwise runs so too, but for what is lost in rounding."""

_GAP = 1.6
"""A wider gap between two words, in font heights, is none of a sentence: what stands on both sides belongs to
different columns, or cells of a table. Justified lines stay below."""

_CELL_GAP = 1.1
"""Where a line has such a wide gap, so do less wide ones part its cells."""

_SPREAD_GAP = 0.3
_SPREAD = 0.4
"""A line with more such gaps than this part of its characters is spread out to the width of its column."""

_SPREAD_WORDS = re.compile("(?<=[\u3040-\u30ff\u3400-\u9fff，。、；：]) (?=[\u3040-\u30ff\u3400-\u9fff，。、；：])")
_SPREAD_SPACES = 4

_LEADERS = re.compile(r"(?:\s?[.·…‥・]){4,}")
_DOTS = re.compile(r"[.·…‥・](?:\s?[.·…‥・]){3}")
"""Found in what has leaders, in a fifth of the time: white space is no beginning of them."""
_FAR = 1e9

# How fonts draw letters, not which letters they are: ligatures, Arabic forms, radicals in place of characters.
_FORMS = re.compile("[\ufb00-\ufb4f\ufb50-\ufdfb\ufe70-\ufefc\u2e80-\u2fdf\uf900-\ufaff]")
# Word writes bullets with symbol fonts, at their places in the private use area.
_SYMBOLS = re.compile("[\uf020-\uf0ff]")
_BULLETS = str.maketrans({"\uf0b7": "•", "\uf0a7": "▪", "\uf0d8": "➢", "\uf0fc": "✓", "\uf0a8": "◦", "\uf076": "❖"})

_SAMPLE = 60
_SAMPLE_LEAST = 20
_MISORDERED = range(0x2000, 0x7F00, 0x100)
"""ASCII with its two bytes in the wrong order, as some writers put it in a font's table of characters. Of Chinese text
one character in hundreds looks so."""

_MEANINGLESS = frozenset(map(chr, (*range(0xE000, 0xF900), 0xFFFD, *range(0x80, 0xA0), *_MISORDERED)))

_BOLD = regex.compile(rb"bold|black|heavy|semibold|demi|-bd|cmbx|sfbx", regex.IGNORECASE)
_MONOSPACED = regex.compile(rb"mono|courier|consol|menlo|typewriter|cmtt|sftt|fixed|terminal", regex.IGNORECASE)
_FONT_NAME_MOST = ctypes.c_ulong(128)


def _bare(function: Any) -> Callable[..., int]:
    """A function of PDFium's without the types of its arguments, whose check takes twice as long as the call itself:
    these are called ten times a line. Their callers give the handle of a page, numbers, and what `byref` gives."""
    return ctypes.PYFUNCTYPE(ctypes.c_int)(ctypes.cast(function, ctypes.c_void_p).value or 0)


_count_rects = _bare(pdfium.FPDFText_CountRects)
_get_rect = _bare(pdfium.FPDFText_GetRect)
_get_char_box = _bare(pdfium.FPDFText_GetCharBox)
_get_char_origin = _bare(pdfium.FPDFText_GetCharOrigin)
_get_loose_box = _bare(pdfium.FPDFText_GetLooseCharBox)
_get_font = _bare(pdfium.FPDFText_GetFontInfo)
_has_map_error = _bare(pdfium.FPDFText_HasUnicodeMapError)

_four_doubles = struct.Struct("4d").unpack
_four_floats = struct.Struct("4f").unpack


class Line(Struct, frozen=True, gc=False):
    """Clean text, not empty. Lengths are points from the top left of the page, held so that most of its text is
    upright: as displayed, nearly always."""

    text: str
    page: int
    box: Box
    baseline: float
    height: float
    """Of its font, from descent to ascent."""

    hyphenated: bool = False
    """It ended in a hyphen, left out of `text`: the word goes on in the next line."""

    bold: bool = False
    monospaced: bool = False
    leftward: bool = False
    """It is read from right to left."""

    place: Box | None = None
    """Its box on the page as displayed; None where it runs over the edge."""

    @property
    def begin(self) -> float:
        """How far from the side of the page where reading begins; only differences mean anything."""
        return -self.box[2] if self.leftward else self.box[0]

    @property
    def end(self) -> float:
        """The same for where the line ends."""
        return -self.box[0] if self.leftward else self.box[2]


class Sheet(Struct):
    """A page as displayed, and its lines in the order of its content."""

    number: int
    width: float
    height: float
    lines: list[Line]
    length: float
    """From top to bottom, held as its lines are measured."""

    is_garbled: bool = False
    """The file does not say which letters its glyphs are."""


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


def measure(page: pypdfium2.PdfPage, number: int) -> Sheet:
    """Page `number` with its lines. What its crop box hides is left out, not what runs over the edge of the paper.

    A line of PDFium's with a wide gap in it is several.
    """
    width, height = page.get_size()
    characters = _Characters(page, number)
    lines = characters.lines()
    is_garbled = characters.are_garbled()
    if characters.is_vertical:
        lines = list(_from_right_to_left(lines))
    characters.close()
    if page.get_cropbox() != page.get_mediabox():
        lines = [line for line in lines if line.place]
    return Sheet(number, width, height, lines, width if characters.frame.is_sideways else height, is_garbled)


def _from_right_to_left(lines: Sequence[Line]) -> Iterator[Line]:
    """The lines of vertical writing. PDFium puts those that stand beside each other from left to right."""
    run: list[Line] = []
    for line in lines:
        if run and not (line.baseline < run[-1].baseline and _are_level(run[-1], line)):
            yield from reversed(run)
            run = []
        run.append(line)
    yield from reversed(run)


def _are_level(one: Line, other: Line) -> bool:
    return min(one.box[2], other.box[2]) > max(one.box[0], other.box[0])


class _Frame:
    """A page held so that its text is upright: where its points come to lie then."""

    def __init__(self, page: pypdfium2.PdfPage, angle: float) -> None:
        self._displayed = displayed(page)
        self._width, self._height = page.get_size()
        x0, y0 = self._displayed(0.0, 0.0)
        x1, y1 = self._displayed(math.cos(angle), -math.sin(angle))
        self._right, self._down = round(x1 - x0), round(y1 - y0)
        """The direction of reading, on the page as displayed."""

        if abs(self._right) + abs(self._down) != 1:
            self._right, self._down = 1, 0  # askew: no way of holding it is better
        self.is_sideways = self._down != 0
        self.turned = {(1, 0): 0, (0, 1): 90, (-1, 0): 180, (0, -1): 270}[self._right, self._down]
        """How far its text is turned clockwise on the page as displayed."""
        (self._x, self._y), (x1, y1) = self.point(0.0, 0.0), self.point(1.0, 1.0)
        across = self.point(1.0, 0.0)[1] != self._y
        self._is_plain = not across and x1 > self._x and y1 < self._y
        """Nothing is turned: points only count from another corner."""

    def point(self, x: float, y: float) -> tuple[float, float]:
        x, y = self._displayed(x, y)
        if self._right == 1:
            return x, y
        if self._right == -1:
            return self._width - x, self._height - y
        return (y, self._width - x) if self._down == 1 else (self._height - y, x)

    def box(self, left: float, bottom: float, right: float, top: float) -> Box:
        if self._is_plain and left <= right and bottom <= top:
            return left + self._x, self._y - top, right + self._x, self._y - bottom
        return _spanned(self.point(left, bottom), self.point(right, top))

    def place(self, box: Box) -> Box | None:
        """A box held so, on the page as displayed; None where it is beyond its edge."""
        x0, y0, x1, y1 = box
        if self._right == -1:
            x0, y0, x1, y1 = self._width - x1, self._height - y1, self._width - x0, self._height - y0
        elif self._down == 1:
            x0, y0, x1, y1 = self._width - y1, x0, self._width - y0, x1
        elif self._down == -1:
            x0, y0, x1, y1 = y0, self._height - x1, y1, self._height - x0
        if x0 >= self._width or x1 <= 0 or y0 >= self._height or y1 <= 0:
            return None
        return round(x0, 2), round(y0, 2), round(x1, 2), round(y1, 2)


def _spanned(one: tuple[float, float], other: tuple[float, float]) -> Box:
    return min(one[0], other[0]), min(one[1], other[1]), max(one[0], other[0]), max(one[1], other[1])


class _Characters:
    """The characters of a page. Those of `text` are counted as PDFium counts them."""

    def __init__(self, page: pypdfium2.PdfPage, number: int) -> None:
        self._number = number
        self._sides = (ctypes.c_double * 4)()
        self._to_sides = [ctypes.byref(self._sides, 8 * side) for side in range(4)]
        self._bounds = pdfium.FS_RECTF()
        self._name = ctypes.create_string_buffer(_FONT_NAME_MOST.value)
        self._flags = ctypes.c_int()
        self._load(page)
        angle = self._angle()
        self.is_vertical = angle == _DOWNWARDS
        self.frame = _Frame(page, angle)
        if self.frame.turned and not self.is_vertical:
            self._take_upright(page)
        self._is_turned = self.frame.is_sideways != (page.get_rotation() in (90, 270))
        self._is_plain = _is_plain(self._text)
        self._has_leftward = not self._text.isascii() and _RIGHT_TO_LEFT.search(self._text) is not None
        self._runs_leftward = self._has_leftward and bidi.is_leftward(self._text)
        """Most of the page is read from right to left: a line with words of another script at its beginning too."""

    def close(self) -> None:
        self._page.close()

    def _load(self, page: pypdfium2.PdfPage) -> None:
        self._page = page.get_textpage()
        self._handle = self._page.raw
        self._text = _text_of(self._page)

    def _take_upright(self, page: pypdfium2.PdfPage) -> None:
        """Take the text once more: PDFium orders what stands at one height from left to right, as displayed."""
        self._page.close()
        rotation = page.get_rotation()
        page.set_rotation((rotation - self.frame.turned) % 360)
        self._load(page)
        page.set_rotation(rotation)

    def are_garbled(self) -> bool:
        """Whether most of a sample have no meaning: they are in a private use area, or PDFium had to guess."""
        step = max(1, len(self._text) // _SAMPLE)
        sample = [index for index in range(0, len(self._text), step) if not self._text[index].isspace()]
        if len(sample) < _SAMPLE_LEAST:
            return False
        meaningless = sum(
            self._text[index] in _MEANINGLESS or _has_map_error(self._handle, index) == 1 for index in sample
        )
        return bool(meaningless * 2 > len(sample))

    def _angle(self) -> float:
        """How most lines run, in radians clockwise from the horizontal of the page's own space."""
        found = islice(_SOME_LINES.finditer(self._text), _ANGLES)
        angles = Counter(self._angle_of(one.end() - len(one.group().lstrip()), one.end()) for one in found)
        return angles.most_common(1)[0][0] if angles else 0.0

    def _angle_of(self, first: int, last: int) -> float:
        """How a line runs: in vertical writing downwards, and the next to its left, as if all were turned clockwise."""
        angle: float = round(pdfium.FPDFText_GetCharAngle(self._page, first), 2)
        if angle != 0 or not _EAST_ASIAN.match(self._text, first):
            return angle
        (x0, y0), (x1, y1) = self._origin(first), self._origin(last - 1)
        is_downwards = y0 - y1 > abs(x1 - x0)
        return _DOWNWARDS if is_downwards else 0.0

    def _origin(self, index: int) -> tuple[float, float]:
        x, y, *_others = self._to_sides
        _get_char_origin(self._handle, index, x, y)
        x, y, *_others = _four_doubles(self._sides)
        return x, y

    def lines(self) -> list[Line]:
        lines: list[Line] = []
        for found in _ENDED.finditer(self._text):
            said = found.group()
            first = found.start() + len(said) - len(said.lstrip())
            last = found.start() + len(said.rstrip("\r\n\x02 \t\xa0\u3000"))
            if first < last:
                lines += self._pieces(first, last, hyphenated=said.endswith(_HYPHEN))
        return lines

    def _pieces(self, first: int, last: int, *, hyphenated: bool) -> Iterator[Line]:
        box, gap = self._extent(first, last)
        if box is None:
            return
        baseline, height = self._measure(first, last)
        bold, monospaced = self._style(first, last)
        # Chinese and Japanese fonts are: theirs says nothing of code.
        monospaced = monospaced and _ASCII.search(self._text, first, last) is not None
        within = self._cuts(first, last, height) if gap > _GAP * height and not monospaced else []
        for start, end in pairwise((first, *within, last)):
            if within:
                box, _gap = self._extent(start, end)
                baseline, height = self._measure(start, end)
            words, leftward = self._words(start, end)
            if words and box:
                is_cut = hyphenated and end == last
                place = self.frame.place(box)
                yield Line(
                    words, self._number, box, baseline, height, is_cut, bold, monospaced, leftward, place
                )  # in the order of its fields: naming them would take half as long again

    def _words(self, first: int, last: int) -> tuple[str, bool]:
        """What the characters say, in the order of reading, and whether that is leftwards."""
        said = self._text[first:last]
        if self.is_vertical:
            said = "".join(self._text[index] for index in range(first, last) if not self._is_put_in(index))
        leftward = self._runs_leftward
        if self._has_leftward and _RIGHT_TO_LEFT.search(said):
            leftward = leftward or bidi.is_leftward(said)
            widths = self._widths(first, last)
            if leftward:
                said = bidi.leftwards(said, widths)
            else:
                said = bidi.in_reading_order(said, [width and width[0] for width in widths])
        if self._is_plain:
            return _closed(" ".join(said.split())), leftward
        said = _FORMS.sub(lambda form: unicodedata.normalize("NFKC", form.group()), said.translate(_BULLETS))
        return _closed(text.one_line(_LEADERS.sub(" … ", said))), leftward

    def _is_put_in(self, index: int) -> bool:
        """Whether a space is PDFium's own: in vertical writing it parts upright characters from turned ones."""
        return self._text[index] == " " and pdfium.FPDFText_IsGenerated(self._page, index) == 1

    def _extent(self, first: int, last: int) -> tuple[Box | None, float]:
        """The box around a range of characters, and the widest gap between its runs of one font each."""
        handle, sides, to_sides, is_turned = self._handle, self._sides, self._to_sides, self._is_turned
        spans = []
        low, high = _FAR, -_FAR
        for index in range(_count_rects(handle, first, last - first)):
            _get_rect(handle, index, *to_sides)
            x0, y1, x1, y0 = _four_doubles(sides)
            if is_turned:
                x0, y0, x1, y1 = y0, x0, y1, x1
            if x0 == x1 and y0 == y1:
                continue
            spans.append((x0, x1))
            low = y0 if y0 < low else low
            high = y1 if y1 > high else high
        if not spans:
            return None, 0.0
        spans.sort()
        start, end = spans[0]
        widest = 0.0
        for x0, x1 in spans[1:]:
            widest = x0 - end if x0 - end > widest else widest
            end = x1 if x1 > end else end
        if is_turned:
            start, low, end, high = low, start, high, end
        return self.frame.box(start, low, end, high), widest

    def _measure(self, first: int, last: int) -> tuple[float, float]:
        """Baseline and font height, by a character in the middle: the first may be the raised mark of a note."""
        index = (first + last) // 2
        if self._runs_leftward:
            # Beside Arabic, figures and Latin letters are of another font, and often only half as high.
            own = _RIGHT_TO_LEFT.search(self._text, index, last) or _RIGHT_TO_LEFT.search(self._text, first, index)
            index = own.start() if own else index
        while self._text[index].isspace():
            index -= 1
        x, y = self._origin(index)
        _get_loose_box(self._handle, index, ctypes.byref(self._bounds))
        left, top, right, bottom = _four_floats(self._bounds)
        box = self.frame.box(left, bottom, right, top)
        return self.frame.point(x, y)[1], box[3] - box[1]

    def _style(self, first: int, last: int) -> tuple[bool, bool]:
        """Whether a line is bold, and whether it is monospaced, from end to end: judged by three characters."""
        bold, monospaced = self._font(first)
        for index in (last - 1, (first + last) // 2):
            if not (bold or monospaced):
                break
            if not self._text[index].isspace():
                its_bold, its_monospaced = self._font(index)
                bold, monospaced = bold and its_bold, monospaced and its_monospaced
        return bold, monospaced

    def _font(self, index: int) -> tuple[bool, bool]:
        """Whether the font at `index` is bold, and whether all its characters have one width."""
        size = _get_font(self._handle, index, self._name, _FONT_NAME_MOST, ctypes.byref(self._flags))
        name = self._name.raw[: max(0, size - 1)] if size <= _FONT_NAME_MOST.value else b""
        flags = self._flags.value
        if not self._text[index].isascii() and _EAST_ASIAN.match(self._text, index):
            flags &= ~1  # all their fonts are of one width
        return _style(name, flags)

    def _widths(self, first: int, last: int) -> list[tuple[float, float] | None]:
        """Where each character begins and ends, as the page is held; None for those that take no place."""
        boxes = (edges and self.frame.box(*edges) for edges in map(self._edges, range(first, last)))
        return [box and (box[0], box[2]) for box in boxes]

    def _edges(self, index: int) -> Box | None:
        """Left, bottom, right and top of a character, in the page's own space; None for one that takes no place."""
        if self._text[index].isspace():
            return None
        if not _get_char_box(self._handle, index, *self._to_sides):
            return None
        x0, x1, y0, y1 = _four_doubles(self._sides)
        return None if x0 == x1 and y0 == y1 else (x0, y0, x1, y1)

    def _cuts(self, first: int, last: int, height: float) -> list[int]:
        """Where the cells of a line begin; nowhere in one whose characters were all moved apart to fill it."""
        text, handle, sides, to_sides = self._text, self._handle, self._sides, self._to_sides
        begins, ends = (2, 3) if self._is_turned else (0, 1)
        gaps: list[tuple[int, float]] = []
        before: tuple[float, float] | None = None
        for index in range(first, last):
            if text[index].isspace() or not _get_char_box(handle, index, *to_sides):
                continue
            edges = _four_doubles(sides)
            if edges[0] == edges[1] and edges[2] == edges[3]:
                continue
            start, end = edges[begins], edges[ends]
            if before:
                gaps.append((index, max(start - before[1], before[0] - end)))
            before = start, end
        if sum(gap > _SPREAD_GAP * height for _index, gap in gaps) > _SPREAD * len(gaps):
            return []
        return [index for index, gap in gaps if gap > _CELL_GAP * height]


def _text_of(page: pypdfium2.PdfTextPage) -> str:
    """The text of a page, one character for each that PDFium counts."""
    count = page.count_chars()
    buffer = (ctypes.c_ushort * (2 * count + 2))()
    units = pdfium.FPDFText_GetText(page, 0, count, buffer)
    said = bytes(buffer)[: 2 * max(0, units - 1)].decode("utf-16-le", "surrogatepass")
    if len(said) == count:
        return said.replace("\ufffe", _HYPHEN)
    # It leaves out characters that mean nothing, and counts them all the same.
    return "".join(_character(pdfium.FPDFText_GetUnicode(page, index)) for index in range(count))


def _character(code: int) -> str:
    return chr(code) if 0 < code <= 0x10FFFF else "\ufffd"


def _closed(words: str) -> str:
    """Without the spaces of a line that was spread out, in scripts that have none."""
    if words.isascii() or words.count(" ") < _SPREAD_SPACES or len(_SPREAD_WORDS.findall(words)) < _SPREAD_SPACES:
        return words
    return _SPREAD_WORDS.sub("", words)


def _is_plain(words: str) -> bool:
    """Whether there is nothing to clean or to replace."""
    if not text.is_clean(words.replace("\r", "").replace(_HYPHEN, "")) or _DOTS.search(words):
        return False
    return words.isascii() or not (_FORMS.search(words) or _SYMBOLS.search(words))


@lru_cache(256)
def _style(name: bytes, flags: int) -> tuple[bool, bool]:
    # Bits 1 and 19 of a font's flags (ISO 32000-1, table 123); names are surer, where they say anything.
    bold = bool(flags & 1 << 18) or _BOLD.search(name) is not None
    return bold, bool(flags & 1) or _MONOSPACED.search(name) is not None
