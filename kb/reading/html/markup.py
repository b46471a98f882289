"""The markup of an HTML file, tag by tag, each with its line, as a browser takes it apart (HTML Standard, 13.2.5).

Parsers of HTML build trees, and no tree says on which line a text stands. This one goes once from the beginning to the
end: no pattern looks further than what it consumes.
"""

import re
from collections.abc import Iterator
from html import unescape

from kb.reading.html import names
from kb.reading.html.flow import Flow
from kb.reading.sections import Section

_MARKUP = re.compile(
    r"""
    <!--(?:-?>|.*?(?:--!?>|\Z))
  | <(?P<end>/?)(?P<name>[a-zA-Z][^\s/>]*+)
    (?P<attributes>(?>[^>=]++|=\s*+(?>"[^"]*+"|'[^']*+'|[^\s>]*+))*+)
    (?:>|\Z)
  | <[!?/][^>]*+(?:>|\Z)
    """,
    re.DOTALL | re.VERBOSE,
)
_ATTRIBUTE = re.compile(r"""([^\s"'>/=]++)(?:\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s>]*+)))?+""")
_ALT = re.compile(r"(?:^|\s)alt\s*=", re.IGNORECASE)
_ANNOTATION = re.compile(r"<annotation([^>]*+)(?:>|\Z)([^<]*+)", re.IGNORECASE)
_TAG = re.compile(r"<[^>]*+(?:>|\Z)")
_FOREIGN = frozenset(("svg",))

_AHEAD = re.compile(r"<(/?)(table|h[1-6])\b", re.IGNORECASE)
_LISTS_AHEAD = re.compile(r"<(/?)(ol|ul|menu|li)\b([^>]*)", re.IGNORECASE)
_CONTENT = re.compile(r"<(?:main|article)\b|\brole\s*=\s*[\"']?main\b", re.IGNORECASE)


def says_its_content(source: str) -> bool:
    """Whether a page says where its content is."""
    return _CONTENT.search(source) is not None


def attributes_of(written: str) -> dict[str, str]:
    """Names in lower case and values of what stands in a tag; the first of a name counts."""
    found: dict[str, str] = {}
    for name, *values in _ATTRIBUTE.findall(written):
        value = "".join(values)
        found.setdefault(name.lower(), unescape(value) if "&" in value else value)
    return found


def tag(flow: Flow, written: str, line: int) -> None:
    """One tag, whatever follows it. What is no tag is nothing."""
    found = _MARKUP.match(written)
    if found is not None and found["name"]:
        if found["end"]:
            flow.end(found["name"].lower())
        else:
            flow.start(found["name"].lower(), attributes_of(found["attributes"]), line)


def name_of(written: str) -> tuple[str, bool]:
    """The name of a tag, and whether it is an end tag; no name for what is no tag."""
    found = _MARKUP.match(written)
    return ((found["name"] or "").lower(), bool(found["end"])) if found else ("", False)


def feed(flow: Flow, source: str, *, line: int = 1, goes_on: bool = False) -> Iterator[Section]:
    """Let a flow have all of a source, whose first line has this number; the sections that are whole on the way.

    When the source is a part that `goes_on`, a table left open in it lays out what follows.
    """
    walk = _Walk(flow, source, line, _layouts(source, goes_on=goes_on))
    while walk.step():
        if flow.ready:
            yield from flow.take()


class _Walk:
    """One pass over a source."""

    def __init__(self, flow: Flow, source: str, line: int, layouts: set[int]) -> None:
        self._flow = flow
        self._source = source
        self._line = line
        self._at = 0
        self._in_foreign = 0
        self._is_xml = source.startswith("<?xml")
        self._layouts = layouts
        self._counts = _reversed_counts(source)

    def step(self) -> bool:
        """Take the next tag, with the text before it. False at the end."""
        source, begin = self._source, self._at
        found = _MARKUP.search(source, begin)
        at = found.start() if found else len(source)
        self._text(source[begin:at])
        if found is None:
            self._at = at
            return False
        self._at = found.end()
        line = self._line
        self._line += source.count("\n", at, self._at)
        if found["name"] and source[self._at - 1] == ">":
            name = found["name"].lower()
            if found["end"]:
                self._end(name)
            else:
                self._start(name, found["attributes"], at, line)
        return True

    def _text(self, data: str) -> None:
        if not data:
            return
        flow = self._flow
        for position, piece in enumerate(data.split("\n")):
            if position:
                flow.end_line()
                self._line += 1
            if piece:
                flow.text(unescape(piece) if "&" in piece else piece, self._line)

    def _start(self, name: str, written: str, at: int, line: int) -> None:
        attributes = attributes_of(written) if written else {}
        if name == "math":
            self._formula(attributes)
            return
        if name == "img" and (alt := _ALT.search(written)):
            line += written.count("\n", 0, alt.end())
        elif name == "table" and at in self._layouts:
            attributes["role"] = "presentation"
        elif name == "ol" and at in self._counts:
            attributes.setdefault("start", str(self._counts[at]))
        self._in_foreign += name in _FOREIGN
        self._flow.start(name, attributes, line)
        if written.endswith("/") and (self._is_xml or self._in_foreign):
            self._end(name)
        elif name in names.RAW and not self._in_foreign:
            self._raw(name)

    def _end(self, name: str) -> None:
        self._in_foreign -= name in _FOREIGN and self._in_foreign > 0
        self._flow.end(name)

    def _raw(self, name: str) -> None:
        """What is no markup up to the end tag, or, where there is none, to the end."""
        end = self._end_tag(name)
        self._text(self._source[self._at : end])
        self._at = end
        self._flow.end(name)

    def _formula(self, attributes: dict[str, str]) -> None:
        """A formula's source, where it is there beside its MathML, else its characters."""
        end = self._end_tag("math")
        content = self._source[self._at : end]
        notes = (note[2] for note in _ANNOTATION.finditer(content) if "tex" in note[1])
        source = attributes.get("alttext") or unescape(next(notes, "") or _TAG.sub(" ", content))
        self._flow.text(f" {' '.join(source.split())} ", self._line)
        self._line += content.count("\n")
        self._at = end

    def _end_tag(self, name: str) -> int:
        found = _END_TAGS[name].search(self._source, self._at)
        return found.start() if found else len(self._source)


_END_TAGS = {name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE) for name in (*names.RAW, "math")}


def _layouts(source: str, *, goes_on: bool) -> set[int]:
    """Where tables begin that hold tables or headings: those lay out a page, and have no rows to be read."""
    found: set[int] = set()
    open_tables: list[int] = []
    for markup in _AHEAD.finditer(source):
        is_table = markup[2].lower() == "table"
        if markup[1]:
            if is_table and open_tables:
                open_tables.pop()
            continue
        if open_tables:
            found.add(open_tables[-1])
        if is_table:
            open_tables.append(markup.start())
    return found.union(open_tables) if goes_on else found


def _reversed_counts(source: str) -> dict[int, int]:
    """How many items there are in each list that counts down, by where it begins."""
    found: dict[int, int] = {}
    open_lists: list[int] = []
    for markup in _LISTS_AHEAD.finditer(source):
        if markup[2].lower() == "li":
            if not markup[1] and open_lists and open_lists[-1] in found:
                found[open_lists[-1]] += 1
        elif markup[1]:
            if open_lists:
                open_lists.pop()
        else:
            open_lists.append(markup.start())
            if "reversed" in attributes_of(markup[3]):
                found[markup.start()] = 0
    return found
