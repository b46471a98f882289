"""Items on their way from the child that reads to its parent: a line of JSON each, believed only when checked."""

from functools import lru_cache
from itertools import pairwise

import msgspec
from msgspec import Struct

from kb.reading import text
from kb.reading.failures import Reason, Unreadable
from kb.reading.ocr.scans import Scan
from kb.reading.sections import About, Item, PageImage, Section, Warned

_WORDS_MOST = 2_000
_PATH_MOST = 32
_SYNTAX_MOST = 40


class Finished(Struct, frozen=True, array_like=True, tag=True):
    """The reader came to the end: without this, what arrived is not the whole."""


class Failed(Struct, frozen=True, array_like=True, tag=True):
    """The reader could not read the file."""

    reason: Reason
    detail: str
    trace: str = ""
    """Where the reader's own code failed, for the log."""


Message = Item | PageImage | Scan | Finished | Failed

_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)


class Untrue(ValueError):
    """A line that no reader of ours writes."""


def failed(error: Unreadable) -> Failed:
    """The message for an exception."""
    return Failed(error.reason, error.detail)


def encode(message: Message) -> bytes:
    """One line, its end included."""
    return _ENCODER.encode(message) + b"\n"


def decode(line: bytes) -> Message:
    """The message of a line. Raises Untrue for what cannot be one: types, ranges and sizes are checked."""
    try:
        message = _DECODER.decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Untrue(f"not a message: {line[:80]!r}") from error
    match message:
        case Section():
            return _section(message)
        case About():
            metadata = {_words(key): _words(value) for key, value in list(message.metadata.items())[:_PATH_MOST]}
            return About(_words(message.reader), _words(message.version), message.unit, _words(message.title), metadata)
        case Warned():
            return Warned(_words(message.code), _words(message.detail))
        case Failed():
            return Failed(message.reason, _words(message.detail), _words(message.trace))
        case Scan():
            return Scan(message.job, message.dots_per_inch, tuple(map(_words, message.languages)))
        case PageImage() if not message.png.startswith(b"\x89PNG\r\n\x1a\n"):
            raise Untrue("a picture is not a PNG")
    return message


def _section(section: Section) -> Section:
    words = section.text
    if not text.is_clean(words) or words.isspace() or not words:
        raise Untrue("the text of a section is not clean")
    if len(section.heading_path) > _PATH_MOST:
        raise Untrue("a heading path is too deep")
    if len(section.context) > _WORDS_MOST or not words.startswith(section.context):
        raise Untrue("the context of a section is not its beginning")
    _check_marks(section)
    path = tuple(map(_words, section.heading_path))
    return Section(words, section.kind, path, section.marks, section.context, _words(section.syntax)[:_SYNTAX_MOST])


def _check_marks(section: Section) -> None:
    length = len(section.text)
    for mark in section.marks:
        if not mark.start <= mark.end <= length:
            raise Untrue("a mark is outside its section")
        if mark.box and (mark.box[0] > mark.box[2] or mark.box[1] > mark.box[3]):
            raise Untrue("a box is inside out")
    if any(later.start < mark.end for mark, later in pairwise(section.marks)):
        raise Untrue("marks overlap")


@lru_cache(256)
def _words(value: str) -> str:
    return text.one_line(value)[:_WORDS_MOST]
