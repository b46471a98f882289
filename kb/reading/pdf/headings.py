"""Headings of PDF files that have no outline: by the size of their letters, by weight, and by their numbers."""

from collections import Counter
from collections.abc import Sequence

import regex

from kb.reading.pdf.blocks import Block
from kb.reading.pdf.lines import Line

_LARGER = 1.12
"""Letters so many times as high as those of the body make a heading."""

_LINES = 3
_LETTERS = 160

_NUMBERED = regex.compile(
    r"(?P<depth>\d{1,3}(?:\.\d{1,3}){0,5})\.?\s+(?-i:\p{Lu})|(?P<cjk>\d{1,3}(?:[.．]\d{1,3}){0,5})[.．、]?\s*[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}]"
    r"|(?P<part>(?:part|teil|partie|parte|часть)\s+[\divxlc]+\b|第\s?[\d一二三四五六七八九十百]+\s?[部编編篇])"
    r"|(?P<chapter>(?:chapter|appendix|kapitel|anhang|chapitre|annexe|capítulo|apéndice|capitolo|глава)\s+[\divxlc]+\b"
    r"|第\s?[\d一二三四五六七八九十百]+\s?[章课課回])"
    r"|(?P<section>第\s?[\d一二三四五六七八九十百]+\s?[节節])|(?P<article>第\s?[\d一二三四五六七八九十百]+\s?[条條])",
    regex.IGNORECASE,
)
_RANKS = {"part": -1, "chapter": 0, "section": 1, "article": 2}
_SENTENCE_END = regex.compile(r"[.!。！；;,，、:：]$")
_BODY_LETTERS = 200_000


class Sizes:
    """The heights of a document's letters, as its pages come: most of them are the body's."""

    def __init__(self) -> None:
        self._letters: Counter[float] = Counter()

    def note(self, lines: Sequence[Line]) -> None:
        """Take in the lines of a page."""
        if self._letters.total() < _BODY_LETTERS:
            for line in lines:
                self._letters[_size(line)] += len(line.text)

    @property
    def body(self) -> float:
        """The height of most letters; 0 before there are any."""
        return self._letters.most_common(1)[0][0] if self._letters else 0.0


def level(block: Block, body: float) -> float | None:
    """How deep in the document a heading is, the smaller the further out; None for what is no heading."""
    lines = block.lines
    if block.kind not in ("prose", "list") or len(lines) > _LINES or sum(len(line.text) for line in lines) > _LETTERS:
        return None
    first, words = lines[0], " ".join(line.text for line in lines)
    numbered = _NUMBERED.match(words)
    if not any(letter.isalpha() for letter in words) or (_SENTENCE_END.search(words) and not numbered):
        return None
    size = min(map(_size, lines))
    if size >= _LARGER * body:
        return -size + _depth(numbered) / 100
    if all(line.bold for line in lines) and size >= 0.95 * body and (numbered or len(lines) == 1):
        return -body + _depth(numbered) / 100 + (0.0 if first.bold and numbered else 0.5)
    return None


def _depth(numbered: "regex.Match[str] | None") -> int:
    if numbered is None:
        return 0
    if numbered.lastgroup in _RANKS:
        return _RANKS[numbered.lastgroup]
    return 1 + (numbered["depth"] or numbered["cjk"]).replace("．", ".").count(".")


def _size(line: Line) -> float:
    return round(line.height * 2) / 2
