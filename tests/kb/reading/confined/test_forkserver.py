"""The server that children are forked from: what they may not do, and what becomes of them, of it and of its parent."""

import errno
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from kb.reading import sniffing
from kb.reading.confined import children as started
from kb.reading.confined import sandbox
from kb.reading.confined.confinement import landlock_version
from kb.reading.failures import Reason, Unreadable
from kb.reading.sections import Item
from kb.running.folder import REPOSITORY
from tests.kb.reading.reading import children, sections, servers

MANY = 200_000

ATTEMPTS = """
import ctypes, json, os, platform, resource, signal, socket, struct, sys
from kb.reading.confined.confinement import Ceiling, confine
def attempt(do):
    try:
        do()
    except OSError as error:
        return type(error).__name__
    return "done"
def call(*given):
    if libc.syscall(*given) < 0:
        raise OSError(ctypes.get_errno(), "")
def write():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    os.write(os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY), b"x")
libc = ctypes.CDLL(None, use_errno=True)
queued = struct.pack("iii116x", 0, 0, -1)  # the kernel takes it from a process for another: its code is SI_QUEUE
queue, queue_to_thread = {"x86_64": (129, 297), "aarch64": (138, 240)}[platform.machine()]
kept = os.path.join(os.path.dirname(sys.argv[1]), "kept")
def prctl(*given):
    if libc.prctl(*given) < 0:
        raise OSError(ctypes.get_errno(), "")
def probe(parent):
    named = os.listdir("/proc/self/fd")
    opened = sorted(int(name) for name in named if os.path.exists(f"/proc/self/fd/{name}"))
    pidfd = os.pidfd_open(parent)
    confine(Ceiling(cpu_seconds=5, memory=1 << 30), parent=parent)
    limits = (resource.RLIMIT_CPU, resource.RLIMIT_AS, resource.RLIMIT_NOFILE, resource.RLIMIT_CORE)
    print(json.dumps({
        "socket": attempt(socket.socket), "fork": attempt(os.fork),
        "spawn": attempt(lambda: os.posix_spawn("/bin/true", ["true"], {})),
        "exec": attempt(lambda: os.execv("/bin/true", ["true"])), "kill": attempt(lambda: os.kill(os.getppid(), 0)),
        "write": attempt(write), "read": attempt(lambda: open(os.__file__).read()),
        "queue": attempt(lambda: call(queue, parent, 0, queued)),
        "queue to thread": attempt(lambda: call(queue_to_thread, parent, parent, 0, queued)),
        "pidfd": attempt(lambda: os.pidfd_open(parent)),
        "descriptor of another": attempt(lambda: call(438, pidfd, 0, 0)),
        "limits of another": attempt(lambda: resource.prlimit(parent, resource.RLIMIT_NOFILE)),
        "outlive": attempt(lambda: prctl(1, 0, 0, 0, 0)),
        "truncate": attempt(lambda: os.truncate(kept, 0)), "unlink": attempt(lambda: os.unlink(kept)),
        "environment of another": attempt(lambda: open(f"/proc/{parent}/environ", "rb").read()),
        "memory of another": attempt(lambda: open(f"/proc/{parent}/mem", "rb")),
        "limits": [resource.getrlimit(limit) for limit in limits],
        "environment": sorted(set(os.environ) - {"LC_CTYPE"}),
        "open": opened,
    }), flush=True)
"""

ALONE = ATTEMPTS + "probe(os.getppid())"

SERVED = (
    ATTEMPTS
    + """
from kb.reading.confined import forkserver
os.open("/dev/null", os.O_RDONLY), os.open("/dev/zero", os.O_RDONLY)
forkserver.serve(socket.socket(fileno=int(sys.argv[2])), probe)
"""
)


def alone(path: Path) -> bytes:
    command = [sys.executable, "-c", ALONE, str(path)]
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, check=True, cwd=REPOSITORY, env={}
    ).stdout


