"""Elements of HTML and their text, as they come, laid out as a browser would and cut into sections.

HTML and Markdown both end here: a raw HTML table in a Markdown file is the table that a page would show.
"""

import re
from collections.abc import Iterable

from kb.reading import verbatim
from kb.reading.composition import Composition, joint
from kb.reading.headings import Headings
from kb.reading.html import lists, names
from kb.reading.html.names import Attributes
from kb.reading.html.stack import Stack
from kb.reading.html.table import Table
from kb.reading.sections import Kind, Section

_INDENT = "  "
_INDENTS_MOST = 12
"""Lists nested deeper than people do are not indented further: the spaces would outgrow the text."""

_SPACES = re.compile("[ \t\n\r\u00a0]+")
_SOFT_HYPHEN = "\u00ad"
_NEAR = 4
"""So many elements around code may say its language: a highlighter's wrappers."""


class _Code:
    """An element that keeps its line breaks."""

    def __init__(self, syntax: str) -> None:
        self.syntax = syntax
        self.lines: list[list[tuple[int, str]]] = []
        self._ended = True  # the last line: what comes begins another

    def add(self, words: str, line: int) -> None:
        """Text; its line breaks, if any, are none of the source."""
        for position, piece in enumerate(words.split("\n")):
            if position:
                self.end_line()
            if self._ended:
                self._begin_line()
            self.lines[-1].append((line, piece))

    def end_line(self) -> None:
        """A line break."""
        if self._ended:
            self._begin_line()
        self._ended = True

    def begin_block(self) -> None:
        """Inside code a block is a line."""
        self._ended = True

    def _begin_line(self) -> None:
        self.lines.append([])
        self._ended = False


