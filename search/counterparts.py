"""Counterparts: where words of one revision stand in another that has them with small changes."""

MOST = 2 / 3
"""So much of the words must be there still."""

_SEED = 8
"""Characters that are looked for as they are, to find the places that come into question."""

_SEEDS = 64
"""At most, spread over the words: a text may have 20 MB."""

_GRAM = 4
"""Characters of the pieces of which most must be there: a changed letter costs so many of them."""


def nearly(words: str, text: str) -> tuple[int, int] | None:
    """The characters [start, end) of a text that are most like these words; None where most of them are gone."""
    step = max(1, len(words) // _SEEDS)
    seeds = ((offset, words[offset : offset + _SEED]) for offset in range(0, max(1, len(words) - _SEED + 1), step))
    starts = {max(0, at - offset) for offset, seed in seeds if (at := text.find(seed)) >= 0}
    shares = {start: _share(words, text, start) for start in sorted(starts)}
    best = max(shares, key=shares.__getitem__, default=0)
    if not words or shares.get(best, 0) < MOST:
        return None
    return best, min(len(text), best + len(words))


def _share(words: str, text: str, start: int) -> float:
    """How much of the words is at a place, or close by: what was put in or taken out has moved the rest."""
    slack = len(words) // 4
    there = text[max(0, start - slack) : start + len(words) + slack]
    grams = [words[at : at + _GRAM] for at in range(max(1, len(words) - _GRAM + 1))]
    return sum(gram in there for gram in grams) / len(grams)
