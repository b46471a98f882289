"""Tesseract as it is installed on this machine, and the process in which it reads the scans of one file.

Its program is started without a library between: pytesseract hands pages over in files, which stay behind when a
reading is cut off, and gives the program our environment.
"""

import json
import os
import re
import selectors
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from time import monotonic
from typing import IO, Any, cast

from kb.reading.confined.confinement import Ceiling
from kb.reading.ocr.scans import SHEET_BYTES, Answer, Outcome, Scan

_ROOT = Path(__file__).resolve().parents[3]
_PICTURE = "/proc/self/fd/0"  # read in place; what comes by "-" is copied first
_ORIENTATION = "osd"
_LANGUAGE = re.compile(r"[A-Za-z_]+")
_LISTING_SECONDS = 10.0
_KNOWN_SECONDS = 60.0
_TICK = 0.5
_BLOCK = 64 * 1024
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Installed:
    """The program, and the names of the languages for which it has data."""

    path: str
    languages: frozenset[str]


@dataclass(frozen=True, slots=True)
class Limits:
    """What recognition may use. Tesseract needs less than 0.3 GiB of address space for the largest picture and two
    languages, and writes less than 1 MiB about a full page."""

    page_seconds: float = 60.0
    file_seconds: float = 1800.0
    memory: int = 1024 * _MIB
    output: int = 8 * _MIB


DEFAULT = Limits()


def installed() -> Installed | None:
    """What stands on the PATH; None where nothing there answers."""
    path = shutil.which("tesseract")
    return None if path is None else _answering(path, os.stat(path).st_mtime_ns, int(monotonic() / _KNOWN_SECONDS))


@lru_cache(4)
def _answering(path: str, _changed: int, _time: int) -> Installed | None:
    """The program, asked again when it has changed, and now and then, as its data may have. Every PDF comes by here."""
    command = [path, "--list-langs"]
    try:
        listed = subprocess.run(
            command, capture_output=True, check=True, env=_environment(), timeout=_LISTING_SECONDS
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    named = (line.strip() for line in listed.decode(errors="replace").splitlines())
    return Installed(path, frozenset(name for name in named if _LANGUAGE.fullmatch(name)))


@contextmanager
def desk(wanted: Sequence[str], limits: Limits = DEFAULT) -> Iterator["Desk | None"]:
    """A desk for the scans of one file; None where no languages are wanted or Tesseract is not installed."""
    found = installed() if wanted else None
    if found is None:
        yield None
        return
    sheet = os.memfd_create("scan")
    try:
        os.ftruncate(sheet, SHEET_BYTES)
        yield Desk(found, wanted, sheet, limits)
    finally:
        os.close(sheet)


class Desk:
    """Where the scans of one file are read, one after the other. `sheet` is to be given to the reader."""

    def __init__(self, found: Installed, wanted: Sequence[str], sheet: int, limits: Limits) -> None:
        self.sheet = sheet
        self._path = found.path
        self._languages = [language for language in wanted if language in found.languages]
        self._turns = _ORIENTATION in found.languages
        self._limits = limits
        self._seconds_left = limits.file_seconds

    def order(self) -> dict[str, Any]:
        """What the reader has to know."""
        return {"languages": self._languages, "turns": self._turns}

    def read(self, scan: Scan, on_alive: Callable[[], None]) -> Answer:
        """Have the picture on the sheet read. `on_alive` is called about twice a second, and may raise."""
        seconds = min(self._limits.page_seconds, self._seconds_left)
        if seconds <= 0:
            return Answer(Outcome.FILE_TIMEOUT)
        begun = monotonic()
        try:
            said = self._run(self._command(scan), seconds, on_alive)
        except TimeoutError:
            return Answer(Outcome.PAGE_TIMEOUT if seconds == self._limits.page_seconds else Outcome.FILE_TIMEOUT)
        finally:
            self._seconds_left -= monotonic() - begun
        if said is None:
            return Answer(Outcome.FAILED)
        os.pwrite(self.sheet, said, 0)
        return Answer(Outcome.RECOGNISED, len(said))

    def _command(self, scan: Scan) -> list[str]:
        command = [self._path, _PICTURE, "-", "--dpi", str(scan.dots_per_inch)]
        if scan.job == "orientation":
            return [*command, "--psm", "0"]
        wanted = [language for language in scan.languages if language in self._languages]
        return [*command, "-l", "+".join(wanted), "-c", "tessedit_create_hocr=1"]

    def _run(self, command: list[str], seconds: float, on_alive: Callable[[], None]) -> bytes | None:
        """What the program writes; None when it fails. Raises TimeoutError."""
        process = self._start(command, seconds)
        output = cast(IO[bytes], process.stdout)  # a pipe, as asked for
        try:
            said = self._output(output, monotonic() + seconds, on_alive)
            return said if process.wait(_TICK) == 0 else None
        except subprocess.TimeoutExpired:  # it said all, and does not end
            return None
        finally:
            process.kill()
            process.wait()
            output.close()

    def _start(self, command: list[str], seconds: float) -> subprocess.Popen[bytes]:
        ceiling = Ceiling(cpu_seconds=int(seconds) + 1, memory=self._limits.memory)
        order = {"command": command, "ceiling": asdict(ceiling), "parent": os.getpid()}
        return subprocess.Popen(
            [sys.executable, "-E", "-s", "-B", "-m", "kb.reading.confined.launcher", json.dumps(order)],
            stdin=self.sheet,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
            cwd=_ROOT,
        )

    def _output(self, output: IO[bytes], deadline: float, on_alive: Callable[[], None]) -> bytes | None:
        said = bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)
            while len(said) <= self._limits.output:
                if monotonic() > deadline:
                    raise TimeoutError
                on_alive()
                if selector.select(_TICK):
                    block = os.read(output.fileno(), _BLOCK)
                    if not block:
                        return bytes(said)
                    said += block
        return None


def _environment() -> dict[str, str]:
    """Nothing of ours, but where its data are if they were moved. One thread: it may start no other."""
    moved = os.environ.get("TESSDATA_PREFIX")
    return {"OMP_THREAD_LIMIT": "1"} | ({"TESSDATA_PREFIX": moved} if moved else {})