@contextmanager
def server(source: str, path: Path) -> Iterator[started.Server]:
    """A server of this source."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, "-c", source, str(path), str(theirs.fileno())]
    with subprocess.Popen(command, pass_fds=[theirs.fileno()], cwd=REPOSITORY, env={}) as process, ours:
        theirs.close()
        yield started.Server(process, ours)


def served(path: Path) -> bytes:
    with server(SERVED, path) as running:
        child = running.fork([])
        said = child.output.read()
        child.end()
    return said


BY_FILTER = ["socket", "fork", "spawn", "exec", "kill", "queue", "queue to thread", "pidfd"]
BY_FILTER += ["descriptor of another", "limits of another", "outlive"]
BY_LANDLOCK = {"write", "truncate", "unlink", "environment of another", "memory of another"}


@pytest.mark.parametrize("run", [alone, served])
def test_a_child_may_read_and_no_more(tmp_path: Path, run) -> None:
    (tmp_path / "kept").write_text("Words")
    said = json.loads(run(tmp_path / "written"))
    assert {name: did for name, did in said.items() if name not in BY_LANDLOCK} == {
        **dict.fromkeys(BY_FILTER, "PermissionError"),
        "read": "done",
        "limits": [[5, 10], [1 << 30, 1 << 30], [32, 32], [0, 0]],
        "environment": [],
        "open": [0, 1, 2],
    }
    if landlock_version() >= 3:  # the first that knows of cutting files short
        assert {name: said[name] for name in BY_LANDLOCK} == dict.fromkeys(BY_LANDLOCK, "PermissionError")
        assert (tmp_path / "kept").read_text() == "Words"
    else:
        assert said["write"] != "done"


@pytest.mark.parametrize("bound", ["_SECONDS = 0.1", "_CHILDREN_MOST = 1"])
def test_a_server_ends_after_a_time_and_after_a_number_of_children(tmp_path: Path, bound: str) -> None:
    with server(SERVED.replace("forkserver.serve", f"forkserver.{bound}; forkserver.serve"), tmp_path) as running:
        with suppress(ConnectionError):  # its time may be over before the first
            running.fork([]).end()
        assert running.process.wait(10) == 0
        with pytest.raises(BrokenPipeError):
            running.fork([])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of which a reading is not done before it is asked for all."""
    (tmp_path / "a.txt").write_text("a\n\n" * MANY)
    return tmp_path / "a.txt"


@pytest.fixture
def short(tmp_path: Path) -> Path:
    (tmp_path / "short.txt").write_text("Words")
    return tmp_path / "short.txt"


@pytest.fixture
def reading(path: Path) -> Iterator[Iterator[Item]]:
    """A reading that has begun."""
    items = sandbox.read(path, sniffing.PLAIN)
    next(items)
    yield items
    items.close()  # type: ignore[attr-defined]


def said(path: Path) -> list[str]:
    return [section.text for section in sections(sandbox.read(path, sniffing.PLAIN))]


def test_one_server_forks_child_after_child(short: Path) -> None:
    assert said(short) == said(short) == ["Words"]
    assert len(servers()) == 1
    assert not children()


# Nobody may look into the server once it runs (`confinement.hide`): this stands in for its interpreter.
TELLS = """#!{python}
import json, os, sys
named = os.listdir("/proc/self/fd")
opened = sorted(int(one) for one in named if os.path.exists(f"/proc/self/fd/{{one}}"))
open({path!r}, "w").write(json.dumps([sorted(set(os.environ) - {{"LC_CTYPE"}}), opened]))
os.execv({python!r}, [{python!r}, *sys.argv[1:]])
"""


