"""Every program dies with the one that started it, and PostgreSQL does not run as root."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from kb.running.program import Program
from tests.kb.running import waiting

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def _output_of(program: Program) -> tuple[int, str]:
    process = program.start(subprocess.PIPE, subprocess.STDOUT)
    output, _ = process.communicate(timeout=20)
    return process.returncode, output.decode().strip()


def test_it_works() -> None:
    assert _output_of(Program("echo", ["/bin/echo", "hello"])) == (0, "hello")


def test_the_environment_is_added_to_ours() -> None:
    program = Program("env", ["/bin/sh", "-c", 'echo "$WORD $PATH"'], environment={"WORD": "here"})
    assert _output_of(program) == (0, f"here {os.environ['PATH']}")


def test_a_program_that_is_missing_is_one_sentence() -> None:
    status, output = _output_of(Program("none", ["/nonexistent/program"]))
    assert status == 1
    assert output == "/nonexistent/program cannot be run: No such file or directory"


def test_it_dies_with_its_parent() -> None:
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import time\n"
            "from kb.running.program import Program\n"
            "print(Program('sleep', ['/bin/sleep', '600']).start().pid, flush=True)\n"
            "time.sleep(600)",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    waiting.until(lambda: child.name() == "sleep")
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    waiting.until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


@AS_ROOT
def test_a_lesser_user_reaches_a_closed_folder_and_dies_with_its_parent_too(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    shutil.copy("/bin/sleep", closed / "sleep")
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time\n"
            "from kb.running.program import Program\n"
            "print(Program('sleep', [sys.argv[1], '600'], user='nobody').start().pid, flush=True)\n"
            "time.sleep(600)",
            str(closed / "sleep"),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    waiting.until(lambda: child.name() == "sleep")
    assert child.username() == "nobody"
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    waiting.until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


@AS_ROOT
def test_a_lesser_user_reads_but_does_not_write_past_the_modes(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("read")
    secret.chmod(0o600)
    tmp_path.chmod(0o700)
    script = f"cat {secret}; test -r {secret} && echo ' by access too'; echo more >> {secret}"
    _, output = _output_of(Program("sh", ["/bin/sh", "-c", script], user="nobody"))
    assert output.startswith("read by access too")
    assert "denied" in output
    assert secret.read_text() == "read"


@AS_ROOT
def test_without_the_capability_a_closed_folder_is_one_sentence(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    shutil.copy("/bin/sleep", closed / "sleep")
    # setpriv takes CAP_SETPCAP away, as a strict container does.
    command = Program("sleep", [str(closed / "sleep"), "0"], user="nobody").command()
    launched = subprocess.run(
        ["setpriv", "--bounding-set", "-setpcap", *command], capture_output=True, text=True, timeout=20, check=False
    )
    assert launched.returncode == 1
    assert "cannot be run as the user nobody" in launched.stderr
    assert "start this as an ordinary user" in launched.stderr
