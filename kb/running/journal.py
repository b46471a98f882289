"""Where the output of programs goes: files that do not grow for ever, and, when it is alarming, the terminal."""

import logging
import re
import threading
from collections.abc import Iterable
from logging.handlers import RotatingFileHandler
from pathlib import Path

_BYTES = 10 * 1024 * 1024
_OLDER_FILES = 3
_LONGEST_LINE = 64 * 1024

log = logging.getLogger("concordance")
"""What the supervisor itself has to say."""


def open_log(folder: Path) -> None:
    """Send the supervisor's own lines to the terminal and to `up.log`."""
    # A full disk or a closed terminal must not stop what is supervised.
    logging.raiseExceptions = False
    terminal = logging.StreamHandler()
    terminal.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    log.handlers = [terminal, _rotating(folder / "up.log", "%(asctime)s %(message)s")]
    log.setLevel(logging.INFO)
    log.propagate = False


class Journal:
    """One program's file. Lines that match `alarming` also go to the terminal, with the program's name."""

    def __init__(self, name: str, folder: Path, alarming: str) -> None:
        self._name = name
        self._path = folder / f"{name}.log"
        self._alarming = re.compile(alarming)
        self._handler = _rotating(self._path, "%(message)s")

    def follow(self, output: Iterable[bytes]) -> None:
        """Write down everything from `output` until it ends, in a thread of its own."""
        threading.Thread(target=self._copy, args=[output], daemon=True).start()

    def _copy(self, output: Iterable[bytes]) -> None:
        for raw in output:
            line = raw[:_LONGEST_LINE].decode(errors="replace").rstrip("\n")
            self._handler.handle(logging.makeLogRecord({"msg": line}))
            if self._alarming.search(line):
                log.warning("%s: %s (%s)", self._name, line, self._path)


def _rotating(path: Path, pattern: str) -> logging.Handler:
    handler = RotatingFileHandler(path, maxBytes=_BYTES, backupCount=_OLDER_FILES, delay=True)
    handler.setFormatter(logging.Formatter(pattern))
    return handler
