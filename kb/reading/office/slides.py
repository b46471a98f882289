"""PowerPoint presentations (.pptx): each slide's title, text, tables, charts and notes, in the order they are read.

Read from the XML itself: python-pptx loads every picture with the file and passes over shapes with newer features.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from kb.reading import archive, arrangement, grid
from kb.reading.arrangement import Frame
from kb.reading.composition import Composition
from kb.reading.headings import Headings
from kb.reading.office import drawings
from kb.reading.parts import Parts
from kb.reading.sections import About, Item, Kind, Progress, Section

VERSION = "1"

_SLIDES = "{*}sldIdLst/{*}sldId"
_PLACEHOLDER = "*/{*}nvPr/{*}ph"
_PLACES = ("{*}spPr/{*}xfrm", "{*}grpSpPr/{*}xfrm", "{*}xfrm")
_TREE = "{*}cSld/{*}spTree"

_TITLES = ("title", "ctrTitle")
_BODIES = ("body", "obj")
_FURNITURE = ("dt", "ftr", "hdr", "sldNum", "sldImg")
"""Placeholders of what repeats on every slide."""


def read(path: Path) -> Iterator[Item]:
    """The slides of a presentation, hidden ones too: they are there for whoever opens the file. Its marks count
    slides."""
    archive.check(path)
    parts = Parts(path)
    main = parts.main()
    root = parts.root(main)
    relations = parts.relations(main)
    yield About("slides", VERSION, "slide", title=parts.title())
    groups = _groups(root)
    layouts = _Layouts(parts)
    slides = [(one.get("id", ""), relations.get(drawings.reference(one))) for one in root.iterfind(_SLIDES)]
    for number, (key, relation) in enumerate(slides, start=1):
        if relation:
            yield from _Slide(parts, layouts, relation.target, number=number, group=groups.get(key, "")).sections()
        yield Progress(number, len(slides))


def _groups(root: etree._Element) -> dict[str, str]:
    """The name of the group that each slide is in, by the slide's id; one group alone says nothing."""
    groups = [one for one in root.iter("{*}section") if one.get("name")]
    members = [(one.get("id", ""), group.get("name", "")) for group in groups for one in group.iterfind(_SLIDES)]
    return dict(members) if len(groups) > 1 else {}


class _Layouts:
    """Where placeholders stand when their slide does not say: each layout is looked at once."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._known: dict[str, dict[str, etree._Element]] = {}

    def places(self, slide: str) -> dict[str, etree._Element]:
        """The place of each placeholder by its index."""
        layout = self._parts.related(slide, "slideLayout")
        if layout not in self._known:
            self._known[layout] = self._look(layout) if layout else {}
        return self._known[layout]

    def _look(self, layout: str) -> dict[str, etree._Element]:
        master = self._parts.related(layout, "slideMaster")
        general = {kind: place for kind, _index, place in self._placeholders(master) if place is not None}
        found = {}
        for kind, index, place in self._placeholders(layout):
            place = general.get(_general(kind)) if place is None else place
            if place is not None:
                found[index] = place
        return found

    def _placeholders(self, part: str) -> Iterator[tuple[str, str, etree._Element | None]]:
        tree = self._parts.root(part).find(_TREE) if part else None
        for shape in () if tree is None else _shapes(tree):
            if (kind := _kind(shape)) is not None:
                yield kind, _index(shape), _place(shape)


class _Slide:
    """One slide."""

    def __init__(self, parts: Parts, layouts: _Layouts, part: str, *, number: int, group: str) -> None:
        self._parts = parts
        self._part = part
        self._places = layouts.places(part)
        self._number = number
        self._headings = Headings()
        if group:
            self._headings.enter(0, group)

    def sections(self) -> Iterator[Section]:
        """Its title as a heading, then its shapes row by row, then its notes below the same heading."""
        tree = self._parts.root(self._part).find(_TREE)
        shapes = [] if tree is None else [one for one in _shapes(tree) if _kind(one) not in _FURNITURE]
        title = next((one for one in shapes if _kind(one) in _TITLES and _lines(one)), None)
        if title is not None:
            words = " ".join(_lines(title))
            self._headings.enter(1, words)
            yield from self._section([words], "heading")
        yield from self._shapes([one for one in shapes if one is not title])
        yield from self._notes()

    def _shapes(self, shapes: list[etree._Element]) -> Iterator[Section]:
        for frame in arrangement.in_reading_order([_frame(one, self._places) for one in shapes]):
            if frame.shape.tag.endswith("}grpSp"):
                yield from self._shapes(list(_shapes(frame.shape)))
            elif frame.shape.tag.endswith("}graphicFrame"):
                yield from self._graphic(frame.shape)
            else:
                yield from self._text(frame.shape)

    def _text(self, shape: etree._Element) -> Iterator[Section]:
        """A body of several paragraphs is a list: bullets are its style's, and stand nowhere in the slide."""
        body = shape.find("{*}txBody")
        paragraphs = [] if body is None else [one for one in body.iterchildren("{*}p") if drawings.paragraph(one)]
        listed = _kind(shape) in _BODIES and len(paragraphs) > 1
        items = [_item(one, listed=listed) for one in paragraphs]
        yield from self._section(items, "list" if any(item.lstrip().startswith("- ") for item in items) else "prose")

    def _graphic(self, frame: etree._Element) -> Iterator[Section]:
        for table in frame.iter("{*}tbl"):
            found = grid.table(_rows(table), self._headings.path, unit=lambda _row: self._number, heads=_heads(table))
            if found:
                yield found
        relations = self._parts.relations(self._part)
        for element in frame.iter(drawings.CHART, drawings.DIAGRAM):
            words = drawings.chart if element.tag == drawings.CHART else drawings.diagram
            relation = relations.get(drawings.reference(element, "id" if element.tag == drawings.CHART else "dm"))
            if relation and relation.target in self._parts:
                yield from self._section(words(self._parts.root(relation.target)), "prose")

    def _notes(self) -> Iterator[Section]:
        part = self._parts.related(self._part, "notesSlide")
        tree = self._parts.root(part).find(_TREE) if part else None
        for shape in () if tree is None else _shapes(tree):
            if _kind(shape) == "body":
                yield from self._section(_lines(shape), "prose")

    def _section(self, lines: list[str], kind: Kind) -> Iterator[Section]:
        whole = Composition()
        for line in lines:
            whole.add(line, self._number, between="\n")
        if whole:
            yield whole.section(kind, self._headings.path)


