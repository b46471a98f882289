"""Items on their way from the child that reads to its parent: a line of JSON each, believed only when checked."""

import base64
import binascii
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, get_args

from kb.reading import text
from kb.reading.failures import Reason, Unreadable
from kb.reading.rendering import PageImage
from kb.reading.scans import Job, Scan
from kb.reading.sections import About, Box, Cell, Item, Kind, Mark, Page, Progress, Section, Unit, Warned

_UNITS_MOST = 50_000_000
_POINTS_MOST = 1_000_000.0
_WORDS_MOST = 2_000
_PATH_MOST = 32
_DOTS_MOST = 2_400


@dataclass(frozen=True, slots=True)
class Finished:
    """The reader came to the end: without this, what arrived is not the whole."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The reader could not read the file."""

    reason: Reason
    detail: str
    trace: str = ""
    """Where the reader's own code failed, for the log."""


Message = Item | PageImage | Scan | Finished | Failed


class Untrue(ValueError):
    """A line that no reader of ours writes."""


def failed(error: Unreadable) -> Failed:
    """The message for an exception."""
    return Failed(error.reason, error.detail)


def encode(message: Message) -> bytes:
    """One line, its end included."""
    fields = asdict(message)
    if isinstance(message, PageImage):
        fields["png"] = base64.b64encode(message.png).decode("ascii")
    if isinstance(message, Section):
        fields["marks"] = [[mark.start, mark.end, mark.unit, mark.box, mark.cell] for mark in message.marks]
    line = json.dumps([type(message).__name__, fields], ensure_ascii=False, separators=(",", ":"))
    return line.encode() + b"\n"


def decode(line: bytes) -> Message:
    """The message of a line. Raises Untrue for what cannot be one: types, ranges and sizes are checked."""
    try:
        name, fields = json.loads(line)
        return _DECODERS[name](fields)
    except Untrue:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, binascii.Error) as error:
        raise Untrue(f"not a message: {line[:80]!r}") from error


def _about(fields: dict[str, Any]) -> About:
    return About(
        _words(fields["reader"]),
        _words(fields["version"]),
        _one_of(fields["unit"], get_args(Unit)),
        _words(fields["title"]),
        {_words(key): _words(value) for key, value in list(fields["metadata"].items())[:_PATH_MOST]},
    )


def _page(fields: dict[str, Any]) -> Page:
    return Page(_whole(fields["number"], least=1), _points(fields["width"]), _points(fields["height"]))


def _section(fields: dict[str, Any]) -> Section:
    words = fields["text"]
    if not isinstance(words, str) or not words.strip() or text.clean(words) != words:
        raise Untrue("the text of a section is not clean")
    path = tuple(_words(title) for title in fields["heading_path"])
    if len(path) > _PATH_MOST:
        raise Untrue("a heading path is too deep")
    marks = tuple(_mark(mark, len(words)) for mark in fields["marks"])
    if any(later.start < mark.end for mark, later in pairwise(marks)):
        raise Untrue("marks overlap")
    context = fields["context"]
    if not isinstance(context, str) or len(context) > _WORDS_MOST or not words.startswith(context):
        raise Untrue("the context of a section is not its beginning")
    return Section(words, _one_of(fields["kind"], get_args(Kind)), path, marks, context, _words(fields["syntax"])[:40])


def _mark(numbers: list[Any], length: int) -> Mark:
    start, end, unit, box, cell = numbers
    _whole(start, most=length)
    return Mark(
        start,
        _whole(end, least=start, most=length),
        _whole(unit, least=1),
        None if box is None else _box(box),
        None if cell is None else _cell(cell),
    )


def _box(numbers: list[Any]) -> Box:
    left, top, right, bottom = (_points(number) for number in numbers)
    if left > right or top > bottom:
        raise Untrue("a box is inside out")
    return left, top, right, bottom


def _cell(numbers: list[Any]) -> Cell:
    row, column = numbers
    return _whole(row, least=1), _whole(column, least=1)


def _image(fields: dict[str, Any]) -> PageImage:
    png = base64.b64decode(fields["png"], validate=True)
    if not png.startswith(b"\x89PNG\r\n\x1a\n"):
        raise Untrue("a picture is not a PNG")
    return PageImage(png, _points(fields["width_pt"]), _points(fields["height_pt"]))


def _scan(fields: dict[str, Any]) -> Scan:
    languages = tuple(_words(language) for language in fields["languages"])
    return Scan(_one_of(fields["job"], get_args(Job)), _whole(fields["dots_per_inch"], most=_DOTS_MOST), languages)


def _words(value: Any) -> str:
    if not isinstance(value, str):
        raise Untrue("not a string")
    return text.one_line(value)[:_WORDS_MOST]


def _whole(value: Any, *, least: int = 0, most: int = _UNITS_MOST) -> int:
    if type(value) is not int or not least <= value <= most:
        raise Untrue(f"not a number from {least} to {most}: {value!r:.40}")
    return value


def _points(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value) or abs(value) > _POINTS_MOST:
        raise Untrue(f"not a length: {value!r:.40}")
    return float(value)


def _one_of(value: Any, choices: tuple[Any, ...]) -> Any:
    if value not in choices:
        raise Untrue(f"not one of {choices}")
    return value


_DECODERS: dict[str, Callable[[dict[str, Any]], Message]] = {
    "About": _about,
    "Page": _page,
    "Section": _section,
    "Warned": lambda fields: Warned(_words(fields["code"]), _words(fields["detail"])),
    "Progress": lambda fields: Progress(_whole(fields["done"]), _whole(fields["total"])),
    "PageImage": _image,
    "Scan": _scan,
    "Finished": lambda fields: Finished(),
    "Failed": lambda fields: Failed(Reason(fields["reason"]), _words(fields["detail"]), _words(fields["trace"])),
}
