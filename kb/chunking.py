"""Passages: a document's text cut to the encoder's size, each with its place. Knows nothing of Django."""

import hashlib
from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

from embeddings.encoder import Tokenizer
from kb import boundaries, language
from kb.reading.sections import SEPARATOR, About, Item, Kind, Mark, Page, Section, Unit

_ORPHAN = 4
"""A last passage smaller than one part in so many of the target joins the one before it."""

_LEAST_SHARE = 0.05
"""Less of a document than this is not taken to be in another language on its words alone."""

_BY_LINES: tuple[Kind, ...] = ("table", "code", "list")


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


@dataclass(frozen=True, slots=True)
class Passage:
    """text == reading.text[start:end]. `tokens` is what the encoder sees, its prompt and special tokens included."""

    start: int
    end: int
    text: str
    heading_path: tuple[str, ...]
    kind: Kind
    tokens: int
    anchor: dict[str, Any]
    language: str
    context: str = ""

    @property
    def content_hash(self) -> str:
        """Hexadecimal SHA-256 of heading path and text. Clean text has no controls: nothing can imitate the \\x1f."""
        return hashlib.sha256("\x1f".join((*self.heading_path, self.text)).encode()).hexdigest()


def read_document(items: Iterable[Item]) -> Reading:
    """Collect what a reader yields."""
    collection = _Collection()
    for item in items:
        collection.add(item)
    return collection.reading()


def split(reading: Reading, tokenizer: Tokenizer, *, target: int, maximum: int) -> list[Passage]:
    """The passages of a document, in order: about `target` tokens each, never more than `maximum`.

    They do not overlap and leave out nothing but white space. Cut at headings first, then between paragraphs,
    sentences, words (tables, code and lists: lines); a piece of text goes through these in turn until it fits.
    """
    ruler = _Ruler(reading, tokenizer, target=target, maximum=maximum)
    passages = []
    for group in _groups(reading.stretches):
        for start, end, tokens in ruler.fitted(_packed(ruler, group)):
            passages.append(_passage(reading, group, start=start, end=end, tokens=tokens))
    return passages


def main_language(passages: Iterable[Passage]) -> str:
    """The language in which most of the text is."""
    letters = _letters(passages)
    return letters.most_common(1)[0][0] if letters else language.UNKNOWN


def settle_languages(passages: Sequence[Passage]) -> list[Passage]:
    """The same passages, without the languages that hardly any of the document is in.

    Code, names and numbers in Latin letters resemble now Uzbek, now Maltese. Such a guess counts for the document's own
    language where that is written in Latin letters, else for none. English stays: it is quoted everywhere.
    """
    letters = _letters(passages)
    least = _LEAST_SHARE * letters.total()
    rare = {spoken for spoken in letters if letters[spoken] < least and spoken in language.LATIN - {"en"}}
    main = main_language(passages)
    instead = main if main in language.LATIN else language.UNKNOWN
    return [replace(one, language=instead) if one.language in rare else one for one in passages]


def _letters(passages: Iterable[Passage]) -> Counter[str]:
    letters: Counter[str] = Counter()
    for passage in passages:
        if passage.language != language.UNKNOWN:
            letters[passage.language] += len(passage.text)
    return letters


