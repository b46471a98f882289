"""Reads a file in a child process that can do no harm: limited in time, memory and output, believed in nothing."""

import json
import logging
import os
import selectors
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import Any, BinaryIO

import msgspec

from kb.reading import sniffing
from kb.reading.confined import children, tesseract, wire
from kb.reading.confined.children import Child
from kb.reading.confined.confinement import Ceiling
from kb.reading.confined.tesseract import Desk
from kb.reading.failures import Reason, Unreadable
from kb.reading.ocr.scans import Scan
from kb.reading.options import Options
from kb.reading.sections import Checkpoint, Item, PageImage, Section

log = logging.getLogger(__name__)

_BLOCK = 64 * 1024
_ALIVE_SECONDS = 1.0
_TICK = 0.5
_MUCH_OF_MEMORY = 4
_MIB = 1024 * 1024


TEXT_BYTES = 20_000_000


@dataclass(frozen=True)
class Limits:
    """What one reading may use (HARDENING section 2). Seconds are of waiting for the child, not of the caller's work.

    PDFium and lxml with all that Python loads need 0.1 GiB of address space before they open a file.
    """

    seconds: float = 240.0
    page_seconds: float = 5.0
    """The longest silence once the reader has opened a file that has pages."""

    memory: int = 1536 * _MIB
    output: int = 64 * _MIB
    text: int = TEXT_BYTES
    """Bytes of text in UTF-8."""

    recognition: tesseract.Limits = tesseract.DEFAULT
    """Of the programs that read its scans, beside the rest: the child waits for them."""


DEFAULT = Limits()
RENDERING = Limits(seconds=30.0)
_PLAIN = Options()


def _nothing() -> None:
    """What is done each second unless the caller wants more."""


def read(
    path: Path,
    media_type: str,
    limits: Limits = DEFAULT,
    *,
    options: Options = _PLAIN,
    begin: Checkpoint | None = None,
    on_alive: Callable[[], None] = _nothing,
) -> Iterator[Item]:
    """The items of a file as its reader finds them; of a long one those of a part, the last of which is the checkpoint
    that the next part has to `begin` with.

    `on_alive` is called about once a second while the reader lives. Raises Unreadable with the precise reason; what
    `on_alive` raises passes through. However this ends, also by `close()`, the child is gone.
    """
    silence = limits.page_seconds if media_type == sniffing.PDF else limits.seconds
    size = 0
    order: dict[str, Any] = {
        "path": str(path),
        "media_type": media_type,
        "options": asdict(options),
        "begin": msgspec.to_builtins(begin),
    }
    scanned = options.ocr_languages if media_type == sniffing.PDF else ()
    with tesseract.desk(scanned, limits.recognition) as desk:
        order["tesseract"] = desk.order() if desk else None
        for message in _messages(order, limits, silence=silence, on_alive=on_alive, desk=desk):
            if isinstance(message, PageImage):
                raise _crashed("a picture where text was asked for")
            if isinstance(message, Section):
                size += len(message.text.encode())
                if size > limits.text:
                    raise too_much_text(limits.text)
            yield message


def too_much_text(limit: int) -> Unreadable:
    """Why a file of more text than so many bytes is not read."""
    return Unreadable(
        Reason.TOO_MUCH_TEXT, f"This file has more than {limit / 1e6:,.0f} MB of text. Split it into parts."
    )


def render_page(path: Path, page: int, scale: float, limits: Limits = RENDERING) -> PageImage:
    """Page `page` of a PDF, counted from 1, at `scale` pixels a point. Raises Unreadable."""
    order = {"path": str(path), "page": page, "scale": scale}
    for message in _messages(order, limits, silence=limits.seconds, on_alive=_nothing):
        if isinstance(message, PageImage):
            return message
    raise _crashed("no picture")


def _messages(
    order: dict[str, Any],
    limits: Limits,
    *,
    silence: float,
    on_alive: Callable[[], None],
    desk: Desk | None = None,
) -> Iterator[Item | PageImage]:
    child = _start(order, limits, desk)
    try:
        for line in _lines(child.output, limits, silence=silence, on_alive=on_alive):
            message = _believed(line)
            if isinstance(message, wire.Finished):
                return
            if isinstance(message, wire.Failed):
                if message.trace:
                    log.error("A reader failed: %s", message.trace)
                raise Unreadable(message.reason, message.detail)
            if isinstance(message, Scan):
                _answer(child, message, desk, on_alive=on_alive)
                continue
            yield message
        raise _death(child, limits)
    finally:
        child.end()


