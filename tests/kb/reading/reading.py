"""What the tests of every reader look at."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import psutil

from kb.reading import text
from kb.reading.sections import Item, Section

Reader = Callable[[Path], Iterator[Item]]


def sections(items: Iterable[Item]) -> list[Section]:
    """The sections among the items, each checked for what must hold of all: clean text, marks in order within it."""
    found = [item for item in items if isinstance(item, Section)]
    for section in found:
        assert text.clean(section.text) == section.text
        assert section.text.strip()
        at = 0
        for mark in section.marks:
            assert at <= mark.start < mark.end <= len(section.text)
            at = mark.end
        if section.kind == "heading":
            assert section.heading_path
    return found


def marked(section: Section) -> list[tuple[int, str]]:
    """Each mark's unit, and the text it marks."""
    return [(mark.unit, section.text[mark.start : mark.end]) for mark in section.marks]


def servers() -> list[psutil.Process]:
    """The processes of ours that children are forked from."""
    living = [one for one in psutil.Process().children() if one.status() != psutil.STATUS_ZOMBIE]
    return [one for one in living if "kb.reading.confined.forkserver" in one.cmdline()]


def children() -> list[psutil.Process]:
    """Those that read a file just now."""
    return [child for server in servers() for child in server.children()]
