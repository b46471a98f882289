"""The headings open at a place in a document, outermost first."""

from collections.abc import Iterable

from kb.reading import text

TITLE_LENGTH = 300
"""A heading path repeats in every passage below it: the text of a longer heading stands whole in its own section."""


class Headings:
    """The path to where a reader is. A smaller level is further out; a heading closes those of its level and below."""

    def __init__(self, opened: Iterable[tuple[float, str]] = ()) -> None:
        self._open: list[tuple[float, str]] = list(opened)

    @property
    def opened(self) -> tuple[tuple[float, str], ...]:
        """The open headings, each with its level: another may begin with them."""
        return tuple(self._open)

    @property
    def path(self) -> tuple[str, ...]:
        """The titles of the open headings."""
        return tuple(title for _level, title in self._open)

    def enter(self, level: float, title: str) -> tuple[str, ...]:
        """Open a heading; the path that ends in it."""
        while self._open and self._open[-1][0] >= level:
            self._open.pop()
        self._open.append((level, text.one_line(title)[:TITLE_LENGTH].rstrip()))
        return self.path
