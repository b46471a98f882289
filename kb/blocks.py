"""A stretch of a document's text laid out in blocks: headings, paragraphs, items of lists, rows of tables, code."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from kb.reading.sections import Kind

CELL_SEPARATOR = " | "
"""What stands between two cells of a row in the text of a table."""

_DEEPEST = 6
_INDENT = 2
_BULLETS = ("-", "*", "+")
_NUMBER = r"\(?(?:\d{1,4}(?:\.\d{1,4})*|[a-zA-Z]|[ivxlcIVXLC]{1,6})[.)）]"
_ITEM = re.compile(rf"(?P<indent>[ \t]*)(?P<marker>(?:[-*+•]|{_NUMBER})\s+)?")


@dataclass(frozen=True)
class Extent:
    """A passage: characters [start, end) of its document, and what is told of it where it begins."""

    ordinal: int
    start: int
    end: int
    language: str = ""
    tokens: int = 0
    anchor: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Piece:
    """Characters that belong to the same passages. `begins` are the passages whose first characters these are; `page`
    is set where a page begins, `opens` where what is marked does."""

    text: str
    start: int
    passages: tuple[int, ...] = ()
    begins: tuple[Extent, ...] = ()
    page: int | None = None
    marked: bool = False
    opens: bool = False
    language: str = ""

    @property
    def odd(self) -> bool:
        """Whether it is tinted where every other passage is."""
        return bool(self.passages and self.passages[0] % 2)


@dataclass(frozen=True)
class Item:
    """A line of a list. `marker` is its bullet or number as the document has it, `depth` counts from 0."""

    marker: str
    depth: int
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class Cell:
    """A cell of a table; `span` is the number of columns it goes over."""

    pieces: tuple[Piece, ...]
    span: int = 1


@dataclass(frozen=True)
class Block:
    """What a browser shows as one element. `level` is that of a heading. Pieces, items and rows: one of them is there,
    as the kind asks. `header` is the first row of a table that is whole up to here."""

    kind: Kind
    start: int
    level: int = 0
    syntax: str = ""
    pieces: tuple[Piece, ...] = ()
    items: tuple[Item, ...] = ()
    header: tuple[Cell, ...] = ()
    rows: tuple[tuple[Cell, ...], ...] = ()
    named: bool = field(default=False, kw_only=True)
    """Whether an entry of the outline points here."""


@dataclass(frozen=True)
class Stretch:
    """A section: characters [start, end) of the document."""

    start: int
    end: int
    kind: Kind
    syntax: str = ""


def lay_out(
    text: str,
    origin: int,
    stretches: Iterable[Stretch],
    *,
    levels: dict[int, int],
    extents: Sequence[Extent],
    pages: dict[int, int],
    marked: tuple[int, int] | None = None,
) -> list[Block]:
    """The blocks of `text`, which begins at character `origin` of its document; stretches may go beyond it.

    `levels` gives the level of each entry of the outline by where it stands, `pages` the number of each page by where
    it begins, `extents` the passages in order.
    """
    cutter = _Cutter(text, origin, extents, pages=pages, marked=marked)
    blocks = []
    for stretch in stretches:
        start, end = max(stretch.start, origin), min(stretch.end, origin + len(text))
        if start < end:
            blocks.append(_block(cutter, stretch, start, end, level=levels.get(stretch.start, 0)))
    return blocks


def _block(cutter: "_Cutter", stretch: Stretch, start: int, end: int, *, level: int) -> Block:
    named = level > 0 and start == stretch.start
    match stretch.kind:
        case "heading":
            shown = min(max(level, 1), _DEEPEST)
            return Block("heading", start, level=shown, pieces=cutter.pieces(start, end), named=named)
        case "list":
            items = tuple(_item(cutter, *line) for line in cutter.lines(start, end))
            return Block("list", start, items=items, named=named)
        case "table":
            rows = [_cells(cutter, *line) for line in cutter.lines(start, end)]
            # A window may begin in the middle of a table: its first row there is no header.
            headed = start == stretch.start and len(rows) > 1
            header, body = (rows[0], rows[1:]) if headed else ((), rows)
            return Block("table", start, header=_spanned(header, rows), rows=_all_spanned(body, rows), named=named)
        case _:
            pieces = cutter.pieces(start, end)
            return Block(stretch.kind, start, syntax=stretch.syntax, pieces=pieces, named=named)


def _item(cutter: "_Cutter", start: int, end: int) -> Item:
    found = _ITEM.match(cutter.characters(start, end))
    indent, marker = (found["indent"], found["marker"] or "") if found else ("", "")
    body = start + len(indent) + len(marker)
    sign = marker.strip()
    shown = "•" if sign in _BULLETS else sign
    return Item(shown, min(len(indent) // _INDENT, _DEEPEST), cutter.pieces(body, end))


def _cells(cutter: "_Cutter", start: int, end: int) -> tuple[Cell, ...]:
    cells = []
    for words in cutter.characters(start, end).split(CELL_SEPARATOR):
        cells.append(Cell(cutter.pieces(start, start + len(words))))
        start += len(words) + len(CELL_SEPARATOR)
    return tuple(cells)


def _all_spanned(rows: Iterable[tuple[Cell, ...]], table: Sequence[tuple[Cell, ...]]) -> tuple[tuple[Cell, ...], ...]:
    return tuple(_spanned(row, table) for row in rows)


def _spanned(row: tuple[Cell, ...], table: Sequence[tuple[Cell, ...]]) -> tuple[Cell, ...]:
    """The row, its last cell as wide as what the other rows have more."""
    missing = max(map(len, table), default=0) - len(row)
    return (*row[:-1], Cell(row[-1].pieces, 1 + missing)) if row and missing else row


class _Cutter:
    """Cuts text wherever its look changes: at the ends of passages and of what is marked, and where pages begin."""

    def __init__(
        self,
        text: str,
        origin: int,
        extents: Sequence[Extent],
        *,
        pages: dict[int, int],
        marked: tuple[int, int] | None,
    ) -> None:
        self._text = text
        self._origin = origin
        self._extents = extents
        self._starts = [one.start for one in extents]
        self._marked = marked or (0, 0)
        self._opened = self._marked[0] < origin
        ends = (one.end for one in extents)
        self._cuts = sorted({*self._starts, *ends, *pages, *self._marked})
        # What begins between two pieces, in the white space or the bar between two cells, begins with the second.
        self._waiting_pages = sorted(pages.items(), reverse=True)
        self._waiting = [one for one in reversed(extents) if one.start >= origin]

    def characters(self, start: int, end: int) -> str:
        return self._text[start - self._origin : end - self._origin]

    def lines(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """The lines that hold more than white space."""
        for line in self.characters(start, end).split("\n"):
            if line.strip():
                yield start, start + len(line)
            start += len(line) + 1

    def pieces(self, start: int, end: int) -> tuple[Piece, ...]:
        """The characters [start, end), cut."""
        first, last = bisect_right(self._cuts, start), bisect_right(self._cuts, end - 1)
        borders = [start, *self._cuts[first:last], end]
        return tuple(self._piece(one, other) for one, other in pairwise(borders) if one < other)

    def _piece(self, start: int, end: int) -> Piece:
        holders = self._holders(start)
        marked = self._marked[0] <= start < self._marked[1]
        opens, self._opened = marked and not self._opened, self._opened or marked
        return Piece(
            self.characters(start, end),
            start,
            tuple(one.ordinal for one in holders),
            self._begun(end),
            self._page(start),
            marked,
            opens,
            holders[0].language if holders else "",
        )

    def _holders(self, position: int) -> list[Extent]:
        """The passages that this character belongs to: neighbours, for starts and ends of passages both grow."""
        at = bisect_right(self._starts, position)
        first = at
        while first > 0 and self._extents[first - 1].end > position:
            first -= 1
        return list(self._extents[first:at])

    def _begun(self, end: int) -> tuple[Extent, ...]:
        begun = []
        while self._waiting and self._waiting[-1].start < end:
            begun.append(self._waiting.pop())
        return tuple(begun)

    def _page(self, start: int) -> int | None:
        page = None
        while self._waiting_pages and self._waiting_pages[-1][0] <= start:
            page = self._waiting_pages.pop()[1]
        return page
