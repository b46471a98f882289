"""One page of a PDF that is a picture, drawn for Tesseract and read by it."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pypdfium2
import regex
from msgspec import structs
from PIL import Image, ImageChops, ImageFilter

from kb.reading.ocr import hocr
from kb.reading.ocr.scans import Ask, Outcome, Scan
from kb.reading.pdf.lines import Line
from kb.reading.sections import Box

PIXELS = 16_000_000
"""The most pixels of a page's picture: A3 at 290 dots an inch. Larger pages are drawn with fewer dots."""

_DOTS_PER_INCH = 300
"""What Tesseract is made for (its documentation, "Improving the quality of the output")."""

_CONTRAST = 32
"""Of 255 shades. A page with less has nothing on it, whatever its paper."""

_DOUBTFUL = 70.0
_LEAST = 60.0
"""Mean confidence, of 100. Of letters on blurred pages 0.94 were right at 89, 0.80 at 72, 0.50 at 51, 0.24 at 36; of
clean pages it is above 90, of pages upside down 20 to 40."""

_SPECKLED = 0.2
_SPECK = 8
"""A page is speckled when so large a share of it differs by more shades from the middle of its neighbourhood; a page
closely printed has 0.05. Tesseract takes minutes over specks and finds nothing. Smoothing away specks brings all of it
back, but smooths away small Chinese strokes too: other pages are left alone."""

_TURN = regex.compile(rb"Rotate: (90|180|270)\n")
"""Clockwise, in degrees, until it is upright. A wrong turn does no harm: the better reading is kept."""

_EAST_ASIAN = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}]")
_EAST_ASIAN_LANGUAGES = ("chi_", "jpn", "kor")
"""Beside English Tesseract takes some lines for English; these know the letters of English too. A page of them is read
once more with them alone, and the reading with more confidence is kept: 0.97 of the letters right for 0.92."""


@dataclass(frozen=True, slots=True)
class Upright:
    """How a page has to be turned to stand upright: its width and height as displayed, and degrees clockwise."""

    width: float
    height: float
    degrees: int

    def displayed(self, box: Box) -> Box:
        """Where a box of the upright page stands on the page as displayed."""
        left, top, right, bottom = box
        turned = {
            90: (top, self.height - right, bottom, self.height - left),
            180: (self.width - right, self.height - bottom, self.width - left, self.height - top),
            270: (self.width - bottom, left, self.width - top, right),
        }
        x0, y0, x1, y1 = turned[self.degrees]
        return round(x0, 2), round(y0, 2), round(x1, 2), round(y1, 2)


@dataclass(frozen=True, slots=True)
class _Picture:
    """A page as displayed, in shades of grey; to be turned upright before it is read."""

    image: Image.Image
    dots_per_inch: float
    upright: Upright | None = None

    def pgm(self) -> bytes:
        written = io.BytesIO()
        turned = self.image.rotate(-self.upright.degrees, expand=True) if self.upright else self.image
        turned.save(written, "PPM")
        return written.getvalue()


@dataclass(frozen=True, slots=True)
class Recognised:
    """What became of a page. Its lines are those of the page turned upright, which is `length` points long."""

    outcome: Outcome
    lines: tuple[Line, ...] = ()
    length: float = 0.0
    confidence: float = 0.0
    is_doubtful: bool = True
    upright: Upright | None = None


def recognise(page: pypdfium2.PdfPage, number: int, ask: Ask, languages: Sequence[str], *, turns: bool) -> Recognised:
    """The page as Tesseract reads it; with `turns` it is asked which way up one is that makes little sense."""
    picture = _picture(page)
    shades = [shade for shade, count in enumerate(picture.image.histogram()) if count]
    if shades[-1] - shades[0] < _CONTRAST:
        return Recognised(Outcome.NOTHING)
    best = _read(picture, ask, languages)
    if turns and best.lines and best.is_doubtful and (degrees := _turn(picture, ask)):
        picture = replace(picture, upright=Upright(page.get_width(), page.get_height(), degrees))
        best = _better(best, _read(picture, ask, languages))
    alone = [language for language in languages if language.startswith(_EAST_ASIAN_LANGUAGES)]
    if 0 < len(alone) < len(languages) and _is_east_asian(best):
        best = _better(best, _read(replace(picture, upright=best.upright), ask, alone))
    if best.outcome == Outcome.RECOGNISED and best.confidence < _LEAST:
        return Recognised(Outcome.RUBBISH)
    width, height = page.get_size()
    turned = best.upright is not None and best.upright.degrees != 180
    lines = tuple(structs.replace(line, page=number, place=_place(line, best.upright)) for line in best.lines)
    return replace(best, lines=lines, length=width if turned else height)


def _place(line: Line, upright: Upright | None) -> Box:
    return upright.displayed(line.box) if upright else line.box


def _picture(page: pypdfium2.PdfPage) -> _Picture:
    """The page as displayed, without its notes: those are read as text, or not at all."""
    width, height = page.get_size()
    scale = min(_DOTS_PER_INCH / hocr.POINTS_PER_INCH, (PIXELS / max(width * height, 1.0)) ** 0.5)
    bitmap = page.render(scale=scale, grayscale=True, draw_annots=False, may_draw_forms=False)
    return _Picture(_without_specks(bitmap.to_pil().convert("L")), scale * hocr.POINTS_PER_INCH)


def _without_specks(picture: Image.Image) -> Image.Image:
    smooth = picture.filter(ImageFilter.MedianFilter(3))
    differences = ImageChops.difference(picture, smooth).histogram()
    return smooth if sum(differences[_SPECK + 1 :]) > _SPECKLED * sum(differences) else picture


def _read(picture: _Picture, ask: Ask, languages: Sequence[str]) -> Recognised:
    outcome, said = ask(Scan("words", round(picture.dots_per_inch), tuple(languages)), picture.pgm())
    if outcome != Outcome.RECOGNISED:
        return Recognised(outcome)
    try:
        page = hocr.page(said, dots_per_inch=picture.dots_per_inch)
    except hocr.Garbled:
        return Recognised(Outcome.FAILED)
    if not page.lines:
        return Recognised(Outcome.NOTHING)
    is_doubtful = page.is_sideways or page.confidence < _DOUBTFUL
    return Recognised(outcome, page.lines, 0.0, page.confidence, is_doubtful, picture.upright)


def _turn(picture: _Picture, ask: Ask) -> int:
    """Degrees clockwise until the page is upright; 0 where it is, or Tesseract cannot tell."""
    _outcome, said = ask(Scan("orientation", round(picture.dots_per_inch)), picture.pgm())
    found = _TURN.search(said)
    return int(found[1]) if found else 0


def _better(one: Recognised, other: Recognised) -> Recognised:
    return max(one, other, key=lambda read: (not read.is_doubtful, read.confidence))


def _is_east_asian(read: Recognised) -> bool:
    found = sum(len(_EAST_ASIAN.findall(line.text)) for line in read.lines)
    return found * 2 > sum(len(line.text) for line in read.lines)
