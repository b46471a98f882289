"""Counterparts: where words of one revision stand in another, as they were or with small changes."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import QuerySet
from django.db.models.functions import Substr

from kb import boundaries
from kb.models import Chunk, Revision, RevisionText

Range = tuple[int, int]
"""Characters [start, end) of a text."""

MOST = 2 / 3
"""So much of the words must be there still."""

LONGEST = 20_000
"""Characters that are compared: some passages long. What is longer is found word for word, or not at all."""

_SEED = 8
"""Characters that are looked for as they are, to find the places that come into question."""

_SEEDS = 64
"""At most, spread over the words: a text may have 20 MB."""

_GRAM = 4
"""Characters of the pieces of which most must be there: a changed letter costs so many of them."""


@dataclass(frozen=True)
class Counterpart:
    """The place in the other revision, and whether the words have changed since."""

    chars: Range
    is_changed: bool


def of(revision: Revision, marked: Range, other: Revision) -> Counterpart | None:
    """Where the marked words stand in another revision of the document; None where most of them are gone. A passage
    that is there as a whole is looked into first: the same words may stand elsewhere too."""
    length = marked[1] - marked[0]
    chunk = passage_at(Chunk.objects.filter(revision=revision), marked)
    same = _same(chunk, other) if chunk else None
    if chunk and same and chunk.start <= marked[0] and marked[1] <= chunk.end:
        start = same.start + marked[0] - chunk.start
        return Counterpart((start, start + length), is_changed=False)
    words = _text(revision, marked[0] + 1, length)
    text = _text(other) if words else ""
    start = text.find(words) if words else -1
    if start >= 0:
        return Counterpart((start, start + length), is_changed=False)
    found = nearly(words, text)
    return Counterpart(_sentences(text, found, other.language), is_changed=True) if found else None


def passage_at(chunks: QuerySet[Chunk], marked: Range) -> Chunk | None:
    """The passage of these that is marked. They may overlap: one that is exactly what is marked goes before one that
    merely holds its beginning."""
    exact = chunks.filter(start=marked[0], end=marked[1]).first()
    return exact or chunks.filter(start__lt=marked[1], end__gt=marked[0]).first()


def _same(chunk: Chunk, other: Revision) -> Chunk | None:
    """The passage of another revision with the same text: under the same headings, if it can be, and near."""
    known = Chunk.objects.filter(revision=other, text=chunk.text).only("start", "heading_path", "ordinal")
    return min(
        known,
        key=lambda one: (one.heading_path != chunk.heading_path, abs(one.ordinal - chunk.ordinal)),
        default=None,
    )


def _text(revision: Revision, start: int = 1, length: int | None = None) -> str:
    """So many characters of a revision's text, from the `start`-th on; empty where it has none."""
    cut = Substr("text", start, length)
    return RevisionText.objects.filter(revision=revision).values_list(cut, flat=True).first() or ""


def _sentences(text: str, near: Range, language: str) -> Range:
    """The sentences of which at least half is there: a changed letter moves a range by one, and cuts words."""
    start = text.rfind("\n", 0, near[0]) + 1
    end = text.find("\n", near[1])
    lines = boundaries.lines(text, start, len(text) if end < 0 else end)
    found = (one for line in lines for one in boundaries.sentences(text, *line, language=language))
    held = [one for one in found if 2 * (min(one[1], near[1]) - max(one[0], near[0])) >= one[1] - one[0]]
    return boundaries.trim(text, held[0][0], held[-1][1]) if held else near


def nearly(words: str, text: str) -> Range | None:
    """The characters [start, end) of a text that are most like these words; None where most of them are gone, or where
    they are too many to compare."""
    if not words or len(words) > LONGEST:
        return None
    offsets = _offsets(words, step=max(1, len(words) // _SEEDS))
    starts = {max(0, at - offset) for offset in offsets if (at := text.find(_seed(words, offset))) >= 0}
    shares = {start: _share(words, text, start) for start in sorted(starts)}
    best = max(shares, key=shares.__getitem__, default=0)
    if shares.get(best, 0) < MOST:
        return None
    start = max(0, _begun(words, text, best, _offsets(words)))
    end = min(len(text), len(words) + _begun(words, text, best, reversed(_offsets(words))))
    return (start, end) if start < end else (best, min(len(text), best + len(words)))


def _offsets(words: str, step: int = 1) -> range:
    return range(0, max(1, len(words) - _SEED + 1), step)


def _seed(words: str, offset: int) -> str:
    return words[offset : offset + _SEED]


def _share(words: str, text: str, start: int) -> float:
    """How much of the words is at a place, or close by: what was put in or taken out has moved the rest."""
    slack = len(words) // 4
    there = frozenset(_grams(text[max(0, start - slack) : start + len(words) + slack]))
    grams = _grams(words)
    return sum(gram in there for gram in grams) / len(grams)


def _grams(text: str) -> list[str]:
    return [text[at : at + _GRAM] for at in range(max(1, len(text) - _GRAM + 1))]


def _begun(words: str, text: str, start: int, offsets: Iterable[int]) -> int:
    """Where the words begin by the first of these pieces of them that is about where it should be; `start` by none."""
    slack = len(words) // 4
    for offset in offsets:
        seed, at = _seed(words, offset), start + offset
        found = text.rfind(seed, max(0, at - slack), at + _SEED), text.find(seed, at, at + slack + _SEED)
        if max(found) >= 0:
            return min((one for one in found if one >= 0), key=lambda one: abs(one - at)) - offset
    return start
