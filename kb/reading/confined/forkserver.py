"""The process that children are forked from: `python -m kb.reading.confined.forkserver`, started by `children` alone.

It has the readers and their libraries loaded, so that a child starts in milliseconds. It opens no file and is told
nothing about any: it hands a child the ends of pipes by which that talks with its parent, and says how it ended.

Children share the layout of the server's memory and the seed of its hashes. One that crashed may have been trying
addresses, and what one file found out may serve another: after a crash, a number of children or a time the server forks
no other, and the next is laid out anew.
"""

import gc
import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import NoReturn

from kb.reading.confined import child
from kb.reading.confined.children import ENDED, FORK, FORKED, NOT_FORKED
from kb.reading.confined.confinement import hide

_DESCRIPTORS_MOST = 4

_CHILDREN_MOST = 100
_SECONDS = 300.0
"""So long it forks children, and keeps its memory, some 40 MiB, without one."""


def main() -> None:
    gc.collect()
    gc.freeze()  # what is loaded stays, and its memory is shared with the children as long as nobody writes there
    serve(socket.socket(fileno=int(sys.argv[1])), child.main)


def serve(control: socket.socket, work: Callable[[int], None]) -> NoReturn:
    """Fork a child for each request until there is nobody to make one. `work` is what a child does, given the id of
    this process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all, and the parent decides what that means
    hide()
    _Server(control, work).run()
    os._exit(0)


@dataclass
class _Child:
    """One that lives: `process` and `line` are descriptors."""

    pid: int
    process: int
    line: int
    is_wanted: bool = True


class _Server:
    def __init__(self, control: socket.socket, work: Callable[[int], None]) -> None:
        self._control = control
        self._work = work
        self._pid = os.getpid()
        self._children: dict[int, _Child] = {}
        """Each by both its descriptors."""
        self._forks = True
        self._forked = 0
        self._until = monotonic() + _SECONDS
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)

    def run(self) -> None:
        while self._forks or self._children:
            left = self._until - monotonic()
            if self._forks and (left <= 0 or self._forked >= _CHILDREN_MOST):
                self._fork_no_more()
                continue
            ready = self._poll.poll(left * 1000 if self._forks else None)
            if not ready:
                continue
            # One at a time: a descriptor that is closed may be another child's with the next request.
            descriptor, _event = ready[0]
            one = self._children.get(descriptor)
            if one is None:
                self._receive()
            elif descriptor == one.process:
                self._reap(one)
            else:
                self._kill(one)

    def _receive(self) -> None:
        request, descriptors, _flags, _address = socket.recv_fds(self._control, len(FORK), _DESCRIPTORS_MOST)
        if request != FORK:
            os._exit(0)  # the parent has gone, and with this process its children go
        stdin, stdout, line, *sheet = descriptors
        try:
            one = self._fork(stdin, stdout, line, sheet)
        except OSError:
            _say(line, NOT_FORKED)
            os.close(line)
            return
        finally:
            for descriptor in (stdin, stdout, *sheet):
                os.close(descriptor)
        self._forked += 1
        for descriptor in (one.process, one.line):
            self._children[descriptor] = one
            self._poll.register(descriptor, select.POLLIN)
        _say(one.line, FORKED)

    def _fork(self, stdin: int, stdout: int, line: int, sheet: list[int]) -> _Child:
        pid = os.fork()
        if pid == 0:
            self._be_child(stdin, stdout, sheet)
        try:
            return _Child(pid, os.pidfd_open(pid), line)
        except OSError:  # without a descriptor nobody would see it end
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise

    def _be_child(self, stdin: int, stdout: int, sheet: list[int]) -> NoReturn:
        status = 1
        try:
            for descriptor, place in zip((stdin, stdout, *sheet), (0, 1, child.SHEET), strict=False):
                os.dup2(descriptor, place)
            last = max(map(int, os.listdir("/proc/self/fd")))
            os.closerange(child.SHEET + len(sheet), last + 1)
            self._work(self._pid)
            status = 0
        finally:
            os._exit(status)  # no finalizers: PDFium's may crash on a damaged file after all was said

    def _kill(self, one: _Child) -> None:
        """Its parent does not want it any more, or has gone."""
        self._poll.unregister(one.line)
        one.is_wanted = False
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(one.process, signal.SIGKILL)

    def _reap(self, one: _Child) -> None:
        _pid, status, usage = os.wait4(one.pid, 0)
        _say(one.line, ENDED.pack(status, usage.ru_maxrss))
        self._poll.unregister(one.process)
        if one.is_wanted:
            self._poll.unregister(one.line)
        for descriptor in (one.process, one.line):
            del self._children[descriptor]
            os.close(descriptor)
        if one.is_wanted and os.WIFSIGNALED(status) and self._forks:
            self._fork_no_more()

    def _fork_no_more(self) -> None:
        """Its parent starts another for the next child."""
        self._forks = False
        self._poll.unregister(self._control)
        self._control.close()


def _say(line: int, message: bytes) -> None:
    with suppress(OSError):  # nobody is there to hear it
        os.write(line, message)


if __name__ == "__main__":
    main()
