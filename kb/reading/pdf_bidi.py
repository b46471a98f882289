"""Right-to-left words in the order they are read.

PDF files hold glyphs, some in the order they are read, some from left to right as they stand on the page, often both in
one line. PDFium puts the words in order but leaves the letters of some as they came. Where they stand tells which.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import regex

_RUN = regex.compile(r"[\p{Arabic}\p{Hebrew}\p{Syriac}\p{Thaana}&&[\p{L}\p{M}]]{2,}", regex.V1)

Left = float | None
"""The left edge of a character on the page, None where it has no place."""


def in_reading_order(line: str, lefts: Sequence[Left]) -> str:
    """The line with those right-to-left words turned round whose letters run from left to right.

    `lefts` are the left edges of its characters. Letters of one edge are one glyph, and stay as they are.
    """
    turned = list(line)
    for run in _RUN.finditer(line):
        start, end = run.span()
        if _runs_rightwards(lefts[start:end]):
            turned[start:end] = [line[i] for glyph in reversed(list(_glyphs(lefts, start, end))) for i in glyph]
    return "".join(turned)


def _runs_rightwards(lefts: Sequence[Left]) -> bool:
    """Whether most steps from letter to letter lead to the right."""
    placed = [left for left in lefts if left is not None]
    steps = [after - before for before, after in pairwise(placed) if after != before]
    return sum(step > 0 for step in steps) * 2 > len(steps)


def _glyphs(lefts: Sequence[Left], start: int, end: int) -> Iterator[range]:
    first = start
    for index in range(start + 1, end + 1):
        if index == end or lefts[index] is None or lefts[index] != lefts[first]:
            yield range(first, index)
            first = index
