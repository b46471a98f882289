"""Context: what is given to the encoder and to the word index in front of a passage's own text.

The headings above it and, where it continues a table, the table's header row. Kept with each chunk as it was given.
"""

from collections.abc import Sequence

from embeddings.encoder import Tokenizer
from kb import boundaries

_SHARE = 4
"""Headings and header row take at most one part each in so many of what the encoder reads."""

_BETWEEN_TITLES = " › "


def encoded_text(context: str, text: str) -> str:
    """What the encoder and the word index are given of a passage."""
    return f"{context}\n{text}" if context else text


class Contexts:
    """Writes contexts that leave at least half of what the encoder reads to the text."""

    def __init__(self, tokenizer: Tokenizer, *, limit: int) -> None:
        """`limit` is what the encoder reads, prompt and special tokens left out."""
        self._tokenizer = tokenizer
        self._most = limit // _SHARE
        self._extra = tokenizer.count([""])[0]
        self._sizes = {"": 0}
        self._written: dict[tuple[Sequence[str], str], str] = {}

    def write(self, titles: Sequence[str], header: str) -> str:
        """The context below these headings, from the outermost on, with this header row."""
        key = (titles, header)
        if key not in self._written:
            lines = (self._headings(titles), self._shortened(header))
            self._written[key] = "\n".join(line for line in lines if line)
        return self._written[key]

    def size(self, context: str) -> int:
        """The tokens of a context."""
        if context not in self._sizes:
            self._sizes[context] = self._tokenizer.count([f"{context}\n"])[0] - self._extra
        return self._sizes[context]

    def _headings(self, titles: Sequence[str]) -> str:
        """As many of the titles as there is room for. The nearest says most about the text: the outermost go first."""
        for first in range(len(titles)):
            line = _BETWEEN_TITLES.join(titles[first:])
            if self.size(line) <= self._most:
                return line
        return self._shortened(titles[-1]) if titles else ""

    def _shortened(self, line: str) -> str:
        """The longest beginning of the line for which there is room, cut between words."""
        if not line or self.size(line) <= self._most:
            return line
        starts = [start for start, _end in self._tokenizer.offsets(line)]
        for tokens in range(min(self._most, len(starts) - 1), 0, -1):
            cut = line[: boundaries.cut_before(line, 0, starts[tokens])].rstrip()
            if self.size(cut) <= self._most:
                return cut
        return ""
