"""The elements that are open at a place in an HTML file, and which of them a tag closes without saying so."""

from collections import defaultdict

from kb.reading.html.names import CELLS, HEAD, HEADINGS, LISTS, ROW_GROUPS, TABLE_PARTS

_WALLS = frozenset(("table", "caption", *CELLS))
"""Tags inside these close nothing outside (HTML Standard, 13.2.4.2, "has an element in scope")."""

_HEAD = ("head",)
_PARAGRAPH = ("p",)
_TABLE = ("table",)
_SIBLINGS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "li": (("li",), ("ul", "ol", "menu", "dir")),
    **dict.fromkeys(("dt", "dd"), (("dt", "dd"), ("dl",))),
    **dict.fromkeys(CELLS, (("caption", *CELLS), _TABLE)),
    "tr": (("caption", "tr"), _TABLE),
    **dict.fromkeys(ROW_GROUPS, (tuple(TABLE_PARTS), _TABLE)),
    **dict.fromkeys(HEADINGS, (tuple(HEADINGS), ("caption",))),
}
"""What an element closes, when it begins, within the nearest of which."""

# fmt: off
_ENDS_PARAGRAPH = frozenset((
    "address", "article", "aside", "blockquote", "center", "details", "dialog", "div", "fieldset", "figcaption",
    "figure", "footer", "form", "header", "hgroup", "hr", "main", "nav", "p", "pre", "search", "section", "summary",
    "table", *HEADINGS, *LISTS,
))
# fmt: on


class Stack:
    """Each question is answered in the same time however deep the elements nest."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._places: defaultdict[str, list[int]] = defaultdict(list)
        self._walls: list[int] = []

    def __len__(self) -> int:
        return len(self._names)

    def push(self, name: str) -> int:
        """Open an element; its place."""
        place = len(self._names)
        self._names.append(name)
        self._places[name].append(place)
        if name in _WALLS:
            self._walls.append(place)
        return place

    def pop(self) -> str:
        """Close the innermost element."""
        name = self._names.pop()
        self._places[name].pop()
        if name in _WALLS:
            self._walls.pop()
        return name

    def last(self, name: str) -> int:
        """The place of the innermost open element of this name; -1 where none is open."""
        places = self._places.get(name)
        return places[-1] if places else -1

    def ended_by(self, name: str) -> int:
        """The place of the element that an end tag closes, with all inside it; -1 for a tag that closes nothing."""
        place = self.last(name)
        if name in TABLE_PARTS:
            return place if place > self.last("table") else -1
        return place if name == "table" or place > self._wall else -1

    def ended_by_start(self, name: str) -> int:
        """The place of the outermost element that a start tag closes; -1 where it closes none."""
        ended = [] if name in HEAD else self._inside(_HEAD, -1)
        if name in _SIBLINGS:
            siblings, within = _SIBLINGS[name]
            wall = max(self.last(one) for one in within)
            ended += self._inside(siblings, wall if "table" in within else max(wall, self._wall))
        if name in _ENDS_PARAGRAPH:
            ended += self._inside(_PARAGRAPH, self._wall)
        return min(ended) if ended else -1

    @property
    def _wall(self) -> int:
        return self._walls[-1] if self._walls else -1

    def _inside(self, names: tuple[str, ...], place: int) -> list[int]:
        """The innermost element of each of these names that is open inside the one at this place."""
        return [last for name in names if (last := self.last(name)) > place]
