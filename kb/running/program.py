"""A program to run beside this one: its arguments, its environment, its user and how it is told to stop."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

# Set in everything that is started for a data folder: what outlives its supervisor is found by it.
MARK = "CONCORDANCE_STARTED_FOR"

_LAUNCHER = Path(__file__).with_name("launcher.py")


@dataclass(frozen=True)
class Program:
    name: str
    arguments: list[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to this process's own environment."""
    user: str = ""
    """Whom to run it as; empty for the user of this process."""
    stop_signal: signal.Signals = signal.SIGTERM
    """Asks it to stop. It also gets this signal when the process that started it dies."""
    alarming: str = r"\b(CRITICAL|ERROR)\b"
    """A regular expression for the lines of its output that a person should see at once."""

    def start(
        self, output: int | IO[bytes] | None = None, errors: int | IO[bytes] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start it in a session of its own, from a thread that lives as long as the program should.

        The session keeps a Ctrl-C in the terminal away from it, so that the supervisor decides the order of
        stopping. The kernel takes the end of the *thread* that forked for the death of the parent.
        """
        return subprocess.Popen(
            self.command(),
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            start_new_session=True,
        )

    def command(self) -> list[str]:
        lesser = ["--user", self.user] if self.user else []
        tie = [str(int(self.stop_signal)), str(os.getpid())]
        return [sys.executable, "-I", "-S", str(_LAUNCHER), *lesser, *tie, *self.arguments]
