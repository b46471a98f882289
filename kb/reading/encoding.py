"""The bytes of a text file as characters, strictly: a file that is not text is refused and never guessed at."""

import codecs
from collections.abc import Iterator
from pathlib import Path

from kb.reading.failures import Reason, Unreadable

_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_BLOCK = 64 * 1024


def pieces(path: Path) -> Iterator[str]:
    """The characters of a file in UTF-8, or in UTF-16 with a byte order mark, a piece at a time, the mark left out.

    Raises Unreadable (TYPE_MISMATCH) with the place of the first byte that is not text, NUL included.
    """
    encoding, skipped = _encoding_of(path)
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    with path.open("rb") as file:
        file.seek(skipped)
        at = skipped
        while block := file.read(_BLOCK):
            yield _decoded(decoder, block, encoding=encoding, at=at)
            at += len(block)
        yield _decoded(decoder, b"", encoding=encoding, at=at)


def _encoding_of(path: Path) -> tuple[str, int]:
    with path.open("rb") as file:
        start = file.read(3)
    for mark, encoding in _MARKS.items():
        if start.startswith(mark):
            return encoding, len(mark)
    return "utf-8", 0


def _decoded(decoder: codecs.IncrementalDecoder, block: bytes, *, encoding: str, at: int) -> str:
    begun = len(decoder.getstate()[0])  # bytes of a character that the last block cut in two
    try:
        piece = decoder.decode(block, final=not block)
    except UnicodeDecodeError as error:
        raise _not_text(at - begun + error.start) from error
    nul = piece.find("\0")
    if nul >= 0:
        raise _not_text(at - begun + len(piece[:nul].encode(encoding)), why="a NUL, which no text contains")
    return piece


def _not_text(byte: int, *, why: str = "not UTF-8") -> Unreadable:
    return Unreadable(
        Reason.TYPE_MISMATCH,
        f"This is not a text file in UTF-8: byte {byte + 1:,} is {why}. "
        "If it is text in another encoding, save it as UTF-8 and upload it again.",
    )
