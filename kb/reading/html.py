"""HTML: what a browser would show as text, block by block."""

from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from kb.reading import encoding, text
from kb.reading.composition import Composition, joint
from kb.reading.failures import Reason, Unreadable
from kb.reading.headings import Headings
from kb.reading.sections import About, Item, Kind, Section

VERSION = "1"

_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_WHOLES: dict[str, Kind] = {
    **dict.fromkeys(_HEADINGS, "heading"),
    **dict.fromkeys(("ul", "ol", "dl"), "list"),
    **dict.fromkeys(("caption", "figcaption"), "caption"),
    "pre": "code",
    "table": "table",
}
"""Elements that make one section with all that is in them."""

_UNSHOWN = {"script", "style", "noscript", "template", "head", "title", "iframe", "object", "svg", "math", "select"}
# fmt: off
_INLINE = frozenset((
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "br", "cite", "code", "data", "del", "dfn", "em",
    "font", "i", "img", "ins", "kbd", "label", "mark", "q", "rp", "rt", "ruby", "s", "samp", "small",
    "span", "strike", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr", "button", "input",
    "output", "meter", "progress",
))
# fmt: on


def read(path: Path) -> Iterator[Item]:
    """The blocks of an HTML file. The unit of its marks is the line on which an element begins, plus the lines its
    own text goes on for."""
    source = text.clean("".join(encoding.pieces(path)))
    root = _parsed(source)
    if root is None:
        raise Unreadable(Reason.NO_TEXT, "There is no text in this file.")
    yield About("html", VERSION, "line", title=text.one_line(root.findtext(".//title") or ""))
    yield from _Walk().sections(root)


def sections(source: str) -> Iterator[Section]:
    """The blocks of a page in clean text."""
    root = _parsed(source)
    return iter(()) if root is None else _Walk().sections(root)


def _parsed(source: str) -> etree._Element | None:
    parser = etree.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True)
    return etree.fromstring(source.encode(), parser)


class _Walk:
    """One pass over the elements, without recursion: an HTML file may nest as deep as it likes."""

    def __init__(self) -> None:
        self._headings = Headings()
        self._composition = Composition()
        self._open: list[str] = []
        self._whole: int | None = None  # where in _open the element stands that makes one section
        self._line = 1
        self._cells = 0  # of this row so far
        self._lead = ""
        self._between = ""  # what a block, row or cell puts before the next text
        self._gap = ""  # white space in the source before the next text

    def sections(self, root: etree._Element) -> Iterator[Section]:
        walk = etree.iterwalk(root, events=("start", "end"))
        for event, element in walk:
            tag = str(element.tag)
            if event == "start":
                self._line = element.sourceline or self._line
                yield from self._enter(tag)
                if tag in _UNSHOWN:
                    walk.skip_subtree()
                else:
                    self._add(element.text or "")
            else:
                yield from self._leave(tag)
                self._add(element.tail or "")
        yield from self._flush()

    def _enter(self, tag: str) -> Iterator[Section]:
        if self._whole is None and tag not in _INLINE:
            yield from self._flush()
        self._open.append(tag)
        if self._whole is None and tag in _WHOLES:
            self._whole = len(self._open) - 1
        elif self._whole is not None:
            self._begin(tag)
        if tag == "br":
            self._break_line()

    def _begin(self, tag: str) -> None:
        """A row, a cell or a line begins within a section."""
        kind = self._kind()
        if kind == "table":
            if tag == "tr":
                self._between = "\n"
                self._cells = 0
            elif tag in ("td", "th"):
                self._between += " | " if self._cells else ""
                self._cells += 1
            elif tag not in _INLINE:
                self._gap = " "
        elif kind == "list" and tag not in _INLINE:
            self._between = "\n"
            if tag == "li":
                self._lead = "  " * (self._nesting() - 1) + "- "

    def _break_line(self) -> None:
        if self._kind() == "table":
            self._gap = " "
        elif not self._between:
            self._between = "\n"

    def _leave(self, tag: str) -> Iterator[Section]:
        ends = self._whole == len(self._open) - 1
        if ends or (self._whole is None and tag not in _INLINE):
            yield from self._flush()
        elif self._kind() == "list" and tag not in _INLINE:
            self._between = "\n"
        if ends:
            self._whole = None
        self._open.pop()

    def _kind(self) -> Kind:
        return "prose" if self._whole is None else _WHOLES[self._open[self._whole]]

    def _nesting(self) -> int:
        return sum(tag in ("ul", "ol") for tag in self._open)

    def _add(self, data: str) -> None:
        for position, line in enumerate(data.split("\n")):
            if position:
                self._line += 1
                self._gap = "\n"
            if self._kind() == "code":
                self._add_code(line, begins=position > 0)
            else:
                self._add_words(line)

    def _add_code(self, line: str, *, begins: bool) -> None:
        self._between += "\n" if begins else ""
        if line.strip():
            self._composition.add(line.rstrip(), self._line, between=self._between)
            self._between = ""

    def _add_words(self, line: str) -> None:
        words = " ".join(line.split())
        if line[:1].isspace() and not self._gap:
            self._gap = " "
        if not words:
            return
        self._composition.add(self._lead + words, self._line, between=self._between or self._spacing(words[0]))
        self._lead = self._between = ""
        self._gap = " " if line[-1].isspace() else ""

    def _spacing(self, after: str) -> str:
        if self._gap == "\n" and self._composition:
            return joint(self._composition.ends, after)
        return self._gap

    def _flush(self) -> Iterator[Section]:
        """The section that ends here, if it has any text."""
        whole, kind = self._composition, self._kind()
        self._composition = Composition()
        self._lead = self._between = self._gap = ""
        if not whole:
            return
        if kind == "heading":
            level = _HEADINGS[self._open[self._whole or 0]]
            self._headings.enter(level, whole.section(kind).text)
        yield whole.section(kind, self._headings.path)