class Flow:
    """Sections in the making. Those that are whole wait in `ready`, in order."""

    def __init__(self, *, has_content: bool = False) -> None:
        self.ready: list[Section] = []
        self._has_content = has_content  # the page says where its content is: what stands around that is left out
        self._headings = Headings()
        self._stack = Stack()
        self._unshown = -1  # the place of the element of which nothing is shown
        self._is_furniture = False  # and that it stands around the content
        self._contents: list[int] = []
        self._syntaxes: list[tuple[int, str]] = []
        self._heading: tuple[int, int] | None = None  # place, level
        self._permalink = -1  # the place of a link in a heading to the heading itself
        self._caption = -1
        self._lists: list[tuple[int, lists.List]] = []
        self._table: tuple[int, Table] | None = None
        self._cell = -1
        self._code: tuple[int, _Code] | None = None
        self._composition = Composition()
        self._line = 0  # of the last words
        self._lead = ""  # what is to stand before the next words: an item's number
        self._between = ""  # what a block or a line break puts before them
        self._gap = ""  # white space in the source before them

    # --- What comes ---

    def start(self, name: str, attributes: Attributes, line: int) -> None:
        """An element begins (and ends, if it is one that has no end)."""
        self._close(self._stack.ended_by_start(name))
        if name in names.EMPTY:
            if self._unshown < 0 and not names.is_unshown(name, attributes):
                self._place(name, attributes, line)
            return
        part = names.landmark(name, attributes)
        place = self._stack.push(name)
        if names.is_content(part):
            self._contents.append(place)
            if self._is_furniture and part == "main":
                self._unshown, self._is_furniture = -1, False
        if self._unshown >= 0:
            return
        if self._is_left_out(name, part, attributes):
            self._unshown, self._is_furniture = place, names.is_furniture(part)
            return
        if attributes and (syntax := names.syntax(attributes)):
            self._note_syntax(place, syntax)
        if name == "a" and self._heading is not None and attributes.get("href", "").startswith("#"):
            self._permalink = place
        self._open(name, attributes, place)

    def end(self, name: str) -> None:
        """An end tag."""
        self._close(self._stack.ended_by(name))

    def text(self, words: str, line: int) -> None:
        """Text from one line of the source."""
        if self._unshown >= 0:
            return
        if self._code is not None:
            self._code[1].add(words, line)
            return
        collapsed = _SPACES.sub(" ", words.replace(_SOFT_HYPHEN, ""))
        shown = collapsed.strip(" ")
        if collapsed[:1] == " " and not self._gap:
            self._gap = " "
        if not shown or (self._permalink >= 0 and not any(map(str.isalnum, shown))):  # "#", "¶"
            return
        if self._cell >= 0 and self._table is not None:
            self._table[1].add(shown, line, gap=self._gap)
        elif line == self._line and self._composition and not self._between:
            self._composition.go_on(shown, between=self._spacing(shown[0]))
        else:
            self._composition.add(self._before() + shown, line, between=self._between or self._spacing(shown[0]))
        self._line = line
        self._lead = self._between = ""
        self._gap = " " if collapsed[-1] == " " else ""

    def end_line(self) -> None:
        """A line of the source ends here, within text."""
        if self._unshown >= 0:
            return
        if self._code is not None:
            self._code[1].end_line()
        else:
            self._gap = "\n"

    def lead(self, words: str) -> None:
        """Something to stand before the next words, as an item's number does."""
        self._lead = words

    def code(self, lines: Iterable[tuple[int, str]], *, syntax: str) -> None:
        """Lines of code, whole."""
        self._close(self._stack.ended_by_start("pre"))
        if self._unshown < 0:
            self._flush()
            self._keep(verbatim.section(([line] for line in lines), self._headings.path, syntax=syntax))

    def finish(self) -> None:
        """Nothing more comes."""
        self._close(0)
        self._flush()

    def take(self) -> list[Section]:
        """The sections that are whole by now."""
        taken, self.ready = self.ready, []
        return taken

    # --- What it does ---

    def _is_left_out(self, name: str, part: str, attributes: Attributes) -> bool:
        if names.is_unshown(name, attributes):
            return True
        if name == "button":  # beside code it says "Copy"; in a heading it is what unfolds the answer
            return self._heading is None
        if not self._has_content or not names.is_furniture(part):
            return False
        return part == "nav" or not self._contents

    def _note_syntax(self, place: int, syntax: str) -> None:
        self._syntaxes.append((place, syntax))
        if self._code is not None and not self._code[1].syntax:
            self._code[1].syntax = syntax

    def _place(self, name: str, attributes: Attributes, line: int) -> None:
        """An element that has no end."""
        if name == "br":
            self._break_line()
        elif name == "hr":
            self._border()
        elif name == "img" and self._code is None and attributes.get("alt", "").strip():
            self.text(f" {attributes['alt']} ", line)
        elif name == "input" and attributes.get("type") == "checkbox" and self._lead:
            self._lead += "[x] " if "checked" in attributes else "[ ] "

    def _break_line(self) -> None:
        if self._code is not None:
            self._code[1].end_line()
        elif self._cell >= 0 or self._heading is not None:
            self._gap = self._gap or " "
        elif self._between and self._kind() == "prose":
            self._flush()
        elif self._composition:
            self._between = "\n"

    def _open(self, name: str, attributes: Attributes, place: int) -> None:
        if self._code is not None:
            if name in names.BLOCKS:
                self._code[1].begin_block()
        elif self._is_part_of_table(name):
            self._open_table_part(name, attributes, place)
        elif name not in names.BLOCKS:
            return
        elif self._cell >= 0 or self._heading is not None:
            self._gap = self._gap or " "
        elif name in names.LISTS:
            self._open_list(name, attributes, place)
        elif name in names.ITEMS and self._lists:
            self._begin_item(name, attributes)
        else:
            self._open_block(name, attributes, place)

    def _open_block(self, name: str, attributes: Attributes, place: int) -> None:
        if name in names.HEADINGS:
            self._flush()
            self._lead = ""
            self._heading = place, names.HEADINGS[name]
        elif name in names.CODE:
            self._flush()
            near = [syntax for where, syntax in self._syntaxes[-1:] if where >= place - _NEAR]
            self._code = place, _Code(near[0] if near else "")
        elif name == "table" and attributes.get("role") not in ("presentation", "none"):
            self._flush()
            if self._table is None:
                self._table = place, Table()
        elif name in ("figcaption", "caption") and self._caption < 0:
            self._flush()
            self._caption = place
        else:
            self._border()

    def _is_part_of_table(self, name: str) -> bool:
        if self._table is None or name not in names.TABLE_PARTS:
            return False
        return self._stack.last("table") == self._table[0]

    def _open_table_part(self, name: str, attributes: Attributes, place: int) -> None:
        if self._table is None:
            return
        table = self._table[1]
        if name == "tr":
            table.begin_row()
        elif name in names.CELLS:
            self._flush()
            table.begin_cell(attributes, header=name == "th")
            self._cell = place
        elif name == "caption":
            self._flush()
            self._caption = place

    def _open_list(self, name: str, attributes: Attributes, place: int) -> None:
        self._border()
        if not self._lists:
            self._flush()
        self._lists.append((place, lists.opened(name, attributes)))

    def _begin_item(self, name: str, attributes: Attributes) -> None:
        of = self._lists[-1][1]
        self._border()
        if name == "li":
            self._lead = _INDENT * min(len(self._lists) - 1, _INDENTS_MOST) + of.marker(attributes)
        else:
            of.item = name == "dd"
            self._lead = self._indent()

    def _close(self, place: int) -> None:
        """Close the element at this place, with all inside it."""
        while place >= 0 and len(self._stack) > place:
            name = self._stack.pop()
            top = len(self._stack)
            if self._contents and self._contents[-1] == top:
                self._contents.pop()
            if self._syntaxes and self._syntaxes[-1][0] == top:
                self._syntaxes.pop()
            if self._permalink == top:
                self._permalink = -1
            if self._unshown == top:
                self._unshown, self._is_furniture = -1, False
            elif self._unshown < 0 and name in names.BLOCKS:
                self._close_block(name, top)

    def _close_block(self, name: str, place: int) -> None:
        if self._code is not None:
            self._close_code(place)
        elif self._table is not None and self._close_in_table(name, place):
            return
        elif self._cell >= 0:
            self._gap = self._gap or " "
        elif self._heading is not None:
            self._close_heading(place)
        elif self._lists and self._lists[-1][0] == place:
            self._close_list()
        elif self._caption == place:
            self._flush()
            self._caption = -1
        else:
            self._border()
            if name in names.ITEMS:
                self._lead = ""

    def _close_code(self, place: int) -> None:
        if self._code is None or self._code[0] != place:
            if self._code is not None:
                self._code[1].begin_block()
            return
        code = self._code[1]
        self._code = None
        self._keep(verbatim.section(code.lines, self._headings.path, syntax=code.syntax))

    def _close_in_table(self, name: str, place: int) -> bool:
        """Whether it was the table itself, a row or a cell of it that ended."""
        if self._table is None:
            return False
        at, table = self._table
        if place == self._cell:
            self._cell = -1
            self._gap = ""
            table.end_cell()
        elif name == "tr" and self._cell < 0:
            table.end_row(in_header=self._stack.last("thead") > at)
        elif place == at:
            table.end_row(in_header=False)
            self._table = None
            self._flush()
            self._keep(table.section(self._headings.path))
        else:
            return False
        return True

    def _close_heading(self, place: int) -> None:
        if self._heading is None or self._heading[0] != place:
            self._gap = self._gap or " "
            return
        level = self._heading[1]
        if self._composition:
            self._headings.enter(level, self._composition.section("heading").text)
        self._flush()
        self._heading = None

    def _close_list(self) -> None:
        self._border()
        if len(self._lists) == 1:
            self._flush()
        self._lists.pop()
        self._lead = ""

    def _border(self) -> None:
        """A block begins or ends: a paragraph with it, or in a list or a caption a line."""
        if self._kind() == "prose":
            self._flush()
        elif self._composition:
            self._between = "\n"

    def _kind(self) -> Kind:
        if self._heading is not None:
            return "heading"
        if self._caption >= 0:
            return "caption"
        return "list" if self._lists else "prose"

    def _indent(self) -> str:
        """Where the text of an item stands."""
        if not self._lists:
            return ""
        depth = len(self._lists) - (0 if self._lists[-1][1].item else 1)
        return _INDENT * min(depth, _INDENTS_MOST)

    def _before(self) -> str:
        if self._lead or self._between != "\n" or self._kind() != "list":
            return self._lead
        return self._indent()

    def _spacing(self, after: str) -> str:
        if self._gap == "\n" and self._composition:
            return joint(self._composition.ends, after)
        return self._gap

    def _flush(self) -> None:
        """The section that ends here, if it has any text."""
        self._between = self._gap = ""
        if self._composition:
            self.ready.append(self._composition.section(self._kind(), self._headings.path))
            self._composition = Composition()
            self._lead = ""

    def _keep(self, section: Section | None) -> None:
        if section is not None:
            self.ready.append(section)
