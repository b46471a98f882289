"""`manage.py up`, as a person runs it: the whole product in a folder of its own."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
import pytest

from kb.running import health, leftovers
from kb.running.folder import REPOSITORY, Folder
from tests.kb.running import waiting

pytestmark = pytest.mark.slow

STARTING_SECONDS = 90.0
STOPPING_SECONDS = 15.0


@dataclass(frozen=True)
class Site:
    folder: Folder
    port: int
    process: subprocess.Popen[bytes]
    printed: Path

    def children(self) -> dict[str, psutil.Process]:
        """Its own processes that live, by the name each has in the log."""
        words = {"granian": "web", "read@%h": "read", "embed@%h": "embed", "beat": "beat"}
        found: dict[str, psutil.Process] = {}
        for child in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.Error):
                arguments = child.cmdline()
                found |= {name: child for word, name in words.items() if word in arguments}
        return found

    def is_ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", "/readyz")
            return b'"database": "ok"' in connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def answers(self) -> bool:
        return health.answers("127.0.0.1", self.port)

    def stop(self) -> float:
        """Stop it as Ctrl-C does; the seconds that took."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(2 * STOPPING_SECONDS) == 0
        return time.monotonic() - started


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _environment(**more: str) -> dict[str, str]:
    """Ours without what the tests have set, so that it starts servers of its own."""
    ours = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "ALLOWED_HOSTS", "KB_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | {"EMBEDDING_MODEL": "hashing", "KB_READ_WORKERS": "1", "PYTHONUNBUFFERED": "1"} | more


def _command(folder: Path, port: int) -> list[str]:
    return [sys.executable, str(REPOSITORY / "manage.py"), "up", "--data-dir", str(folder), "--port", str(port)]


def _start(folder: Path, port: int, **environment: str) -> Site:
    printed = folder.with_name(f"{folder.name}.{time.monotonic_ns()}.txt")
    with printed.open("wb") as output:
        process = subprocess.Popen(
            _command(folder, port), env=_environment(**environment), stdout=output, stderr=output, cwd="/"
        )
    site = Site(Folder(folder), port, process, printed)
    waiting.until(lambda: "answers at" in printed.read_text() or process.poll() is not None, seconds=STARTING_SECONDS)
    assert process.poll() is None, printed.read_text()
    return site


def _refused(folder: Path, port: int) -> str:
    """What it says when it does not start."""
    ended = subprocess.run(
        _command(folder, port), env=_environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    return ended.stderr.strip()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = _start(tmp_path_factory.mktemp("site") / "data", _free_port())
    yield site
    site.stop()


def test_it_works(site: Site) -> None:
    printed = site.printed.read_text()
    assert f"http://127.0.0.1:{site.port}/" in printed
    assert all(word in printed for word in ("administrator  admin", "password", "API token"))
    assert site.is_ready()
    assert set(site.children()) == {"web", "read", "embed", "beat"}


def test_no_secret_stands_in_a_log_or_in_arguments_anybody_can_read(site: Site) -> None:
    secrets = [file.read_text() for file in site.folder.secrets.iterdir()]
    written = "".join(file.read_text() for file in site.folder.logs.iterdir())
    arguments = "".join(" ".join(process.cmdline()) for process in leftovers.find(site.folder.mark))
    assert len(secrets) >= 4
    assert not [secret for secret in secrets if secret in written or secret in arguments]


def test_another_command_finds_the_servers(site: Site) -> None:
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--check"],
        env=_environment(KB_DATA_DIR=str(site.folder.path)),
        cwd=REPOSITORY,
        check=True,
        timeout=60,
    )


def test_a_second_one_on_the_same_folder_is_refused(site: Site) -> None:
    sentence = _refused(site.folder.path, _free_port())
    expected = f"Concordance already runs on {site.folder.path} (process {site.process.pid})."
    assert sentence == f"Concordance cannot start: {expected}"
    assert site.answers()


def test_a_port_that_is_taken_is_refused_before_anything_is_started(site: Site, tmp_path: Path) -> None:
    sentence = _refused(tmp_path / "other", site.port)
    expected = f"Port {site.port} on 127.0.0.1 is taken: choose another with --port."
    assert sentence == f"Concordance cannot start: {expected}"
    assert not (tmp_path / "other" / "postgres").exists()


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    sentence = _refused(tmp_path / "file" / "data", _free_port())
    expected = f"The data folder {tmp_path}/file/data cannot be written: Not a directory."
    assert sentence == f"Concordance cannot start: {expected}"


@pytest.mark.parametrize("name", ["web", "read", "embed", "beat"])
def test_what_is_killed_comes_back(site: Site, name: str) -> None:
    killed = site.children()[name]
    killed.kill()
    waiting.until(lambda: site.children().get(name, killed).pid != killed.pid)
    waiting.until(site.answers)


def test_killing_postgres_is_an_outage_of_seconds(site: Site) -> None:
    (server,) = [child for child in psutil.Process(site.process.pid).children() if child.name() == "postgres"]
    server.kill()
    waiting.until(lambda: not site.is_ready())
    assert site.answers()
    waiting.until(site.is_ready)


def test_a_kill_of_everything_does_not_stop_the_next_start(tmp_path: Path) -> None:
    first = _start(tmp_path / "data", _free_port())
    left = leftovers.find(first.folder.mark)
    # The web server's own worker and the pool of readers lose their parent without being told.
    for process in [psutil.Process(first.process.pid), *first.children().values()]:
        process.kill()
    first.process.wait()
    assert len(left) > 10

    second = _start(tmp_path / "data", first.port)
    assert "password  " not in second.printed.read_text().replace("new password  ", "")
    assert second.stop() < STOPPING_SECONDS
    assert leftovers.find(second.folder.mark) == []
    assert not second.folder.environment_file.exists()
    assert "Concordance has stopped." in second.printed.read_text()


def test_it_runs_on_servers_from_outside(tmp_path: Path) -> None:
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS outside")
        connection.execute("CREATE DATABASE outside")
    address = os.environ["DATABASE_URL"].rpartition("/")[0] + "/outside"
    site = _start(tmp_path / "data", _free_port(), DATABASE_URL=address, REDIS_URL=os.environ["REDIS_URL"])
    assert set(site.children()) == {"web", "read", "embed", "beat"}
    assert not (site.folder.path / "postgres").exists()
    assert not (site.folder.path / "valkey").exists()
    assert site.stop() < STOPPING_SECONDS
