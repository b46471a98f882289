"""Where a document is cut into passages: at headings first, then between paragraphs, sentences or lines, and words."""

from array import array
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise

from embeddings.encoder import Tokenizer, is_between_letters
from kb import boundaries, language
from kb.context import Contexts
from kb.reading.assembly import Reading, Stretch
from kb.reading.sections import Kind

_ORPHAN = 4
"""A passage smaller than one part in so many of the target is put with a neighbour."""

_REPEATED: tuple[Kind, ...] = ("prose", "list", "caption")
"""Kinds of text of which a passage may repeat the end of the one before."""

_SAMPLE = 1_000
"""Characters of a stretch that say which language its sentences are in."""


@dataclass(frozen=True)
class Sizes:
    """In tokens: what a passage should have; what it may have at most, its context counted in; how much of the one
    before it may repeat."""

    target: int
    limit: int
    overlap: int

    @property
    def least(self) -> float:
        """Less than this does not stand alone."""
        return self.target / _ORPHAN


class Ruler:
    """Measures ranges of a document in the encoder's tokens: it is tokenized once."""

    def __init__(self, text: str, tokenizer: Tokenizer) -> None:
        self.text = text
        self._starts = array("Q", [start for start, _end in tokenizer.offsets(text)])

    def size(self, start: int, end: int) -> int:
        """Tokens that begin in text[start:end]."""
        return bisect_left(self._starts, end) - bisect_left(self._starts, start)

    def reach(self, start: int, tokens: int) -> int:
        """How far so many tokens go from `start`: at least one character."""
        following = bisect_left(self._starts, start) + tokens
        return max(start + 1, self._starts[following]) if following < len(self._starts) else len(self.text)

    def ends(self, start: int, end: int) -> tuple[str, int]:
        """text[start:end] without its middle, and how many tokens that has: only at its ends may a text have other
        tokens alone than within its document.

        The middle goes from the first to the last space between two letters (see `encoder.is_between_letters`).
        """
        text = self.text
        first = text.find(" ", start + 1, end - 1)
        while first > 0 and not is_between_letters(text, first):
            first = text.find(" ", first + 1, end - 1)
        last = text.rfind(" ", start + 1, end - 1)
        while last > first and not is_between_letters(text, last):
            last = text.rfind(" ", start + 1, last)
        if first < 0:
            return text[start:end], 0
        return text[start:first] + text[last:end], self.size(first, last)


