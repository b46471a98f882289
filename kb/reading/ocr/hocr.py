"""What Tesseract wrote of a page, as lines like those of a page with text.

hOCR rather than TSV: it alone gives the baseline and the height of the font, which paragraphs are made by.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import regex
from lxml import etree
from msgspec.structs import replace

from kb.reading import text
from kb.reading.composition import joint
from kb.reading.pdf.lines import Line
from kb.reading.sections import Box

POINTS_PER_INCH = 72

_WORD_LEAST = 10.0
"""Confidence, of 100. On legible pages made for the purpose one word in ten below it was right, above it most were."""

_PARAGRAPH = "{http://www.w3.org/1999/xhtml}p"
_SPAN = "{http://www.w3.org/1999/xhtml}span"
_LINES = {"ocr_line", "ocr_header", "ocr_caption", "ocr_textfloat"}
_WORD = "ocrx_word"
_PROPERTY = regex.compile(r"(bbox|baseline|x_size|x_wconf)((?: -?\d+(?:\.\d+)?)+)")
_VISIBLE = regex.compile(r"[\p{L}\p{N}]")
_BROKEN_WORD = regex.compile(r".*\p{L}[-‐]$")
_LOWER_CASE = regex.compile(r"\p{Ll}")
_SIDEWAYS_LETTERS = 3


class Garbled(ValueError):
    """This is not what Tesseract writes."""


@dataclass(frozen=True, slots=True)
class Page:
    """The lines of a page in Tesseract's reading order; `confidence`, of 100, is its words' mean by their letters."""

    lines: tuple[Line, ...]
    confidence: float
    is_sideways: bool
    """Most of it stands in lines that are higher than wide."""


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    confidence: float


def page(hocr: bytes, *, dots_per_inch: float) -> Page:
    """The page, its lengths in points of the picture as drawn. Raises Garbled."""
    try:
        root = etree.fromstring(hocr, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False))
    except etree.XMLSyntaxError as error:
        raise Garbled(str(error)) from error
    found: list[Line] = []
    words: list[_Word] = []
    for paragraph in root.iter(_PARAGRAPH):
        lines = []
        for line in paragraph.iter(_SPAN):
            if line.get("class") in _LINES and (said := _words(line)):
                lines.append(_line(line, said, point=POINTS_PER_INCH / dots_per_inch))
                words += said
        found += _without_hyphens(lines)
    return Page(tuple(found), _confidence(words), _is_sideways(found))


def _words(line: etree._Element) -> list[_Word]:
    found = []
    for span in line.iter(_SPAN):
        if span.get("class") != _WORD:
            continue
        (confidence,) = _properties(span, "x_wconf", 1)
        said = text.one_line("".join(map(str, span.itertext())))
        if said and confidence >= _WORD_LEAST:
            found.append(_Word(said, confidence))
    # A line of dashes and dots alone is a ruler, a frame or dirt.
    return found if any(_VISIBLE.search(word.text) for word in found) else []


def _line(line: etree._Element, words: Sequence[_Word], *, point: float) -> Line:
    left, top, right, bottom = (side * point for side in _properties(line, "bbox", 4))
    if left > right or top > bottom:
        raise Garbled("a box is inside out")
    _slope, offset = _properties(line, "baseline", 2, otherwise=(0.0, 0.0))
    (height,) = _properties(line, "x_size", 1, otherwise=((bottom - top) / point,))
    box: Box = (round(left, 2), round(top, 2), round(right, 2), round(bottom, 2))
    return Line(_joined(words), 0, box, bottom + offset * point, height * point)


def _properties(
    element: etree._Element, name: str, count: int, *, otherwise: tuple[float, ...] = ()
) -> tuple[float, ...]:
    """The numbers of a property in an element's title."""
    for found in _PROPERTY.finditer(element.get("title", "")):
        if found[1] == name:
            numbers = tuple(float(number) for number in found[2].split())
            if len(numbers) == count:
                return numbers
    if not otherwise:
        raise Garbled(f"no {name}")
    return otherwise


def _joined(words: Sequence[_Word]) -> str:
    """The words of a line. Tesseract takes every few Chinese characters for a word, and puts a space between them."""
    said = words[0].text
    for word in words[1:]:
        said += joint(said[-1], word.text[0]) + word.text
    return text.clean(said)


def _without_hyphens(lines: Sequence[Line]) -> Iterator[Line]:
    """The lines of a paragraph, those that end in the middle of a word marked so."""
    for line, following in pairwise([*lines, None]):
        if line is None:
            return
        if following and _BROKEN_WORD.match(line.text) and _LOWER_CASE.match(following.text):
            yield replace(line, text=line.text[:-1], hyphenated=True)
        else:
            yield line


def _confidence(words: Sequence[_Word]) -> float:
    letters = sum(len(word.text) for word in words)
    return sum(word.confidence * len(word.text) for word in words) / letters if letters else 0.0


def _is_sideways(lines: Sequence[Line]) -> bool:
    high = sum(len(line.text) for line in lines if len(line.text) >= _SIDEWAYS_LETTERS and _is_high(line.box))
    return high * 2 > sum(len(line.text) for line in lines)


def _is_high(box: Box) -> bool:
    left, top, right, bottom = box
    return bottom - top > right - left