def _shapes(tree: etree._Element) -> Iterator[etree._Element]:
    """The shapes directly within a tree or group; of alternatives the first, which is the newest."""
    for child in tree:
        name = child.tag.rpartition("}")[2]
        if name in ("sp", "grpSp", "graphicFrame"):
            yield child
        elif name == "AlternateContent" and len(child):
            yield from _shapes(child[0])


def _kind(shape: etree._Element) -> str | None:
    """The type of a placeholder; None for another shape."""
    found = shape.find(_PLACEHOLDER)
    return None if found is None else found.get("type", "obj")


def _index(shape: etree._Element) -> str:
    found = shape.find(_PLACEHOLDER)
    return "" if found is None else found.get("idx", "0")


def _general(kind: str) -> str:
    """The kind of a master's placeholder that one of this kind takes its place from."""
    return "title" if kind in _TITLES else kind if kind in _FURNITURE else "body"


def _place(shape: etree._Element) -> etree._Element | None:
    return next((found for path in _PLACES if (found := shape.find(path)) is not None), None)


def _lines(shape: etree._Element) -> list[str]:
    body = shape.find("{*}txBody")
    return [] if body is None else drawings.paragraphs(body)


def _item(paragraph: etree._Element, *, listed: bool) -> str:
    look = paragraph.find("{*}pPr")
    names = set() if look is None else {child.tag.rpartition("}")[2] for child in look}
    bulleted = bool(names & {"buChar", "buAutoNum", "buBlip"}) or (listed and "buNone" not in names)
    level = "0" if look is None else look.get("lvl", "0")
    indent = "  " * int(level) if level in set("012345678") else ""
    return f"{indent}- {drawings.paragraph(paragraph)}" if bulleted else drawings.paragraph(paragraph)


def _rows(table: etree._Element) -> grid.Rows:
    """A cell that is merged into the one before it shows nothing; into the one above, that one's text again."""
    rows: grid.Rows = {}
    above: dict[int, str] = {}
    for number, row in enumerate(table.iterchildren("{*}tr"), start=1):
        cells = {}
        for column, cell in enumerate(row.iterchildren("{*}tc"), start=1):
            if cell.get("hMerge") in _TRUE:
                cells[column] = ""
            elif cell.get("vMerge") in _TRUE:
                cells[column] = grid.repeated(above.get(column, ""))
            else:
                cells[column] = " ".join(_lines(cell))
        rows[number] = above = cells
    return rows


_TRUE = ("1", "true")


def _heads(table: etree._Element) -> int:
    look = table.find("{*}tblPr")
    return int(look is not None and look.get("firstRow") in _TRUE)


def _frame(shape: etree._Element, places: dict[str, etree._Element]) -> Frame:
    place = _place(shape)
    if place is None:
        place = places.get(_index(shape))
    if place is None:
        return Frame(shape)
    left, top = _numbers(place.find("{*}off"), "x", "y")
    width, height = _numbers(place.find("{*}ext"), "cx", "cy")
    return arrangement.frame(shape, left=left, top=top, width=width, height=height)


def _numbers(element: etree._Element | None, *names: str) -> list[int]:
    written = ["" if element is None else element.get(name, "") for name in names]
    return [int(number) if _NUMBER.fullmatch(number) else 0 for number in written]


_NUMBER = re.compile(r"-?[0-9]{1,15}")
