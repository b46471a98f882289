"""Code as it stands in its file: every line whole, its spaces kept."""

from collections.abc import Iterable
from itertools import groupby
from operator import itemgetter

from kb.reading import text
from kb.reading.sections import Mark, Section

Line = Iterable[tuple[int, str]]
"""The pieces of a line of code, each with the number of the line of the file that it stands on: markup
may spread one over several."""


def section(lines: Iterable[Line], path: tuple[str, ...] = (), *, syntax: str = "") -> Section | None:
    """Lines of code as one section, without the blank ones at its ends. None when all are blank."""
    written: list[str] = []
    marks: list[Mark] = []
    length = 0
    kept = 0  # lines up to the last with words
    for line in lines:
        runs = _runs(line)
        words = "".join(run for _number, run in runs)
        if not words.strip():
            written += [words] if marks else []
            length += len(words) + 1 if marks else 0
            continue
        for number, run in runs:
            marks.append(Mark(length, length + len(run), number))
            length += len(run)
        length += 1
        written.append(words)
        kept = len(written)
    return Section("\n".join(written[:kept]), "code", path, tuple(marks), syntax=syntax) if marks else None


def _runs(line: Line) -> list[tuple[int, str]]:
    """A line in clean text, in one piece for each line of the file."""
    grouped = groupby(line, key=itemgetter(0))
    cleaned = ((number, text.clean("".join(map(itemgetter(1), run)))) for number, run in grouped)
    runs = [(number, run) for number, run in cleaned if run]
    words = "".join(run for _number, run in runs)
    clean = text.clean(words)
    # Runs may combine where they meet, a letter and its accent on the next line: then they are one.
    return runs if clean == words else [(runs[0][0], clean)]