class _Collection:
    """A reading in the making."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._length = 0
        self._stretches: list[Stretch] = []
        self._marks: list[Mark] = []
        self._outline: list[Heading] = []
        self._path: tuple[str, ...] = ()
        self._page_starts: list[int] = []
        self._empty_pages = 0  # pages whose text has not come yet
        self._unit: Unit = "line"

    def add(self, item: Item) -> None:
        match item:
            case About():
                self._unit = item.unit
            case Page():
                self._empty_pages += 1
            case Section():
                self._add_section(item)

    def reading(self) -> Reading:
        self._start_pages(self._length)
        return Reading(
            "".join(self._pieces),
            tuple(self._stretches),
            tuple(self._marks),
            tuple(self._outline),
            tuple(self._page_starts),
            self._unit,
        )

    def _add_section(self, section: Section) -> None:
        if self._pieces:
            self._append(SEPARATOR)
        start = self._length
        self._start_pages(start)
        self._append(section.text)
        self._stretches.append(
            Stretch(start, self._length, section.kind, section.heading_path, section.context, section.syntax)
        )
        self._marks += (
            Mark(start + mark.start, start + mark.end, mark.unit, mark.box, mark.cell)
            for mark in section.marks
            if mark.start < mark.end
        )
        self._note_headings(section, start)

    def _append(self, piece: str) -> None:
        self._pieces.append(piece)
        self._length += len(piece)

    def _start_pages(self, start: int) -> None:
        self._page_starts += [start] * self._empty_pages
        self._empty_pages = 0

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


def _groups(stretches: Sequence[Stretch]) -> Iterator[list[Stretch]]:
    """Stretches below one heading path, behind the headings that lead to it: what passages are cut from."""
    group: list[Stretch] = []
    for stretch in stretches:
        if group and not _belongs(stretch, group):
            yield group
            group = []
        group.append(stretch)
    if group:
        yield group


def _belongs(stretch: Stretch, group: list[Stretch]) -> bool:
    path = group[-1].heading_path
    if stretch.kind != "heading" and stretch.heading_path == path:
        return True
    leads = all(one.kind == "heading" for one in group)
    return leads and len(stretch.heading_path) > len(path) and stretch.heading_path[: len(path)] == path


class _Ruler:
    """Measures stretches of a document in the encoder's tokens, each token looked up once."""

    def __init__(self, reading: Reading, tokenizer: Tokenizer, *, target: int, maximum: int) -> None:
        self._tokenizer = tokenizer
        self._maximum = maximum
        extra = tokenizer.count([""])[0]
        self.limit = max(1, maximum - extra)
        self.target = min(max(1, target - extra), self.limit)
        self.text = reading.text
        self._starts = array("Q")
        for stretch in reading.stretches:
            found = tokenizer.offsets(reading.text[stretch.start : stretch.end])
            self._starts.extend(stretch.start + start for start, _end in found)

    def size(self, start: int, end: int) -> int:
        """Tokens that begin in text[start:end]."""
        return bisect_left(self._starts, end) - bisect_left(self._starts, start)

    def reach(self, start: int, tokens: int) -> int:
        """How far so many tokens go from `start`: at least one character."""
        following = bisect_left(self._starts, start) + tokens
        return max(start + 1, self._starts[following]) if following < len(self._starts) else len(self.text)

    def fitted(self, ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int, int]]:
        """The same ranges without white space at their ends, with their exact size.

        A text alone may be some tokens longer than within its document, where its edges are words of another; one
        that is too long for that reason is cut in two.
        """
        waiting = list(ranges)[::-1]
        while waiting:
            start, end = boundaries.trim(self.text, *waiting.pop())
            if start == end:
                continue
            tokens = self._tokenizer.count([self.text[start:end]])[0]
            if tokens <= self._maximum or end - start == 1:
                yield start, end, max(tokens, 1)
                continue
            middle = boundaries.cut_before(self.text, start, (start + end) // 2)
            waiting += [(middle, end), (start, middle)]


def _packed(ruler: _Ruler, group: Sequence[Stretch]) -> Iterator[tuple[int, int]]:
    """Neighbouring pieces put together up to the target, headings with what follows, no small rest alone."""
    pieces = list(_pieces(ruler, group))
    packed: list[tuple[int, int]] = []
    start, end = pieces[0]
    body = next((stretch.start for stretch in group if stretch.kind != "heading"), start)
    for following, after in pieces[1:]:
        allowed = ruler.target if end > body else ruler.limit
        if ruler.size(start, after) > allowed:
            packed.append((start, end))
            start = following
        end = after
    if packed and ruler.size(start, end) < ruler.target / _ORPHAN and ruler.size(packed[-1][0], end) <= ruler.limit:
        start, _end = packed.pop()
    packed.append((start, end))
    yield from packed


def _pieces(ruler: _Ruler, group: Sequence[Stretch]) -> Iterator[tuple[int, int]]:
    """The stretches of a group, cut where they are longer than the limit less what their headings take."""
    headings = sum(ruler.size(one.start, one.end) for one in group if one.kind == "heading")
    limit = ruler.limit - min(headings, ruler.limit // 2)
    for stretch in group:
        if ruler.size(stretch.start, stretch.end) <= limit:
            yield stretch.start, stretch.end
            continue
        for start, end in _parts(ruler.text, stretch):
            yield from _cut(ruler, start, end, limit=limit)


def _parts(text: str, stretch: Stretch) -> Iterator[tuple[int, int]]:
    if stretch.kind in _BY_LINES:
        return boundaries.lines(text, stretch.start, stretch.end)
    written_in = language.identify(text[stretch.start : stretch.end])
    return boundaries.sentences(text, stretch.start, stretch.end, language=written_in)


def _cut(ruler: _Ruler, start: int, end: int, *, limit: int) -> Iterator[tuple[int, int]]:
    while ruler.size(start, end) > limit:
        at = boundaries.cut_before(ruler.text, start, min(ruler.reach(start, limit), end))
        yield start, at
        start = at
    if start < end:
        yield start, end


def _passage(reading: Reading, group: Sequence[Stretch], *, start: int, end: int, tokens: int) -> Passage:
    words = reading.text[start:end]
    return Passage(
        start,
        end,
        words,
        group[-1].heading_path,
        _kind(group, start, end),
        tokens,
        _anchor(reading, start, end),
        language.identify(words),
    )


def _kind(group: Sequence[Stretch], start: int, end: int) -> Kind:
    """The kind of most of the text, headings aside."""
    lengths: Counter[Kind] = Counter()
    for stretch in group:
        shared = min(end, stretch.end) - max(start, stretch.start)
        if shared > 0 and stretch.kind != "heading":
            lengths[stretch.kind] += shared
    return lengths.most_common(1)[0][0] if lengths else "heading"


def _anchor(reading: Reading, start: int, end: int) -> dict[str, Any]:
    """Where a passage stands in its file, first and last: pages, lines, slides, ...; null where the format has none.
    `rows` are those of a sheet, where the passage stands in one."""
    marks = _marks_in(reading.marks, start, end)
    units = _span(mark.unit for mark in marks)
    rows = _span(mark.cell[0] for mark in marks if mark.cell)
    in_one_sheet = reading.unit == "sheet" and units is not None and units[0] == units[1]
    return {
        "boxes": [{"page": mark.unit, "box": list(mark.box)} for mark in marks if mark.box],
        "rows": rows if in_one_sheet else None,
        **{f"{unit}s": units if reading.unit == unit else None for unit in get_args(Unit)},
    }


def _span(numbers: Iterable[int]) -> list[int] | None:
    ordered = sorted(numbers)
    return [ordered[0], ordered[-1]] if ordered else None


def _marks_in(marks: Sequence[Mark], start: int, end: int) -> Sequence[Mark]:
    first = bisect_right(marks, start, key=lambda mark: mark.end)
    last = bisect_left(marks, end, key=lambda mark: mark.start)
    return marks[first:last]
