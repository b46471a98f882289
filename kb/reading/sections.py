"""What every reader yields: sections of text, each with its heading path, its kind and its place.

The types are msgspec's, because they cross from the child that reads to its parent as JSON: the bounds written here are
checked when a line is decoded (see `wire`).
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

Kind = Literal["heading", "prose", "list", "table", "code", "caption"]

Unit = Literal["page", "paragraph", "line", "slide", "sheet", "chapter"]
"""What the marks of a file count."""

Points = Annotated[float, Meta(ge=-1e6, le=1e6)]
Offset = Annotated[int, Meta(ge=0, le=50_000_000)]
Ordinal = Annotated[int, Meta(ge=1, le=50_000_000)]

Box = tuple[Points, Points, Points, Points]

Cell = tuple[Ordinal, Ordinal]
"""(row, column) of a table, each from 1."""

SEPARATOR = "\n\n"
"""What stands between two sections in a document's text. The text of a document is its sections' texts joined by it."""


class Mark(Struct, frozen=True, array_like=True, gc=False):
    """Where the characters [start, end) of a section's text stand in the file.

    `unit` counts from 1 in the format's own unit: the line of a Markdown, HTML or text file, the paragraph of a Word
    file or OpenDocument text (a table counts one for each of its rows), the slide of a presentation, the tab of a
    workbook, the document of a book's spine; for PDF it is the page. `box` is (x0, y0, x1, y1) in points, origin at the
    top left of the page as displayed (rotation and crop box applied); only PDF has it. `cell` is the cell of a table
    whose text this is, where the reader knows it; in a workbook it is the sheet's own, and begins a row.
    """

    start: Offset
    end: Offset
    unit: Ordinal
    box: Box | None = None
    cell: Cell | None = None


class Section(Struct, frozen=True, array_like=True, tag=True, gc=False):
    """A stretch of clean text (see `text.clean`) below one heading path. Headings are sections of their own,
    whose path ends in themselves.

    `context` is what a later part of the section cannot be understood without, and is repeated to the encoder with each
    such part: the header row of a table. It stands at the beginning of the text. `syntax` is the language that code is
    written in, in lower case, where the file says so.
    """

    text: str
    kind: Kind
    heading_path: tuple[str, ...] = ()
    marks: tuple[Mark, ...] = ()
    context: str = ""
    syntax: str = ""


class Page(Struct, frozen=True, array_like=True, tag=True, gc=False):
    """One page of a PDF as displayed: number from 1, width and height in points."""

    number: Ordinal
    width: Points
    height: Points


class PageImage(Struct, frozen=True, array_like=True, tag=True):
    """A PNG of a page as displayed; width and height of the page in points."""

    png: bytes
    width_pt: Points
    height_pt: Points


class Warned(Struct, frozen=True, array_like=True, tag=True):
    """Something was not read, and the document is useful all the same."""

    code: str
    detail: str


class Progress(Struct, frozen=True, array_like=True, tag=True, gc=False):
    """`done` of `total` units (pages, where there are pages) have been read."""

    done: Offset
    total: Offset


class About(Struct, frozen=True, array_like=True, tag=True):
    """What the file says of itself. `title` is empty where it says nothing."""

    reader: str
    version: str
    unit: Unit
    title: str = ""
    metadata: dict[str, str] = {}


class Checkpoint(Struct, frozen=True, array_like=True, tag=True):
    """A long file is read in parts: the last item of a part that is not the last, and what the next one begins with."""

    page: Ordinal
    """The first that has not been read."""

    headings: tuple[tuple[float, str], ...] = ()
    """Those open there, each with its level."""

    without_text: tuple[Ordinal, ...] = ()
    scans: dict[str, tuple[Ordinal, ...]] = {}
    """What became of pages that were taken for scans."""


Item = About | Page | Section | Warned | Progress | Checkpoint
"""What a reader yields, in the order of the document."""
