"""What outlives its supervisor is found by its mark, and nothing else is."""

import subprocess

import psutil

from kb.running import leftovers, program
from tests.kb.running import waiting


def _sleeper(mark: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["/bin/sleep", "600"], env={program.MARK: mark}, start_new_session=True)


def test_only_what_bears_the_mark_is_ended() -> None:
    left, other = _sleeper("concordance-left"), _sleeper("concordance-other")
    waiting.until(lambda: psutil.Process(other.pid).name() == "sleep")
    assert [process.pid for process in leftovers.find("concordance-left")] == [left.pid]
    leftovers.end("concordance-left", grace=5)
    assert not psutil.pid_exists(left.pid)
    assert other.poll() is None
    other.kill()
    other.wait()
