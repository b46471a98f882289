"""Plain text: paragraphs between empty lines, and the little of structure that is beyond doubt."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from kb.reading import encoding
from kb.reading.composition import Composition, joint
from kb.reading.headings import Headings
from kb.reading.sections import About, Item, Section

VERSION = "2"

_FILLED_LEAST = 50
"""Lines broken by hand, as verse and addresses are, are shorter than those that an editor fills."""

_RULE = re.compile(r"([=\-~^\"*+#_])\1{2,}")
_ITEM = re.compile(r"[-*+•‣·–]\s+\S|\(?(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,5})[.)]\s+\S")
_COLUMNS = re.compile(r"\S(?: {3,}|\t)\s*\S")

Line = tuple[int, str]
"""Its number and its characters."""


def read(path: Path) -> Iterator[Item]:
    """The paragraphs of a text file. The unit of its marks is the line.

    A title above a rule, or between two, is a heading, the level of a rule being that of its first use. Lines that an
    editor has filled are joined; all others stay as they are.
    """
    yield About("plain", VERSION, "line")
    paragraphs = list(_paragraphs(encoding.whole(path)))
    column = _filled_to(paragraphs)
    headings = Headings()
    rules: list[str] = []
    for lines in paragraphs:
        title = _title(lines)
        if title is None:
            yield _body(lines, headings.path, column)
            continue
        rule = "".join(line[0] for _number, line in lines if _RULE.fullmatch(line))
        if rule not in rules:
            rules.append(rule)
        whole = Composition()
        whole.add(title[1].strip(), title[0])
        yield whole.section("heading", headings.enter(rules.index(rule), title[1]))


def _paragraphs(source: str) -> Iterator[list[Line]]:
    lines: list[Line] = []
    for number, line in enumerate(source.split("\n"), start=1):
        if line.strip():
            lines.append((number, line.rstrip()))
        elif lines:
            yield lines
            lines = []
    if lines:
        yield lines


def _title(lines: Sequence[Line]) -> Line | None:
    """The title, where a paragraph is one line with a rule of its width below, or one above too."""
    if len(lines) == 3 and lines[0][1] == lines[2][1]:
        lines = lines[1:]
    if len(lines) != 2 or not _RULE.fullmatch(lines[1][1]) or _RULE.fullmatch(lines[0][1]):
        return None
    return lines[0] if len(lines[1][1]) >= _width(lines[0][1].strip()) else None


def _body(lines: Sequence[Line], path: tuple[str, ...], column: int) -> Section:
    runs = _runs(lines)
    whole = Composition()
    for run in runs:
        filled = column > 0 and _is_filled(run, _longest(run) if len(run) > 2 else column)
        for position, (number, line) in enumerate(run):
            words = line.strip() if filled and position else line
            whole.add(words, number, between=joint(whole.ends, words[0]) if filled and position else "\n")
    return whole.section("list" if len(runs) > 1 else "prose", path)


def _runs(lines: Sequence[Line]) -> list[Sequence[Line]]:
    """The items of a list, where each line begins one or is indented below it; else all lines together."""
    begins = [position for position, (_number, line) in enumerate(lines) if _ITEM.match(line.lstrip())]
    margin = _indent(lines[0][1])
    hanging = all(_indent(line) > margin for position, (_number, line) in enumerate(lines) if position not in begins)
    if len(begins) < 2 or begins[0] or not hanging:
        return [lines]
    return [lines[begin:end] for begin, end in pairwise((*begins, len(lines)))]


def _filled_to(paragraphs: Sequence[Sequence[Line]]) -> int:
    """The column to which an editor has filled the lines; 0 where nothing shows that one did.

    Two lines may be filled by chance; three say so.
    """
    runs = (run for lines in paragraphs for run in _runs(lines) if len(run) > 2)
    return min((longest for run in runs if _is_filled(run, longest := _longest(run))), default=0)


def _is_filled(run: Sequence[Line], column: int) -> bool:
    """Whether each line is as long as it can be: the first word of the next would pass the column."""
    if len(run) < 2 or column < _FILLED_LEAST or any(_COLUMNS.search(line) for _number, line in run):
        return False
    return all(_width(line) + 1 + _width(_first_word(after)) > column for (_n, line), (_m, after) in pairwise(run))


def _longest(run: Sequence[Line]) -> int:
    return max(_width(line) for _number, line in run)


def _first_word(line: str) -> str:
    word = line.split(maxsplit=1)[0]
    return word[0] if _is_wide(word[0]) else word


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _width(line: str) -> int:
    """Columns: Chinese, Japanese and Korean characters take two."""
    return len(line) if line.isascii() else sum(2 if _is_wide(character) else 1 for character in line)


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"
