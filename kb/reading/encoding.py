"""The bytes of a text file as characters, strictly: a file that is not text is refused and never guessed at."""

import codecs
import re
from collections.abc import Iterator
from pathlib import Path

from kb.reading import text
from kb.reading.failures import Reason, Unreadable

_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_BLOCK = 64 * 1024

_HEAD = 1_024
"""Browsers look for a declared encoding in so many bytes (HTML Standard, 13.2.3.2)."""

_DECLARATION = re.compile(
    rb"""<meta[^>]*?charset\s*=\s*["']?\s*([\w.:-]+)        # HTML
       | <\?xml[^>]*?encoding\s*=\s*["']([\w.:-]+)          # XML
       | ^[ \t]*[#*/-].*?coding[:=][ \t]*([\w.-]+)          # source code: PEP 263, and Emacs before it
    """,
    re.IGNORECASE | re.MULTILINE | re.VERBOSE,
)
_DECLARED = {
    **dict.fromkeys(("gb2312", "gbk", "gb18030", "x-gbk", "chinese", "gb_2312-80"), "gb18030"),
    **dict.fromkeys(("big5", "big5-hkscs", "x-x-big5", "cn-big5"), "big5hkscs"),
    **dict.fromkeys(("shift_jis", "shift-jis", "sjis", "x-sjis", "windows-31j", "ms_kanji", "cp932"), "cp932"),
    **dict.fromkeys(("euc-jp", "x-euc-jp"), "euc_jp"),
    "iso-2022-jp": "iso2022_jp",
    **dict.fromkeys(("euc-kr", "ks_c_5601-1987", "windows-949", "korean", "cp949"), "cp949"),
    **dict.fromkeys(("iso-8859-1", "latin1", "latin-1", "windows-1252", "cp1252", "us-ascii", "ascii"), "cp1252"),
    **dict.fromkeys(("tis-620", "iso-8859-11", "windows-874"), "cp874"),
    **dict.fromkeys(("iso-8859-9", "windows-1254"), "cp1254"),
    **{f"windows-{page}": f"cp{page}" for page in (1250, 1251, 1253, 1255, 1256, 1257, 1258)},
    **{f"iso-8859-{part}": f"iso8859_{part}" for part in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)},
    "koi8-r": "koi8_r",
    "koi8-u": "koi8_u",
}
"""What a declared label means to a browser (Encoding Standard, 4.2), by Python's names. Others are not believed."""

_NOT_LINE_ENDS = re.compile("[\x0b\x0c\x85]")


def whole(path: Path) -> str:
    r"""A text file in clean characters. A \n stands where a line of the file ends and nowhere else, so that lines count
    as they do in an editor. Raises Unreadable as `pieces` does."""
    return text.clean(_NOT_LINE_ENDS.sub(" ", "".join(pieces(path))))


def pieces(path: Path) -> Iterator[str]:
    """The characters of a file, a piece at a time: in UTF-8, in UTF-16 with a byte order mark, or, where it is not
    UTF-8, in the encoding that it declares itself. The mark is left out.

    Raises Unreadable (TYPE_MISMATCH) with the place of the first byte that is not text, NUL included.
    """
    encoding, skipped = _encoding_of(path)
    return _decoded(path, encoding, skipped)


def _encoding_of(path: Path) -> tuple[str, int]:
    with path.open("rb") as file:
        head = file.read(_HEAD)
    for mark, encoding in _MARKS.items():
        if head.startswith(mark):
            return encoding, len(mark)
    declared = _declared(head)
    return (declared, 0) if declared and not _is_utf8(path) else ("utf-8", 0)


def _declared(head: bytes) -> str:
    found = _DECLARATION.search(head)
    return _DECLARED.get(next(filter(None, found.groups())).decode("ascii").lower(), "") if found else ""


def _is_utf8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    with path.open("rb") as file:
        try:
            while block := file.read(_BLOCK):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def _decoded(path: Path, encoding: str, skipped: int) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    with path.open("rb") as file:
        file.seek(skipped)
        at = skipped
        while block := file.read(_BLOCK):
            yield _decoded_block(decoder, block, encoding=encoding, at=at)
            at += len(block)
        yield _decoded_block(decoder, b"", encoding=encoding, at=at)


def _decoded_block(decoder: codecs.IncrementalDecoder, block: bytes, *, encoding: str, at: int) -> str:
    begun = len(decoder.getstate()[0])  # bytes of a character that the last block cut in two
    try:
        piece = decoder.decode(block, final=not block)
    except UnicodeDecodeError as error:
        raise _not_text(at - begun + error.start, encoding) from error
    nul = piece.find("\0")
    if nul >= 0:
        place = at - begun + len(piece[:nul].encode(encoding))
        raise _not_text(place, encoding, why="a NUL, which no text contains")
    return piece


def _not_text(byte: int, encoding: str, *, why: str = "") -> Unreadable:
    if encoding in _MARKS.values():
        return Unreadable(
            Reason.TYPE_MISMATCH,
            f"This is not a text file in UTF-8: byte {byte + 1:,} is {why or 'not UTF-8'}. "
            "If it is text in another encoding, save it as UTF-8 and upload it again.",
        )
    return Unreadable(
        Reason.TYPE_MISMATCH,
        f"This file says that it is text in {encoding}, but byte {byte + 1:,} is {why or 'not in that encoding'}. "
        "Save it as UTF-8 and upload it again.",
    )
