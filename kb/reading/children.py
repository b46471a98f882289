"""The children that read files, as their parent sees them: forked from a server that each process has of its own."""

import os
import socket
import struct
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import BinaryIO

FORK = b"f"
"""The request for a child. Three or four descriptors come with it: the child's standard input and output, its line,
over which its parent has it killed and learns of its end, and the sheet for scans (see `scans`)."""

FORKED = b"f"

ENDED = struct.Struct("=iq")
"""How a child ended: its status as wait(2) has it, and the most memory that it had, in KiB."""

_ROOT = Path(__file__).resolve().parents[2]
_PATIENCE = 30.0
"""Seconds that the server has to load all readers and to fork; it needs less than one."""

_KIB = 1024


class Lost(Exception):
    """The server ended before its time, and the child with it: no file is at fault."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended: its exit status, negative for a signal, and the most memory that it had, in bytes."""

    status: int
    memory: int


class Child:
    """A process that reads one file. `output` is what it writes."""

    def __init__(self, line: socket.socket, stdin: BinaryIO, output: BinaryIO) -> None:
        self.output = output
        self._line = line
        self._stdin = stdin

    def order(self, order: bytes, *, is_all: bool) -> None:
        """Tell it, in one line, what to do, and with `is_all` that nothing will follow."""
        with suppress(BrokenPipeError):  # it has died: its output says so
            self._stdin.write(order + b"\n")
        if is_all:
            self._stdin.close()

    def answer(self, line: bytes) -> None:
        """Tell it what it waits for. Raises BlockingIOError when it is not listening, BrokenPipeError when it died."""
        os.set_blocking(self._stdin.fileno(), False)
        os.write(self._stdin.fileno(), line)

    def ended(self) -> Ended | None:
        """How it ended by itself; None when it goes on although its output has ended. Raises Lost."""
        try:
            said = self._line.recv(ENDED.size)
        except TimeoutError:
            return None
        if not said:
            raise Lost("The process that children are forked from is gone.")
        status, memory = ENDED.unpack(said)
        return Ended(os.waitstatus_to_exitcode(status), memory * _KIB)

    def end(self) -> None:
        """Kill it if it lives, and see it gone."""
        self._line.shutdown(socket.SHUT_WR)
        with suppress(TimeoutError):
            self._line.recv(ENDED.size)
        for one in (self._line, self._stdin, self.output):
            one.close()


def start(order: bytes, *, sheet: int | None = None) -> Child:
    """A child that works on this order, one line; with the sheet, a descriptor, it is answered too. Raises Lost."""
    child = _server.fork([] if sheet is None else [sheet])
    child.order(order, is_all=sheet is None)
    return child


class _Server:
    """The server of this process: started for the first child, and anew after it has ended."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._control: socket.socket | None = None
        self._started: list[subprocess.Popen[bytes]] = []

    def fork(self, sheet: list[int]) -> Child:
        with self._lock:
            if self._control is not None:
                with suppress(OSError):
                    return _forked(self._control, sheet)
                self._control.close()
            self._control = self._start()
            try:
                return _forked(self._control, sheet)
            except OSError as error:
                raise Lost("The process that children are forked from does not start.") from error

    def _start(self) -> socket.socket:
        self._started = [one for one in self._started if one.poll() is None]
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            # Its own interpreter, with nothing of ours in it: no environment (passwords are there), no user's packages,
            # no connections. -m finds the package by the folder it starts in.
            server = subprocess.Popen(
                [sys.executable, "-E", "-s", "-X", "utf8", "-m", "kb.reading.forkserver", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={},
                cwd=_ROOT,
                pass_fds=[theirs.fileno()],
            )
        self._started.append(server)
        return ours


def _forked(control: socket.socket, sheet: list[int]) -> Child:
    """Raises OSError when the server has ended."""
    line, its_line = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    line.settimeout(_PATIENCE)
    its_stdin, stdin = _pipe()
    output, its_output = _pipe()
    with its_line, its_stdin, its_output:
        given = [its_stdin.fileno(), its_output.fileno(), its_line.fileno(), *sheet]
        socket.send_fds(control, [FORK], given)
    if line.recv(len(FORKED)) != FORKED:  # its end is closed here: when the server goes, so does the line
        raise ConnectionResetError
    return Child(line, stdin, output)


def _pipe() -> tuple[BinaryIO, BinaryIO]:
    receives, sends = os.pipe()
    return open(receives, "rb", buffering=0), open(sends, "wb", buffering=0)


_server = _Server()


def _forget_server() -> None:
    """A server belongs to one process: what that forks, as Celery does, starts its own."""
    global _server
    _server = _Server()


os.register_at_fork(after_in_child=_forget_server)
