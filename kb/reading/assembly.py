"""A document's text put together from its sections, and what stands where in it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kb.reading.sections import SEPARATOR, About, Item, Kind, Mark, Page, Section, Unit


@dataclass(frozen=True, slots=True)
class Heading:
    """An entry of the outline: level from 1, and where in the document's text it stands."""

    level: int
    title: str
    start: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """A section in its document: it is text[start:end]."""

    start: int
    end: int
    kind: Kind
    heading_path: tuple[str, ...]
    context: str = ""
    syntax: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """All that was read out of a file: one text, and what stands where in it. Marks are absolute and in order."""

    text: str
    stretches: tuple[Stretch, ...]
    marks: tuple[Mark, ...]
    outline: tuple[Heading, ...]
    page_starts: tuple[int, ...]
    unit: Unit

    def outline_json(self) -> list[dict[str, Any]]:
        """The outline as it is stored: [{level, title, start}]."""
        return [{"level": one.level, "title": one.title, "start": one.start} for one in self.outline]

    def stretches_json(self) -> list[list[Any]]:
        """The stretches as they are stored: [[start, end, kind, syntax]]."""
        return [[one.start, one.end, one.kind, one.syntax] for one in self.stretches]


def read_document(items: Iterable[Item]) -> Reading:
    """Collect what a reader yields."""
    collection = _Collection()
    for item in items:
        collection.add(item)
    return collection.reading()


class _Collection:
    """A reading in the making."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._length = 0
        self._stretches: list[Stretch] = []
        self._marks: list[Mark] = []
        self._outline: list[Heading] = []
        self._path: tuple[str, ...] = ()
        self._page_starts: list[int | None] = []
        self._unit: Unit = "line"

    def add(self, item: Item) -> None:
        match item:
            case About():
                self._unit = item.unit
            case Page():
                self._page_starts.append(None)
            case Section():
                self._add_section(item)

    def reading(self) -> Reading:
        return Reading(
            "".join(self._pieces),
            tuple(self._stretches),
            tuple(self._marks),
            tuple(self._outline),
            self._starts_of_pages(),
            self._unit,
        )

    def _add_section(self, section: Section) -> None:
        if self._pieces:
            self._append(SEPARATOR)
        start = self._length
        self._append(section.text)
        self._stretches.append(
            Stretch(start, self._length, section.kind, section.heading_path, section.context, section.syntax)
        )
        self._marks += (
            Mark(start + mark.start, start + mark.end, mark.unit, mark.box, mark.cell)
            for mark in section.marks
            if mark.start < mark.end
        )
        if self._page_starts:
            self._note_pages(section, start)
        self._note_headings(section, start)

    def _append(self, piece: str) -> None:
        self._pieces.append(piece)
        self._length += len(piece)

    def _note_pages(self, section: Section, start: int) -> None:
        """A page begins with the first text marked as standing on it, be it in the middle of a paragraph."""
        for mark in section.marks:
            if mark.unit <= len(self._page_starts) and self._page_starts[mark.unit - 1] is None:
                self._page_starts[mark.unit - 1] = start + mark.start

    def _starts_of_pages(self) -> tuple[int, ...]:
        """An empty page begins where the next text does."""
        starts, following = [], self._length
        for start in reversed(self._page_starts):
            following = following if start is None else min(start, following)
            starts.append(following)
        return tuple(reversed(starts))

    def _note_headings(self, section: Section, start: int) -> None:
        """A heading begins with its own section, or, when its title is not in the text, with the first below it."""
        known = _common(self._path, section.heading_path)
        if section.kind == "heading":
            known = min(known, len(section.heading_path) - 1)
        for level, title in enumerate(section.heading_path[known:], start=known + 1):
            self._outline.append(Heading(level, title, start))
        self._path = section.heading_path


def _common(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((position for position, (a, b) in pairs if a != b), min(len(one), len(other)))