class Group:
    """Stretches below one heading path, behind the headings that lead to it: what passages are cut from."""

    def __init__(self, reading: Reading, stretches: Sequence[Stretch]) -> None:
        self.stretches = stretches
        self.heading_path = stretches[-1].heading_path
        self.body = next((one.start for one in stretches if one.kind != "heading"), stretches[-1].end)
        """Where the text below the headings begins."""
        self._reading = reading
        self._starts = [one.start for one in stretches]
        self._languages: dict[int, str] = {}

    def at(self, place: int) -> Stretch:
        """The stretch that text[place] belongs to."""
        return self.stretches[bisect_right(self._starts, place) - 1]

    def between(self, start: int, end: int) -> Sequence[Stretch]:
        """The stretches that have a part of text[start:end]."""
        return self.stretches[bisect_right(self._starts, start) - 1 : bisect_left(self._starts, end)]

    def context(self, contexts: Contexts, start: int) -> str:
        """What the encoder is given in front of a passage that begins at `start`: the headings that are not in it, and
        the header row of the table that it continues."""
        stretch = self.at(start)
        begins = stretch.kind == "heading" and not self._reading.text[stretch.start : start].strip()
        titles = stretch.heading_path[:-1] if begins else self.heading_path
        continues = start >= stretch.start + max(1, len(stretch.context))
        return contexts.write(titles, stretch.context if continues else "")

    def lines(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """The lines of a range of one stretch; of a table, its rows."""
        stretch = self.at(start)
        if stretch.kind != "table":
            return boundaries.lines(self._reading.text, start, end)
        rows = [at for at in self._rows(stretch) if start < at < end]
        return pairwise((start, *rows, end)) if rows else boundaries.lines(self._reading.text, start, end)

    def sentences(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """The sentences of a range of one stretch."""
        text, first = self._reading.text, self.at(start).start
        if first not in self._languages:
            self._languages[first] = language.identify(text[first : min(first + _SAMPLE, end)])
        return boundaries.sentences(text, start, end, language=self._languages[first])

    def _rows(self, stretch: Stretch) -> Iterator[int]:
        """Where the rows of a table begin, as far as its marks say so: a cell may have several lines."""
        marks = self._reading.marks
        first = bisect_left(marks, stretch.start, key=lambda mark: mark.start)
        last = bisect_left(marks, stretch.end, key=lambda mark: mark.start)
        cells = ((mark.start, mark.cell[0]) for mark in marks[first:last] if mark.cell)
        for (_place, before), (place, row) in pairwise(cells):
            if row != before and self._reading.text[place - 1] == "\n":
                yield place


def groups(reading: Reading) -> Iterator[Group]:
    """The groups of a document, in order. No passage crosses from one to the next."""
    gathered: list[Stretch] = []
    for stretch in reading.stretches:
        if gathered and not _belongs(stretch, gathered):
            yield Group(reading, gathered)
            gathered = []
        gathered.append(stretch)
    if gathered:
        yield Group(reading, gathered)


def _belongs(stretch: Stretch, gathered: Sequence[Stretch]) -> bool:
    path = gathered[-1].heading_path
    if stretch.kind != "heading" and stretch.heading_path == path:
        return True
    leads = all(one.kind == "heading" for one in gathered)
    return leads and len(stretch.heading_path) > len(path) and stretch.heading_path[: len(path)] == path


class _Grain(IntEnum):
    """How finely a piece has been cut out of its stretch."""

    STRETCH = 0
    LINE = 1
    SENTENCE = 2
    WORDS = 3


@dataclass(frozen=True, slots=True)
class _Piece:
    start: int
    end: int
    grain: _Grain = _Grain.STRETCH


class Packing:
    """The pieces of a group put together to passages, one after the other."""

    def __init__(self, group: Group, ruler: Ruler, contexts: Contexts, sizes: Sizes) -> None:
        self._group = group
        self._ruler = ruler
        self._contexts = contexts
        self._sizes = sizes
        self._waiting = deque(_Piece(one.start, one.end) for one in group.stretches)

    def ranges(self) -> list[tuple[int, int]]:
        """The passages without what they repeat: they cover the group in order."""
        packed: list[tuple[int, int]] = []
        while self._waiting:
            packed.append(self._next(packed))
            if len(packed) > 1 and self._ruler.size(*packed[-1]) < self._sizes.least:
                self._adopt(packed)
        return packed

    def repeated_from(self, before: int, start: int, end: int) -> int:
        """Where text[start:end] begins with the last whole sentences of the passage before it, which began at
        `before`; never with all of it."""
        if not self._sizes.overlap:
            return start
        found = start
        for place in self._sentences_before(start, since=before):
            repeats = self._ruler.size(place, start) <= self._sizes.overlap
            if not repeats or self._ruler.size(place, end) > self._room(place):
                break
            found = place
        return found

    def _room(self, start: int) -> int:
        """Tokens of text that a passage from `start` may have."""
        return max(1, self._sizes.limit - self._contexts.size(self._group.context(self._contexts, start)))

    def _next(self, packed: Sequence[tuple[int, int]]) -> tuple[int, int]:
        start = end = self._waiting[0].start
        room = self._room(start)
        while self._waiting:
            piece = self._waiting[0]
            stands = end > self._group.body and self._ruler.size(start, end) >= self._sizes.least
            allowed = min(self._sizes.target, room) if stands else room
            if self._ruler.size(start, piece.end) <= allowed:
                end = self._waiting.popleft().end
            elif stands or self._ends_before(piece, start, end, packed):
                break
            else:
                self._break_up(room - self._ruler.size(start, piece.start))
        return start, end

    def _ends_before(self, piece: _Piece, start: int, end: int, packed: Sequence[tuple[int, int]]) -> bool:
        """Whether a passage that could not stand alone ends all the same before a piece that is too long for it,
        rather than take a part of it."""
        if end == start:
            return False
        if end <= self._group.body:  # headings alone, which leave too little room
            return self._room(start) - self._ruler.size(start, piece.start) < self._sizes.least
        if packed and self._ruler.size(packed[-1][0], end) <= self._room(packed[-1][0]):
            return True
        whole = piece.grain > _Grain.STRETCH or self._group.at(piece.start).kind == "code"
        return whole and self._ruler.size(piece.start, piece.end) <= self._room(piece.start)

    def _break_up(self, room: int) -> None:
        """Put finer pieces in the place of the first."""
        piece = self._waiting.popleft()
        kind = self._group.at(piece.start).kind
        if piece.grain == _Grain.STRETCH and kind in ("table", "code", "list"):
            finer = [_Piece(*one, _Grain.LINE) for one in self._group.lines(piece.start, piece.end)]
        elif piece.grain < _Grain.SENTENCE and kind != "code":
            finer = [_Piece(*one, _Grain.SENTENCE) for one in self._group.sentences(piece.start, piece.end)]
        else:
            reach = self._ruler.reach(piece.start, min(room, self._sizes.target))
            cut = boundaries.cut_before(self._ruler.text, piece.start, min(reach, piece.end))
            finer = [_Piece(piece.start, cut, _Grain.WORDS), _Piece(cut, piece.end, _Grain.WORDS)]
        self._waiting.extendleft(one for one in reversed(finer) if one.start < one.end)

    def _adopt(self, packed: list[tuple[int, int]]) -> None:
        """Put the last passage, which is too small to stand alone, with the one before; or give it the last sentences
        or lines of that one, where the two together are too long."""
        (before, _until), (start, end) = packed[-2:]
        if self._ruler.size(before, end) <= self._room(before):
            packed[-2:] = [(before, end)]
            return
        for place in self._parts_before(start, since=before):
            if self._ruler.size(before, place) < self._sizes.least or place <= self._group.body:
                return
            if self._ruler.size(place, end) > self._room(place):
                return
            if self._ruler.size(place, end) >= self._sizes.least:
                packed[-2:] = [(before, place), (place, end)]
                return

    def _sentences_before(self, start: int, *, since: int) -> Iterator[int]:
        """Where the whole sentences between two places begin, the last one first, up to a heading, table or code."""
        while start > max(since, self._group.body) and self._group.at(start - 1).kind in _REPEATED:
            first = max(self._group.at(start - 1).start, since)
            yield from (place for place in self._parts_before(start, since=since) if place > since)
            start = first

    def _parts_before(self, start: int, *, since: int) -> Iterator[int]:
        """Where the sentences or lines begin of the last stretch between two places, the last one first."""
        stretch = self._group.at(start - 1)
        if stretch.kind == "code":
            return
        cut = self._group.lines if stretch.kind in ("table", "list") else self._group.sentences
        parts = cut(max(stretch.start, since), min(stretch.end, start))
        yield from reversed([place for place, _end in parts])
