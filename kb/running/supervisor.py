"""Keeps programs running: starts again what dies, and at the end stops everything in order."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kb.running.journal import Journal, log
from kb.running.program import Program

_FIRST_DELAY = 1.0
_LONGEST_DELAY = 30.0
# A program that has lived this long was not broken when it started: the next delay is the first again.
_SOUND_SECONDS = 60.0
_GLANCE_SECONDS = 0.1


@dataclass
class _Child:
    program: Program
    journal: Journal
    process: subprocess.Popen[bytes]
    started: float
    delay: float = _FIRST_DELAY
    due: float | None = None
    """When it is started again; None while it runs."""


class Supervisor:
    """Use it from one thread that lives until the end: the programs are tied to the thread that starts them."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._children: dict[str, _Child] = {}

    def start(self, program: Program) -> subprocess.Popen[bytes]:
        journal = Journal(program.name, self._logs, program.alarming)
        process = _launch(program, journal)
        self._children[program.name] = _Child(program, journal, process, time.monotonic())
        return process

    @property
    def names(self) -> list[str]:
        """Of what it keeps running, in the order in which that was started."""
        return list(self._children)

    def watch(self, process: subprocess.Popen[bytes] | None = None) -> None:
        """Start again what dies: until this other process ends, or for ever."""
        while process is None or process.poll() is None:
            self.tend()
            time.sleep(_GLANCE_SECONDS)

    def tend(self) -> None:
        """Look once at every program."""
        now = time.monotonic()
        for child in self._children.values():
            if child.due is not None:
                if now >= child.due:
                    _restart(child)
            elif child.process.poll() is not None:
                _plan_restart(child, now)

    def stop(self, names: Iterable[str], *, seconds: float) -> None:
        """Ask these programs, in this order, to stop, and kill what has not stopped when the time is over."""
        children = [self._children.pop(name) for name in names if name in self._children]
        for child in children:
            _signal(child.process, child.program.stop_signal)
        deadline = time.monotonic() + seconds
        for child in children:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(max(0.0, deadline - time.monotonic()))
        for child in children:
            if child.process.poll() is None:
                log.warning("%s does not stop and is killed", child.program.name)
            _kill_group(child.process)
            child.process.wait()


def _launch(program: Program, journal: Journal) -> subprocess.Popen[bytes]:
    process = program.start(subprocess.PIPE, subprocess.STDOUT)
    assert process.stdout is not None  # noqa: S101 - for the type checker; a pipe was asked for
    journal.follow(process.stdout)
    return process


def _plan_restart(child: _Child, now: float) -> None:
    # What it had started is of no use without it, and may hold what the next one needs: a port, a file.
    _kill_group(child.process)
    if now - child.started >= _SOUND_SECONDS:
        child.delay = _FIRST_DELAY
    ending = _ending(child.process.returncode)
    log.warning("%s ended (%s); starting it again in %g s", child.program.name, ending, child.delay)
    child.due = now + child.delay
    child.delay = min(2 * child.delay, _LONGEST_DELAY)


def _restart(child: _Child) -> None:
    child.process = _launch(child.program, child.journal)
    child.started = time.monotonic()
    child.due = None


def _ending(returncode: int) -> str:
    if returncode < 0:
        return signal.Signals(-returncode).name
    return f"exit status {returncode}"


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(number)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """The group outlives its first process for as long as anything is in it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
