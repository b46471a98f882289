"""Clean text: what may stand in the database, on a page and in a file name."""

import re
import unicodedata
from pathlib import PurePosixPath

import regex

FILENAME_BYTES = 200
"""The longest file name in UTF-8: below the 255 of common file systems, with room for a suffix."""

_UNCLEAN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_LINE_ENDS = re.compile("\r\n|[\r\x0b\x0c\x85]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f]")
_BIDI_CONTROLS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_CHARACTER = regex.compile(r"\X")
_SUFFIX_BYTES = 20


def clean(text: str) -> str:
    """The same text in NFC, its lines ended by \\n, without NUL, lone surrogates and controls other than \\n and \\t.

    Offsets are counted in clean text only: cleaning may change its length. Cleaning twice changes nothing.
    """
    if is_clean(text):
        return text
    text = _LINE_ENDS.sub("\n", text)
    if _SURROGATES.search(text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
    return unicodedata.normalize("NFC", _CONTROLS.sub("", text))


def is_clean(text: str) -> bool:
    """Whether cleaning would change nothing: the case nearly always, and a third of the work."""
    return _UNCLEAN.search(text) is None and unicodedata.is_normalized("NFC", text)


def one_line(text: str) -> str:
    """Clean text with every run of white space made one space."""
    return " ".join(clean(text).split())


def clean_filename(name: str) -> str:
    """What to show as the name of a file, whatever it was called: its last path component in clean text, without
    controls that reverse its letters, of 1 character to 200 bytes, its extension kept."""
    name = one_line(_BIDI_CONTROLS.sub("", name)).replace("\\", "/").rstrip("/")
    name = name.rpartition("/")[2].strip()
    if not name.strip("."):
        return "unnamed"
    suffix = PurePosixPath(name).suffix
    if len(suffix.encode()) > _SUFFIX_BYTES:
        suffix = ""
    stem = name.removesuffix(suffix)
    return _shortened(stem, FILENAME_BYTES - len(suffix.encode())) + suffix


def _shortened(text: str, size: int) -> str:
    """The longest beginning of whole characters, as people see them, that fits in so many bytes."""
    if len(text.encode()) <= size:
        return text
    end = used = 0
    for character in _CHARACTER.finditer(text):
        used += len(character.group().encode())
        if used > size:
            break
        end = character.end()
    # One "character" of hundreds of combining marks fits nowhere: its beginning has to do.
    return text[:end] or text.encode()[:size].decode("utf-8", "ignore")
