"""The process that reads one file, forked by `forkserver` and by nobody else.

Its order is a line of JSON on standard input; what it reads goes to standard output as lines of `wire`.
"""

import gc
import json
import mmap
import sys
import traceback
from collections.abc import Callable, Iterator
from io import BufferedWriter, FileIO
from pathlib import Path
from time import monotonic
from typing import Any

import msgspec

from kb.reading import readers, sniffing
from kb.reading.confined import wire
from kb.reading.confined.confinement import Ceiling, confine
from kb.reading.failures import Reason, Unreadable
from kb.reading.ocr import recognition
from kb.reading.ocr.scans import SHEET_BYTES, Answer, Outcome, Scan
from kb.reading.options import Options
from kb.reading.pdf import rendering
from kb.reading.sections import Checkpoint, Page, Progress, Section

SHEET = 3
"""The descriptor of the sheet (see `scans`), where the child has one."""

_RESERVE = 2 * 1024 * 1024

_PIECE = 64 * 1024
_PAUSE = 0.05
"""Seconds in which nobody misses a page that was read."""

_GARBAGE = 50_000
"""So many objects more before cycles among them are looked for. Readers make few, and a child is soon gone: at Python's
own 700 the search takes a twentieth of its time."""


def main(parent: int) -> None:
    gc.set_threshold(_GARBAGE)
    say = _Voice().say
    order = json.loads(sys.stdin.buffer.readline())
    confine(Ceiling(**order["ceiling"]), parent=parent)
    reserve: bytearray | None = bytearray(_RESERVE)  # given back, it leaves memory to say that there was none
    failure = None
    try:
        for message in _messages(order, say):
            say(message)
    except Unreadable as error:
        failure = wire.failed(error)
    except MemoryError:
        failure = _out_of_memory()
    except Exception as error:
        failure = _crashed(error)
    del reserve
    say(failure or wire.Finished())


class _Voice:
    """Tells the parent of pages in large pieces: waking it for each section takes longer than all it does with them."""

    def __init__(self) -> None:
        self._output = BufferedWriter(FileIO(1, "wb", closefd=False), _PIECE)
        self._heard_at = 0.0

    def say(self, message: wire.Message) -> None:
        """What is asked, and how it ends, goes at once; of progress the first, which begins the time of a page."""
        self._output.write(wire.encode(message))
        if isinstance(message, Page | Section):
            return
        if isinstance(message, Progress) and monotonic() - self._heard_at < _PAUSE:
            return
        self._output.flush()
        self._heard_at = monotonic()


def _messages(order: dict[str, Any], say: Callable[[wire.Message], None]) -> Iterator[wire.Message]:
    path = Path(order["path"])
    if "page" in order:
        yield rendering.render(path, order["page"], scale=order["scale"])
        return
    options = _options(order["options"])
    if order["media_type"] != sniffing.PDF:
        yield from readers.read(path, order["media_type"], options)
        return
    begin = msgspec.convert(order["begin"], Checkpoint | None)
    yield from readers.read(
        path, sniffing.PDF, options, scans=_scans(options, order["tesseract"], begin, say), begin=begin
    )


def _options(said: dict[str, Any]) -> Options:
    return Options(annotations=said["annotations"], ocr_languages=tuple(said["ocr_languages"]))


def _scans(
    options: Options, tesseract: dict[str, Any] | None, begin: Checkpoint | None, say: Callable[[wire.Message], None]
) -> recognition.Scans:
    before = {page: Outcome(outcome) for outcome, pages in (begin.scans if begin else {}).items() for page in pages}
    if tesseract is None:
        return recognition.Scans(options.ocr_languages, before=before)
    sheet = mmap.mmap(SHEET, SHEET_BYTES)

    def ask(scan: Scan, picture: bytes) -> tuple[Outcome, bytes]:
        if len(picture) > SHEET_BYTES:
            return Outcome.FAILED, b""
        sheet[: len(picture)] = picture
        say(scan)
        answer = Answer.of(sys.stdin.buffer.readline())
        return answer.outcome, sheet[: answer.size]

    there = recognition.Tesseract(tuple(tesseract["languages"]), tesseract["turns"])
    return recognition.Scans(options.ocr_languages, tesseract=there, ask=ask, before=before)


def _out_of_memory() -> wire.Failed:
    return wire.Failed(Reason.OUT_OF_MEMORY, "Reading this file takes more memory than the limit. Split it into parts.")


def _crashed(error: Exception) -> wire.Failed:
    detail = "The reader failed on this file: it may be damaged. Save it again and upload that."
    return wire.Failed(Reason.READER_CRASHED, detail, trace=" ".join(traceback.format_exception(error)[-4:]))