def test_the_server_gets_nothing_of_ours(short: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    interpreter, told = tmp_path / "interpreter", tmp_path / "told"
    interpreter.write_text(TELLS.format(python=sys.executable, path=str(told)))
    interpreter.chmod(0o755)
    monkeypatch.setenv("SECRET_KEY", "only for us")
    monkeypatch.setattr(sys, "executable", str(interpreter))
    monkeypatch.setattr(started, "_servers", started._Servers())
    with (tmp_path / "secret").open("w") as secret:
        os.set_inheritable(secret.fileno(), True)
        assert said(short) == ["Words"]
    environment, opened = json.loads(told.read_text())
    assert environment == []
    assert (opened[:3], len(opened)) == ([0, 1, 2], 4)  # the fourth is the socket for requests


def test_two_are_read_at_once(path: Path, reading: Iterator[Item]) -> None:
    other = sandbox.read(path, sniffing.PLAIN)
    next(other)
    assert len(children()) == 2
    other.close()  # type: ignore[attr-defined]
    assert len(children()) == 1
    assert len(sections(reading)) == MANY
    assert len(servers()) == 1


def test_where_the_server_dies_no_file_is_at_fault(reading: Iterator[Item], short: Path) -> None:
    (child,) = children()
    (before,) = servers()
    before.kill()
    child.wait(10)
    with pytest.raises(started.Lost):
        list(reading)
    assert said(short) == ["Words"]
    assert servers() != [before]


def test_a_server_that_does_not_answer_is_killed_and_another_started(
    reading: Iterator[Item], short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (child,), (before,) = children(), servers()
    before.suspend()
    monkeypatch.setattr(started, "_PATIENCE", 0.1)
    with pytest.raises(ConnectionError):
        started._servers._last.fork([])  # type: ignore[union-attr]
    child.wait(10)
    assert not before.is_running()
    monkeypatch.undo()
    assert said(short) == ["Words"]


def test_no_descriptors_are_no_fault_of_the_server(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_given: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    assert said(short) == ["Words"]
    before = servers()
    monkeypatch.setattr(started, "_pipe", fail)
    with pytest.raises(OSError, match="Too many open files"):
        said(short)
    monkeypatch.undo()
    assert said(short) == ["Words"]
    assert servers() == before


@pytest.mark.parametrize(
    ("number", "reason"), [(signal.SIGKILL, Reason.OUT_OF_MEMORY), (signal.SIGSEGV, Reason.READER_CRASHED)]
)
def test_a_child_that_is_killed_has_its_reason_and_no_sisters(
    reading: Iterator[Item], short: Path, number: signal.Signals, reason: Reason
) -> None:
    (child,) = children()
    before = psutil.Process(child.ppid())
    child.send_signal(number)
    with pytest.raises(Unreadable) as refused:
        list(reading)
    assert refused.value.reason == reason
    before.wait(10)
    assert said(short) == ["Words"]


STAYS = """
import os, signal, socket, sys
from kb.reading.confined import forkserver
from kb.reading.confined.confinement import Ceiling, confine
def stay(parent):
    confine(Ceiling(cpu_seconds=5, memory=1 << 30), parent=parent)
    os.close(1)
    signal.pause()
forkserver.serve(socket.socket(fileno=int(sys.argv[2])), stay)
"""


def test_a_child_that_ends_its_output_and_stays(tmp_path: Path) -> None:
    with server(STAYS, tmp_path) as running:
        child = running.fork([])
        assert child.output.read() == b""
        child._line.settimeout(0.1)
        assert child.ended() is None
        child.end()
        assert not psutil.Process(running.process.pid).children()


def test_a_child_is_gone_when_its_server_does_not_answer(tmp_path: Path) -> None:
    with server(STAYS, tmp_path) as running:
        child = running.fork([])
        assert child.output.read() == b""
        (process,) = psutil.Process(running.process.pid).children()
        running.process.send_signal(signal.SIGSTOP)
        child._line.settimeout(0.1)
        child.end()
        assert running.process.returncode == -signal.SIGKILL
        process.wait(10)


@pytest.mark.parametrize("call", ["fork", "pidfd_open"])
def test_a_server_that_cannot_fork_serves_on(tmp_path: Path, call: str) -> None:
    once = f"""
does = os.{call}
def fail(*given):
    os.{call} = does
    raise OSError
os.{call} = fail
forkserver.serve"""
    with server(STAYS.replace("\nforkserver.serve", once), tmp_path) as running:
        with pytest.raises(started.Lost):
            running.fork([])
        running.fork([]).end()
        assert running.process.poll() is None


PARENT = """
import os, psutil, signal, sys
from pathlib import Path
from kb.reading.confined import sandbox
items = sandbox.read(Path(sys.argv[1]), "text/plain")
next(items)
"""
WAITS = """
(server,) = psutil.Process().children()
print(server.pid, server.children()[0].pid, flush=True)
signal.pause()
"""
FORKS = """
pid = os.fork()
others = list(sandbox.read(Path(sys.argv[1]), "text/plain"))
if pid == 0:
    os._exit(0)
os.waitpid(pid, 0)
print(len(others) == 1 + len(list(items)), flush=True)
"""


def test_server_and_child_die_with_their_parent(path: Path) -> None:
    command = [sys.executable, "-c", PARENT + WAITS, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=REPOSITORY) as parent:
        assert parent.stdout is not None
        begun = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
        parent.kill()
    for process in begun:
        process.wait(timeout=10)


def test_a_process_that_is_forked_has_a_server_of_its_own(path: Path) -> None:
    command = [sys.executable, "-c", PARENT + FORKS, str(path)]
    assert subprocess.run(command, capture_output=True, check=True, cwd=REPOSITORY).stdout == b"True\n"
