"""The children that read files, as their parent sees them: forked from a server that each process has of its own."""

import logging
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import BinaryIO

log = logging.getLogger(__name__)

FORK = b"f"
"""The request for a child. Three or four descriptors come with it: the child's standard input and output, its line,
over which its parent has it killed and learns of its end, and the sheet for scans (see `scans`)."""

FORKED = b"f"

NOT_FORKED = b"n"
"""The system refused another process."""

ENDED = struct.Struct("=iq")
"""How a child ended: its status as wait(2) has it, and the most memory that it had, in KiB."""

_ROOT = Path(__file__).resolve().parents[3]
_PATIENCE = 30.0
"""Seconds that the server has to load all readers and to fork; it needs less than one."""

_KIB = 1024


class Lost(Exception):
    """There is no child, or no longer, for want of a server: no file is at fault."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended: its exit status, negative for a signal, and the most memory that it had, in bytes."""

    status: int
    memory: int


@dataclass(frozen=True, slots=True)
class Server:
    """A process that forks children, and the socket on which it is asked for them."""

    process: subprocess.Popen[bytes]
    control: socket.socket

    def fork(self, sheet: Sequence[int]) -> "Child":
        """Raises ConnectionError where it forks no more, Lost where it cannot, OSError where we have no descriptors."""
        with ExitStack() as ours, ExitStack() as theirs:
            line, its_line = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            line.settimeout(_PATIENCE)
            ours.enter_context(line)
            theirs.enter_context(its_line)
            stdin, output = _pipe(sender=ours, receiver=theirs), _pipe(sender=theirs, receiver=ours)
            given = [stdin.receives.fileno(), output.sends.fileno(), its_line.fileno(), *sheet]
            socket.send_fds(self.control, [FORK], given)
            theirs.close()  # when the server goes, so does the line
            self._hear(line)
            ours.pop_all()
        return Child(self, line, stdin.sends, output.receives)

    def _hear(self, line: socket.socket) -> None:
        try:
            said = line.recv(len(FORKED))
        except TimeoutError as silent:
            self.kill()
            raise ConnectionAbortedError from silent
        if said == NOT_FORKED:
            raise Lost("There is no room for another process.")
        if said != FORKED:
            raise ConnectionResetError

    def kill(self) -> None:
        """It does not answer. The kernel kills its children when it is gone (see `confinement`)."""
        log.error("The process that children are forked from does not answer: it is killed.")
        self.process.kill()
        self.process.wait()


class Child:
    """A process that reads one file. `output` is what it writes."""

    def __init__(self, server: Server, line: socket.socket, stdin: BinaryIO, output: BinaryIO) -> None:
        self.output = output
        self._server = server
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
        """Kill it if it lives, and see it gone: with its server, where that does not see to it."""
        self._line.shutdown(socket.SHUT_WR)
        try:
            self._line.recv(ENDED.size)
        except TimeoutError:
            self._server.kill()
        for one in (self._line, self._stdin, self.output):
            one.close()


def start(order: bytes, *, sheet: int | None = None) -> Child:
    """A child that works on this order, one line; with the sheet, a descriptor, it is answered too. Raises Lost."""
    child = _servers.fork([] if sheet is None else [sheet])
    child.order(order, is_all=sheet is None)
    return child


class _Servers:
    """The servers of this process: one for the first child, and another after it has ended or forks no more."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._last: Server | None = None
        self._started: list[subprocess.Popen[bytes]] = []

    def fork(self, sheet: Sequence[int]) -> Child:
        with self._lock:
            if self._last is not None:
                with suppress(ConnectionError):
                    return self._last.fork(sheet)
                self._last.control.close()
            self._last = self._start()
            try:
                return self._last.fork(sheet)
            except ConnectionError as error:
                raise Lost("The process that children are forked from does not start.") from error

    def _start(self) -> Server:
        self._started = [one for one in self._started if one.poll() is None]
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            # Its own interpreter, with nothing of ours in it: no environment (passwords are there), no user's packages,
            # no connections. -m finds the package by the folder it starts in.
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-E",
                    "-s",
                    "-X",
                    "utf8",
                    "-m",
                    "kb.reading.confined.forkserver",
                    str(theirs.fileno()),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={},
                cwd=_ROOT,
                pass_fds=[theirs.fileno()],
            )
        self._started.append(process)
        return Server(process, ours)


@dataclass(frozen=True, slots=True)
class _Pipe:
    receives: BinaryIO
    sends: BinaryIO


def _pipe(*, sender: ExitStack, receiver: ExitStack) -> _Pipe:
    """A pipe, each end of which is closed with what it belongs to."""
    receives, sends = os.pipe()
    return _Pipe(
        receiver.enter_context(open(receives, "rb", buffering=0)), sender.enter_context(open(sends, "wb", buffering=0))
    )


_servers = _Servers()


def _forget_servers() -> None:
    """A server belongs to one process: what that forks, as Celery does, starts its own."""
    global _servers
    _servers = _Servers()


os.register_at_fork(after_in_child=_forget_servers)
