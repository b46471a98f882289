"""What dies is started again; what is stopped is gone, with everything it had started."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from kb.running import journal
from kb.running.program import Program
from kb.running.supervisor import Supervisor
from tests.kb.running import waiting


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    journal.open_log(tmp_path)
    supervisor = Supervisor(tmp_path)
    yield supervisor
    supervisor.stop(["one", "two"], seconds=0)


def _sleeper(name: str = "one") -> Program:
    return Program(name, ["/bin/sleep", "600"])


def _children(name: str) -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if child.name() == name]


def _log(folder: Path, name: str = "up") -> str:
    file = folder / f"{name}.log"
    return file.read_text() if file.exists() else ""


def test_what_dies_is_started_again_and_the_log_says_so(supervisor: Supervisor, tmp_path: Path) -> None:
    first = supervisor.start(_sleeper())
    first.kill()

    def is_back() -> bool:
        supervisor.tend()
        return any(child.pid != first.pid for child in _children("sleep"))

    waiting.until(is_back)
    assert "one ended (SIGKILL); starting it again in 1 s" in _log(tmp_path)


def test_the_delay_doubles(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(Program("one", ["/bin/sh", "-c", "exit 3"]))

    def has_failed_twice() -> bool:
        supervisor.tend()
        return "again in 2 s" in _log(tmp_path)

    started = time.monotonic()
    waiting.until(has_failed_twice)
    assert time.monotonic() - started >= 1
    assert "one ended (exit status 3); starting it again in 1 s" in _log(tmp_path)


def test_output_goes_to_a_file_and_alarming_lines_to_the_log_too(supervisor: Supervisor, tmp_path: Path) -> None:
    lines = "print('all is well'); print('ERROR it is not'); import time; time.sleep(600)"
    supervisor.start(Program("one", [sys.executable, "-u", "-c", lines]))
    waiting.until(lambda: "one: ERROR it is not" in _log(tmp_path))
    assert _log(tmp_path, "one").splitlines() == ["all is well", "ERROR it is not"]
    assert "all is well" not in _log(tmp_path)


def test_stopping_takes_what_was_started_by_what_it_stops(supervisor: Supervisor) -> None:
    process = supervisor.start(Program("one", ["/bin/sh", "-c", "sleep 600 & wait"]))
    waiting.until(lambda: psutil.Process(process.pid).children())
    (grandchild,) = psutil.Process(process.pid).children()
    supervisor.stop(["one"], seconds=5)
    waiting.until(lambda: not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE)


def test_what_does_not_stop_is_killed(supervisor: Supervisor, tmp_path: Path) -> None:
    process = supervisor.start(Program("one", ["/bin/sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"]))
    waiting.until(lambda: "ready" in _log(tmp_path, "one"))
    supervisor.stop(["one"], seconds=0.5)
    assert process.returncode == -9
    assert "one does not stop and is killed" in _log(tmp_path)


def test_what_is_stopped_is_not_started_again(supervisor: Supervisor) -> None:
    one = supervisor.start(_sleeper("one"))
    supervisor.start(_sleeper("two"))
    before = {child.pid for child in psutil.Process().children()}
    supervisor.stop(["one"], seconds=5)
    supervisor.tend()
    assert {child.pid for child in psutil.Process().children()} == before - {one.pid}


def test_it_watches_while_another_process_runs(supervisor: Supervisor) -> None:
    step = subprocess.Popen(["/bin/sh", "-c", "exit 0"])
    supervisor.watch(step)
    assert step.returncode == 0
