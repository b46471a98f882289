"""The numbers that Word shows before headings and items of lists: counted, for a file holds none of them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lxml import etree

from kb.reading.word import numerals as word_numerals
from kb.reading.word.markup import name, number, toggle, value

_LEVELS = 9
_PATTERN_LENGTH = 200
_PLACE = re.compile("%([1-9])")
_GAPS = {"nothing": ""}


@dataclass(frozen=True, slots=True)
class Label:
    """What stands before a paragraph: "3.2.1", or "-" for a bullet of any shape; empty where a list shows nothing."""

    text: str
    gap: str
    level: int

    def before(self, words: str) -> str:
        """The words of the paragraph behind it."""
        return f"{self.text}{self.gap}{words}" if self.text else words


@dataclass(frozen=True, slots=True)
class _Level:
    start: int
    form: str
    sample: str
    pattern: str
    gap: str
    style: str
    is_legal: bool
    restarts_after: int | None
    """How many levels from the top make it begin again; None: all above it."""

    def begins_again_after(self, above: int) -> bool:
        return self.restarts_after is None or above < self.restarts_after


class _List:
    """The levels of a list and where each of them stands. Lists of the same definition count together."""

    def __init__(self, definition: etree._Element | None) -> None:
        levels = () if definition is None else definition.iterfind(name("w:lvl"))
        self.levels = {number(level.get(name("w:ilvl"), ""), 0): _level(level) for level in levels}
        self.counts: list[int | None] = [None] * _LEVELS


class _Instance:
    """A list as paragraphs refer to it: it may begin anew, and have levels of its own."""

    def __init__(self, shared: _List, element: etree._Element) -> None:
        self._shared = shared
        self._levels = dict(shared.levels)
        self._starts: dict[int, int] = {}
        for override in element.iterfind(name("w:lvlOverride")):
            at = number(override.get(name("w:ilvl"), ""), 0)
            own = override.find(name("w:lvl"))
            if own is not None:
                self._levels[at] = _level(own)
            start = value(override, name("w:startOverride"))
            if start:
                self._starts[at] = number(start, 1)
        self._to_restart = set(self._starts)

    def level_of(self, styles: Sequence[str]) -> int | None:
        """The level that one of these styles stands for."""
        found = {level.style: at for at, level in self._levels.items() if level.style}
        return next((found[style] for style in styles if style in found), None)

    def next(self, at: int) -> Label | None:
        level = self._levels.get(at)
        if level is None:
            return None
        self._count(at)
        words = _PLACE.sub(lambda place: self._numeral(int(place[1]) - 1, level), level.pattern).strip()
        if level.form == "bullet":
            return Label("-" if words else "", " ", at)
        return Label(words, level.gap, at)

    def _count(self, at: int) -> None:
        counts = self._shared.counts
        for above in range(at):
            # A number that is shown counts as used, also where the document skips its level (Microsoft KB Q110380).
            if counts[above] is None and above in self._levels:
                counts[above] = self._start(above)
        last = counts[at]
        restarts = last is None or at in self._to_restart
        self._to_restart.discard(at)
        counts[at] = self._start(at) if restarts else (last or 0) + 1
        for below in range(at + 1, _LEVELS):
            if below in self._levels and self._levels[below].begins_again_after(at):
                counts[below] = None

    def _start(self, at: int) -> int:
        return self._starts.get(at, self._levels[at].start)

    def _numeral(self, at: int, shown_in: _Level) -> str:
        count, level = self._shared.counts[at], self._levels.get(at)
        if count is None or level is None:
            return ""
        if shown_in.is_legal and level.form != "none":
            return str(count)
        return word_numerals.written(count, level.form, level.sample)


class Numbering:
    """The lists of a document. A file may have none."""

    def __init__(self, part: etree._Element | None, numbered_styles: Mapping[str, str]) -> None:
        self._instances: dict[str, _Instance] = {}
        if part is not None:
            self._read(part, numbered_styles)

    def next(self, list_id: str, level: int | None, styles: Sequence[str]) -> Label | None:
        """Count one more paragraph of a list at a level, or at that of its style; None where there is no such list."""
        instance = self._instances.get(list_id)
        if instance is None:
            return None
        if level is None:
            level = instance.level_of(styles) or 0
        return instance.next(min(max(level, 0), _LEVELS - 1))

    def _read(self, part: etree._Element, numbered_styles: Mapping[str, str]) -> None:
        definitions = {one.get(name("w:abstractNumId"), ""): one for one in part.iterfind(name("w:abstractNum"))}
        elements = {one.get(name("w:numId"), ""): one for one in part.iterfind(name("w:num"))}
        lists: dict[str, _List] = {}
        for list_id, element in elements.items():
            key = value(element, name("w:abstractNumId"))
            # A definition may say no more than the style that has the real one.
            style = value(definitions[key], name("w:numStyleLink")) if key in definitions else ""
            linked = elements.get(numbered_styles.get(style, ""))
            if linked is not None:
                key = value(linked, name("w:abstractNumId"))
            if key not in lists:
                lists[key] = _List(definitions.get(key))
            self._instances[list_id] = _Instance(lists[key], element)


def _level(element: etree._Element) -> _Level:
    form = next(element.iter(name("w:numFmt")), None)
    restart = value(element, name("w:lvlRestart"))
    return _Level(
        start=number(value(element, name("w:start")), 0),
        form="decimal" if form is None else form.get(name("w:val"), "decimal"),
        sample="" if form is None else form.get(name("w:format"), ""),
        pattern=value(element, name("w:lvlText"))[:_PATTERN_LENGTH],
        gap=_GAPS.get(value(element, name("w:suff")), " "),
        style=value(element, name("w:pStyle")),
        is_legal=bool(toggle(element, name("w:isLgl"))),
        restarts_after=number(restart, 0) if restart else None,
    )
