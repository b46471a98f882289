"""Counterparts: where words of one revision stand in another, as they were or with small changes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from uuid import UUID

from django.db.models import QuerySet, Value
from django.db.models.functions import StrIndex, Substr

from kb import boundaries
from kb.models import Chunk, Revision, RevisionText

Range = tuple[int, int]
"""Characters [start, end) of a text."""

MOST = 2 / 3
"""So much of the words must be there still."""

LONGEST = 10_000
"""Characters that are compared: some passages long. What is longer is found word for word, or not at all."""

_SEED = 8
"""Characters that are looked for as they are, to find the places that come into question."""

_SEEDS = 32
"""About so many, spread over the words: a text may have 20 MB."""

_PLACES = 5
"""So many are looked at, those with most of the words first."""

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
    start = _found(_cut(revision, marked), other)
    if start >= 0:
        return Counterpart((start, start + length), is_changed=False)
    now = _text(other.pk) if length <= LONGEST else ""
    changed = nearly(_text(revision.pk), marked, now) if now else None
    return Counterpart(_sentences(now, changed, other.language), is_changed=True) if changed else None


def with_changes(revision: UUID, marked: Range, other: UUID) -> Range | None:
    """Where words that do not stand in another revision as they were stand with small changes."""
    return nearly(_text(revision), marked, _text(other)) if marked[1] - marked[0] <= LONGEST else None


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


def _text(revision: UUID) -> str:
    """The text of a revision; empty where it has none."""
    return RevisionText.objects.filter(revision=revision).values_list("text", flat=True).first() or ""


def _cut(revision: Revision, chars: Range) -> str:
    cut = Substr("text", chars[0] + 1, chars[1] - chars[0])
    return RevisionText.objects.filter(revision=revision).values_list(cut, flat=True).first() or ""


def _found(words: str, revision: Revision) -> int:
    """Where words stand in a revision's text; -1 where they do not. The database looks: the text may have 20 MB."""
    found = RevisionText.objects.filter(revision=revision).annotate(found=StrIndex("text", Value(words)))
    return (found.values_list("found", flat=True).first() or 0) - 1 if words else -1


def _sentences(text: str, near: Range, language: str) -> Range:
    """The sentences of which at least half is there: a changed letter moves a range by one, and cuts words."""
    start = text.rfind("\n", 0, near[0]) + 1
    end = text.find("\n", near[1])
    lines = boundaries.lines(text, start, len(text) if end < 0 else end)
    found = (one for line in lines for one in boundaries.sentences(text, *line, language=language))
    held = [one for one in found if 2 * _shared(one, near) >= one[1] - one[0]]
    return boundaries.trim(text, held[0][0], held[-1][1]) if held else near


# --- What is like it ---


def nearly(was: str, marked: Range, now: str) -> Range | None:
    """The characters [start, end) of a text that are most like the marked ones of what it was; None where most of them
    are gone, or they are too many to compare. What was more like others then is what has become of those: where one
    clause of many is deleted, none of its neighbours stands for it."""
    words = was[slice(*marked)]
    if not words or len(words) > LONGEST:
        return None
    shares = _shares(words, now, marked[0])
    likely = sorted(
        (one for one in shares if shares[one] >= MOST), key=lambda one: (-shares[one], abs(one - marked[0]))
    )
    places = dict.fromkeys(_ends(words, now, start) for start in likely)
    return next((one for one in list(places)[:_PLACES] if _was_here(now[slice(*one)], was, marked)), None)


def _was_here(words: str, was: str, marked: Range) -> bool:
    """Whether the place of the old text that is most like these words is the marked one."""
    own = others = 0.0
    for start, share in _shares(words, was, marked[0]).items():
        there = (start, start + len(words))
        if 2 * _shared(there, marked) >= min(len(words), marked[1] - marked[0]):
            own = max(own, share)
        else:
            others = max(others, share)
    return own >= others


def _shared(one: Range, other: Range) -> int:
    """How many characters two ranges have in common; less than none, where they lie apart."""
    return min(one[1], other[1]) - max(one[0], other[0])


def _shares(words: str, text: str, near: int) -> dict[int, float]:
    """How much of the words is at each place that comes into question: the first of the text at which a piece of them
    is, and those about where they stood."""
    found = {
        at for offset in _offsets(words, max(1, len(words) // _SEEDS)) for at in _starts(words, offset, text, near)
    }
    return {start: _share(words, text, start) for start in found}


def _starts(words: str, offset: int, text: str, near: int) -> Iterator[int]:
    """Where the words would begin by a piece of them."""
    seed, at = _seed(words, offset), near + offset
    places = text.find(seed), text.rfind(seed, 0, at + len(seed)), text.find(seed, at)
    return (max(0, place - offset) for place in places if place >= 0)


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


def _ends(words: str, text: str, start: int) -> Range:
    """Where words begin and end of which most are at a place: by the first and the last piece of them that is there."""
    begun = max(0, _begun(words, text, start, _offsets(words)))
    ended = min(len(text), len(words) + _begun(words, text, start, reversed(_offsets(words))))
    return (begun, ended) if begun < ended else (start, min(len(text), start + len(words)))


def _begun(words: str, text: str, start: int, offsets: Iterable[int]) -> int:
    """Where the words begin by the first of these pieces of them that is about where it should be; `start` by none."""
    slack = len(words) // 4
    for offset in offsets:
        seed, at = _seed(words, offset), start + offset
        found = text.rfind(seed, max(0, at - slack), at + _SEED), text.find(seed, at, at + slack + _SEED)
        if max(found) >= 0:
            return min((one for one in found if one >= 0), key=lambda one: abs(one - at)) - offset
    return start
