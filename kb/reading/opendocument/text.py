"""OpenDocument texts (.odt): headings, paragraphs, lists, tables and notes, in the order of the document."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

from lxml import etree

from kb.reading import grid, text
from kb.reading.composition import Composition
from kb.reading.headings import Headings
from kb.reading.opendocument import markup
from kb.reading.opendocument.markup import CELL, COVERED, HEADER_ROWS, OFFICE, ROW, STYLE, TABLE, TEXT, H, P
from kb.reading.opendocument.numbering import BULLET, Counter, Level, levels
from kb.reading.parts import Parts
from kb.reading.sections import About, Item, Kind, Section

VERSION = "1"

_TITLE = "Title"
_TABLE_HEADING = "Table_20_Heading"
_CONTENTS = tuple(
    f"{TEXT}{name}"
    for name in ("table-of-content", "illustration-index", "table-index", "object-index", "alphabetical-index")
)
_UNREAD = (f"{TEXT}tracked-changes", f"{OFFICE}forms", f"{OFFICE}annotation", f"{TEXT}sequence-decls")
_REPEATED_MOST = 64
"""Columns of a table in a text: what repeats more often is a file's padding."""


def read(path: Path) -> Iterator[Item]:
    """The sections of a text, tracked changes as if accepted. Its marks count paragraphs, empty ones included; a table
    counts one for each row. A note or text box stands behind the paragraph it hangs on and has its mark."""
    parts = markup.opened(path)
    content = parts.root("content.xml")
    yield About("open_text", VERSION, "paragraph", title=markup.title(parts))
    yield from Walk(Styles(parts, content), Headings()).sections(markup.body(content, "text"))


class Styles:
    """What the styles of a file say of its paragraphs and lists."""

    def __init__(self, parts: Parts, content: etree._Element) -> None:
        self._parents: dict[str, str] = {}
        self._lists: dict[str, dict[int, Level]] = {}
        self.outline: dict[int, Level] = {}
        for root in (parts.root("styles.xml"), content) if "styles.xml" in parts else (content,):
            for style in root.iter(f"{STYLE}style"):
                self._parents[style.get(f"{STYLE}name", "")] = style.get(f"{STYLE}parent-style-name", "")
            for style in root.iter(f"{TEXT}list-style"):
                self._lists[style.get(f"{STYLE}name", "")] = levels(style)
            for style in root.iter(f"{TEXT}outline-style"):
                self.outline = levels(style)

    def is_like(self, paragraph: etree._Element, style: str) -> bool:
        """Whether a paragraph has a style, or one that was made by hand from it."""
        own = paragraph.get(f"{TEXT}style-name", "")
        return style in (own, self._parents.get(own))

    def list_levels(self, name: str) -> dict[int, Level]:
        """The levels of a list style; none where it is not known."""
        return self._lists.get(name, {})