def _answer(child: Child, scan: Scan, desk: Desk | None, *, on_alive: Callable[[], None]) -> None:
    if desk is None:
        raise _crashed("a scan that nobody asked for")
    answer = desk.read(scan, on_alive)
    try:
        child.answer(answer.line())
    except BlockingIOError as full:  # the pipe takes thousands: the child asks and does not listen
        raise _crashed("it does not take its answers") from full
    except BrokenPipeError:
        return  # it has died: its output ends, and says so


def _start(order: dict[str, Any], limits: Limits, desk: Desk | None) -> Child:
    ceiling = Ceiling(cpu_seconds=int(limits.seconds) + 1, memory=limits.memory)
    order = {**order, "ceiling": asdict(ceiling)}
    return children.start(json.dumps(order).encode(), sheet=desk.sheet if desk else None)


def _lines(output: BinaryIO, limits: Limits, *, silence: float, on_alive: Callable[[], None]) -> Iterator[bytes]:
    """The whole lines that the child writes."""
    begun: list[bytes] = []
    for block in _blocks(output, limits, silence=silence, on_alive=on_alive):
        end, *following = block.split(b"\n")
        begun.append(end)
        for piece in following:
            yield b"".join(begun)
            begun = [piece]


def _blocks(output: BinaryIO, limits: Limits, *, silence: float, on_alive: Callable[[], None]) -> Iterator[bytes]:
    """What the child writes, as it comes. Only time spent waiting for it counts as its own."""
    clock = _Clock(limits, silence=silence, on_alive=on_alive)
    size = 0
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        while True:
            with clock.waiting():
                ready = selector.select(_TICK)
            if not ready:
                continue
            block = os.read(output.fileno(), _BLOCK)
            if not block:
                return
            size += len(block)
            if size > limits.output:
                raise Unreadable(
                    Reason.OUTPUT_TOO_LARGE,
                    f"Reading this file gives more than {limits.output / _MIB:,.0f} MiB. Split it into parts.",
                )
            clock.heard()
            yield block


class _Clock:
    """How long the child has kept us waiting: in all, and since it was last heard."""

    def __init__(self, limits: Limits, *, silence: float, on_alive: Callable[[], None]) -> None:
        self._limits = limits
        self._allowed = limits.seconds  # until it has opened the file
        self._silence = silence
        self._on_alive = on_alive
        self._all = self._since_heard = 0.0
        self._alive_at = monotonic()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Around each wait. Raises Unreadable (TIMEOUT) when it was one too many."""
        begun = monotonic()
        yield
        now = monotonic()
        self._all += now - begun
        self._since_heard += now - begun
        if now - self._alive_at >= _ALIVE_SECONDS:
            self._alive_at = now
            self._on_alive()
        if self._all > self._limits.seconds:
            raise _timeout(f"in all it took more than {self._limits.seconds:g} s")
        if self._since_heard > self._allowed:
            raise _timeout(f"one page took more than {self._allowed:g} s")

    def heard(self) -> None:
        """The child wrote something."""
        self._since_heard = 0.0
        self._allowed = self._silence


def _believed(line: bytes) -> wire.Message:
    try:
        return wire.decode(line)
    except wire.Untrue as untrue:
        raise _crashed(str(untrue)) from untrue


def _timeout(why: str) -> Unreadable:
    return Unreadable(Reason.TIMEOUT, f"Reading this file takes too long: {why}. Split it into parts, or simplify it.")


def _death(child: Child, limits: Limits) -> Unreadable:
    """Why a child ended without saying that it had finished."""
    ended = child.ended()
    if ended is None:
        return _crashed("it closed its output and went on")
    if ended.status == -signal.SIGXCPU:
        return _timeout("it used up its processor time")
    # SIGKILL, not by us: the machine is out of memory. Otherwise C code that was refused memory just crashes, and it
    # asks for a buffer twice as large each time: a crash with a good part of the limit in use was such a refusal.
    if ended.status == -signal.SIGKILL or ended.memory > limits.memory / _MUCH_OF_MEMORY:
        return Unreadable(
            Reason.OUT_OF_MEMORY, "Reading this file takes more memory than the limit. Split it into parts."
        )
    return _crashed(f"exit status {ended.status}")


def _crashed(why: str) -> Unreadable:
    log.warning("A reader crashed: %s.", why)
    return Unreadable(
        Reason.READER_CRASHED, "The reader broke off on this file: it may be damaged. Save it again and upload that."
    )
