"""The outline of a document as a page shows it: the whole of a short one, the upper levels of a long one."""

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from kb.models import Revision, RevisionText

LIMIT = 300
"""So many entries are shown at once: more, nobody reads."""

_DEEPEST = 6

Range = tuple[int, int]


@dataclass(frozen=True)
class Entry:
    """A heading, and where it stands in the text. `below` are the entries left out under it."""

    title: str
    level: int
    start: int
    below: Range | None = None

    @property
    def left_out(self) -> int:
        return self.below[1] - self.below[0] if self.below else 0


@dataclass(frozen=True)
class Outline:
    """Entries to show, and the range of those that come after them."""

    entries: list[Entry]
    after: Range | None = None


def of(revision: Revision, begin: int = 0, end: int | None = None) -> Outline:
    """The outline from entry `begin` up to `end`, shortened where it is long. Empty while nothing was read."""
    stored = RevisionText.objects.filter(revision=revision).values_list("outline", flat=True).first() or []
    begin = max(begin, 0)
    end = len(stored) if end is None else min(end, len(stored))
    depth = _depth(stored[begin:end])
    shown = [at for at in range(begin, end) if at == begin or stored[at]["level"] <= depth]
    after = shown[LIMIT] if len(shown) > LIMIT else end
    shown = shown[:LIMIT]
    entries = [
        _entry(stored[at], (at + 1, following) if at + 1 < following else None)
        for at, following in pairwise([*shown, after])
    ]
    return Outline(entries, (after, end) if after < end else None)


def _depth(stored: list[dict[str, Any]]) -> int:
    """The deepest level down to which they are few enough; at least the highest one there is."""
    levels = Counter(entry["level"] for entry in stored)
    shown, depth = 0, min(levels, default=1)
    for level in sorted(levels):
        shown += levels[level]
        if shown > LIMIT:
            break
        depth = level
    return depth


def _entry(stored: dict[str, Any], below: Range | None) -> Entry:
    return Entry(stored["title"], min(stored["level"], _DEEPEST), stored["start"], below)