class Walk:
    """One pass over paragraphs, lists and tables. With a `unit` all have that mark, and open no headings."""

    def __init__(self, styles: Styles, headings: Headings, unit: int | None = None) -> None:
        self._styles = styles
        self._headings = headings
        self._unit = unit
        self._numbers = count(1)
        self._outline = Counter(styles.outline)
        self._lists: dict[str, Counter] = {}
        self._list = Composition()

    def sections(self, parent: etree._Element) -> Iterator[Section]:
        """What an element holds."""
        yield from self._blocks(parent)
        yield from self._end_list()

    def _blocks(self, parent: etree._Element) -> Iterator[Section]:
        for child in parent:
            if child.tag in (P, H):
                yield from self._paragraph(child)
            elif child.tag == f"{TEXT}list":
                yield from self._items(child, 1, self._counter(child))
            elif child.tag == f"{TABLE}table":
                yield from self._end_list()
                yield from self._table(child)
            elif child.tag in _CONTENTS:
                for _paragraph in child.iter(P, H):
                    self._next()
            elif child.tag not in _UNREAD:
                yield from self._blocks(child)

    def _next(self) -> int:
        return next(self._numbers) if self._unit is None else self._unit

    def _paragraph(self, paragraph: etree._Element, label: str = "", depth: int = 0) -> Iterator[Section]:
        unit = self._next()
        words = markup.words(paragraph)
        level = self._level(paragraph)
        if level and not label and paragraph.get(f"{TEXT}is-list-header") != "true":
            start = paragraph.get(f"{TEXT}start-value", "") if paragraph.get(f"{TEXT}restart-numbering") else ""
            label = self._outline.next(level, start=start)
        if words.strip():
            yield from self._shown(f"{label} {words}".strip(), unit, level=level, depth=depth)
        yield from self._asides(paragraph, unit)

    def _level(self, paragraph: etree._Element) -> int | None:
        """The level of a heading, 0 for the document's title; None for what is no heading."""
        if self._unit is not None:
            return None
        if paragraph.tag == H:
            level = paragraph.get(f"{TEXT}outline-level", "1")
            return int(level) if level in map(str, range(1, 11)) else 1
        return 0 if self._styles.is_like(paragraph, _TITLE) else None

    def _shown(self, words: str, unit: int, *, level: int | None, depth: int) -> Iterator[Section]:
        if depth and level is None:
            self._list.add("  " * (depth - 1) + words, unit, between="\n")
            return
        yield from self._end_list()
        kind: Kind = "prose"
        if level is not None:
            words, kind = text.one_line(words), "heading"
            self._headings.enter(level, words)
        whole = Composition()
        whole.add(words, unit)
        if whole:
            yield whole.section(kind, self._headings.path)

    def _asides(self, paragraph: etree._Element, unit: int) -> Iterator[Section]:
        for aside in markup.asides(paragraph):
            yield from self._end_list()
            yield from Walk(self._styles, self._headings, unit).sections(aside)

    def _items(self, parent: etree._Element, depth: int, counter: Counter) -> Iterator[Section]:
        """The items of a list; the first paragraph of each has the label."""
        for item in parent.iterchildren(f"{TEXT}list-item", f"{TEXT}list-header"):
            label = ""
            if item.tag == f"{TEXT}list-item" and len(item) and item[0].tag in (P, H):
                numbered = counter.next(depth, start=item.get(f"{TEXT}start-value", ""))
                label = numbered or ("" if item[0].tag == H else BULLET)
            for child in item:
                if child.tag in (P, H):
                    yield from self._paragraph(child, label, depth)
                    label = ""
                elif child.tag == f"{TEXT}list":
                    own = child.get(f"{TEXT}style-name")
                    inner = Counter(self._styles.list_levels(own)) if own else counter
                    yield from self._items(child, depth + 1, inner)

    def _counter(self, element: etree._Element) -> Counter:
        """A list may go on with the numbers of an earlier one, by its style or its name."""
        style = element.get(f"{TEXT}style-name", "")
        before = self._lists.get(element.get(f"{TEXT}continue-list", ""))
        if element.get(f"{TEXT}continue-numbering") == "true":
            before = self._lists.get(style)
        counter = before or Counter(self._styles.list_levels(style))
        self._lists[style] = self._lists[element.get("{http://www.w3.org/XML/1998/namespace}id", style)] = counter
        return counter

    def _end_list(self) -> Iterator[Section]:
        if self._list:
            yield self._list.section("list", self._headings.path)
            self._list = Composition()

    def _table(self, table: etree._Element) -> Iterator[Section]:
        rows = list(markup.rows(table))
        units = {number: self._next() for number in range(1, len(rows) + 1)}
        cells = dict(enumerate(_cells(rows), start=1))
        heads = sum(1 for _row in table.iterfind(f"{HEADER_ROWS}/{ROW}")) or self._looks(rows)
        found = grid.table(cells, self._headings.path, unit=units.__getitem__, heads=heads) if cells else None
        if found:
            yield found
        for number, row in enumerate(rows, start=1):
            for paragraph in markup.paragraphs(row):
                yield from self._asides(paragraph, units[number])

    def _looks(self, rows: list[etree._Element]) -> int:
        """One, where all paragraphs of the first row have the style of table headings."""
        paragraphs = list(markup.paragraphs(rows[0])) if rows else []
        return int(bool(paragraphs) and all(self._styles.is_like(one, _TABLE_HEADING) for one in paragraphs))


def _cells(rows: list[etree._Element]) -> Iterator[dict[int, str]]:
    """The cells of each row; what is merged over rows says so in each of them."""
    above: dict[int, tuple[int, str]] = {}  # by column: in how many more rows, and what
    for row in rows:
        cells: dict[int, str] = {}
        column = 0
        for cell in row.iterchildren(CELL, COVERED):
            for _time in range(min(markup.times(cell, "columns-repeated"), _REPEATED_MOST)):
                column += 1
                more, words = above.pop(column, (0, ""))
                if cell.tag == CELL:
                    words, more = markup.cell(cell), markup.times(cell, "rows-spanned")
                cells[column] = words if more else ""
                if more > 1:
                    above[column] = (more - 1, grid.repeated(words))
        yield cells
