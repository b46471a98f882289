"""OpenDocument presentations (.odp): each slide's title, text, tables and notes, in the order they are read."""

import re
from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from kb.reading import arrangement
from kb.reading.arrangement import Frame
from kb.reading.composition import Composition
from kb.reading.headings import Headings
from kb.reading.opendocument import markup
from kb.reading.opendocument.markup import DRAW, PRESENTATION, SVG
from kb.reading.opendocument.text import Styles, Walk
from kb.reading.sections import About, Item, Progress, Section

VERSION = "1"

_CLASS = f"{PRESENTATION}class"
_FURNITURE = ("header", "footer", "date-time", "page-number", "page")
_LENGTH = re.compile(r"(-?[0-9]{1,6}(?:\.[0-9]{1,6})?)(cm|mm|in|pt|pc)")
_POINTS = {"cm": 72 / 2.54, "mm": 72 / 25.4, "in": 72.0, "pt": 1.0, "pc": 12.0}


def read(path: Path) -> Iterator[Item]:
    """The slides of a presentation, read as `slides` reads those of PowerPoint."""
    parts = markup.opened(path)
    content = parts.root("content.xml")
    yield About("open_slides", VERSION, "slide", title=markup.title(parts))
    styles = Styles(parts, content)
    pages = list(markup.body(content, "presentation").iterchildren(f"{DRAW}page"))
    for number, page in enumerate(pages, start=1):
        yield from _slide(page, styles, number)
        yield Progress(number, len(pages))


def _slide(page: etree._Element, styles: Styles, number: int) -> Iterator[Section]:
    headings = Headings()
    shapes = [one for one in page if one.get(_CLASS) not in _FURNITURE and not one.tag.endswith("}notes")]
    title = next((one for one in shapes if one.get(_CLASS) == "title" and markup.cell(one)), None)
    if title is not None:
        whole = Composition()
        whole.add(markup.cell(title), number)
        yield whole.section("heading", headings.enter(0, markup.cell(title)))
    for frame in arrangement.in_reading_order([_frame(one) for one in shapes if one is not title]):
        yield from Walk(styles, headings, number).sections(frame.shape)
    for notes in page.iterfind(f"{PRESENTATION}notes/{DRAW}frame"):
        if notes.get(_CLASS) == "notes":
            yield from Walk(styles, headings, number).sections(notes)


def _frame(shape: etree._Element) -> Frame:
    left, top, width, height = (_points(shape.get(f"{SVG}{name}", "")) for name in ("x", "y", "width", "height"))
    return arrangement.frame(shape, left=left, top=top, width=width, height=height)


def _points(length: str) -> float:
    found = _LENGTH.fullmatch(length)
    return float(found[1]) * _POINTS[found[2]] if found else 0.0
