"""Passages: a document's text cut to the encoder's size, each with its place. Knows nothing of Django."""

import hashlib
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

from embeddings.encoder import Tokenizer
from kb import boundaries, language, packing
from kb.context import Contexts, encoded_text
from kb.packing import Group
from kb.reading.assembly import Reading, Stretch
from kb.reading.sections import Kind, Mark, Unit

_AT_ONCE = 256
"""Passages whose tokens are counted together."""

_LEAST_SHARE = 0.05
"""Less of a document than this is not taken to be in another language on its words alone."""


@dataclass(frozen=True, slots=True)
class Passage:
    """text == reading.text[start:end]. `context` is given to the encoder and to the word index in front of it; `tokens`
    is what the encoder sees: prompt, special tokens, context and text."""

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
        """Hexadecimal SHA-256 of what the encoder is given: passages that share it share their embedding."""
        return hashlib.sha256(encoded_text(self.context, self.text).encode()).hexdigest()


def split(reading: Reading, tokenizer: Tokenizer, *, target: int, maximum: int, overlap: int = 0) -> list[Passage]:
    """The passages of a document, in order: about `target` tokens each, never more than `maximum` with their context.

    They leave out nothing but white space. Cut at headings first, then between paragraphs, sentences, words (tables,
    code and lists: lines); a piece of text goes through these in turn until it fits. Below one heading a passage begins
    with up to `overlap` tokens of the one before it, in whole sentences.
    """
    cutter = _Cutter(reading, tokenizer, target=target, maximum=maximum, overlap=overlap)
    drafts = [draft for group in packing.groups(reading) for draft in cutter.drafts(group)]
    return list(cutter.passages(drafts))


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


@dataclass(frozen=True, slots=True)
class _Draft:
    """A passage that has not been counted yet: text[start:end], of which text[start:own] repeats the one before."""

    group: Group
    start: int
    own: int
    end: int


class _Cutter:
    """Cuts a document's groups to drafts, and makes passages of the drafts that fit with their context."""

    def __init__(self, reading: Reading, tokenizer: Tokenizer, *, target: int, maximum: int, overlap: int) -> None:
        extra = tokenizer.count([""])[0]
        limit = max(1, maximum - extra)
        self._sizes = packing.Sizes(target=min(max(1, target - extra), limit), limit=limit, overlap=overlap)
        self._maximum = maximum
        self._reading = reading
        self._tokenizer = tokenizer
        self._ruler = packing.Ruler(reading.text, tokenizer)
        self._contexts = Contexts(tokenizer, limit=limit)

    def drafts(self, group: Group) -> Iterator[_Draft]:
        """The passages of a group."""
        pack = packing.Packing(group, self._ruler, self._contexts, self._sizes)
        before = group.stretches[0].start
        for start, end in pack.ranges():
            yield _Draft(group, pack.repeated_from(before, start, end), start, end)
            before = start

    def passages(self, drafts: Sequence[_Draft]) -> Iterator[Passage]:
        """The drafts without white space at their ends, counted exactly.

        A text alone may be some tokens longer than within its document, where its edges are words of another. One that
        is too long for that reason repeats nothing, or is cut in two.
        """
        for first in range(0, len(drafts), _AT_ONCE):
            trimmed = [self._trimmed(draft) for draft in drafts[first : first + _AT_ONCE]]
            some = [draft for draft in trimmed if draft.start < draft.end]
            for draft, tokens in zip(some, self._counted(some), strict=True):
                if tokens <= self._maximum or draft.end - draft.start == 1:
                    yield self._passage(draft, max(tokens, 1))
                else:
                    yield from self.passages(self._smaller(draft))

    def _trimmed(self, draft: _Draft) -> _Draft:
        start, end = boundaries.trim(self._reading.text, draft.start, draft.end)
        return replace(draft, start=start, own=max(start, draft.own), end=end)

    def _counted(self, drafts: Sequence[_Draft]) -> list[int]:
        """The tokens of what the encoder is given of each."""
        ends = [self._ruler.ends(draft.start, draft.end) for draft in drafts]
        contexts = [draft.group.context(self._contexts, draft.start) for draft in drafts]
        texts = [encoded_text(context, words) for context, (words, _middle) in zip(contexts, ends, strict=True)]
        counted = zip(self._tokenizer.count(texts), ends, strict=True)
        return [tokens + middle for tokens, (_words, middle) in counted]

    def _smaller(self, draft: _Draft) -> list[_Draft]:
        if draft.start < draft.own:
            return [replace(draft, start=draft.own)]
        middle = (draft.start + draft.end) // 2
        line = self._reading.text.rfind("\n", draft.start + 1, middle)
        cut = line if line > 0 else boundaries.cut_before(self._reading.text, draft.start, middle)
        return [replace(draft, end=cut), replace(draft, start=cut, own=cut)]

    def _passage(self, draft: _Draft, tokens: int) -> Passage:
        words = self._reading.text[draft.start : draft.end]
        return Passage(
            draft.start,
            draft.end,
            words,
            draft.group.heading_path,
            _kind(draft.group.between(draft.start, draft.end), draft.start, draft.end),
            tokens,
            _anchor(self._reading, draft.start, draft.end),
            language.identify(words),
            draft.group.context(self._contexts, draft.start),
        )


def _kind(stretches: Sequence[Stretch], start: int, end: int) -> Kind:
    """The kind of most of the text, headings aside."""
    lengths: Counter[Kind] = Counter()
    for stretch in stretches:
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
