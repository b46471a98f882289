"""Code as it stands in its file: every line whole, its spaces kept."""

from collections.abc import Iterable

from kb.reading.sections import Mark, Section


def section(lines: Iterable[tuple[int, str]], path: tuple[str, ...] = (), *, syntax: str = "") -> Section | None:
    """Clean lines with their numbers as one section, without the blank ones at its ends. None when all are blank."""
    pieces: list[str] = []
    marks: list[Mark] = []
    length = 0
    kept = 0  # pieces up to the last line with words
    for number, line in lines:
        if not line.strip():
            if marks:
                pieces.append(line)
                length += len(line) + 1
            continue
        pieces.append(line)
        marks.append(Mark(length, length + len(line), number))
        length += len(line) + 1
        kept = len(pieces)
    if not marks:
        return None
    return Section("\n".join(pieces[:kept]), "code", path, tuple(marks), syntax=syntax)
