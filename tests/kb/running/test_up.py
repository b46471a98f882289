"""`manage.py up`, as a person runs it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from kb.running import leftovers
from kb.running.folder import REPOSITORY
from tests import site as site_of
from tests.kb.running import waiting
from tests.site import STOPPING_SECONDS, Site

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = site_of.start(tmp_path_factory.mktemp("site") / "data", site_of.free_port())
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
        env=site_of.environment_of(KB_DATA_DIR=str(site.folder.path)),
        cwd=REPOSITORY,
        check=True,
        timeout=60,
    )


def test_a_second_one_on_the_same_folder_is_refused(site: Site) -> None:
    sentence = site_of.refused(site.folder.path, site_of.free_port())
    expected = f"Concordance already runs on {site.folder.path} (process {site.process.pid})."
    assert sentence == f"Concordance cannot start: {expected}"
    assert site.answers()


def test_a_port_that_is_taken_is_refused_before_anything_is_started(site: Site, tmp_path: Path) -> None:
    sentence = site_of.refused(tmp_path / "other", site.port)
    expected = f"Port {site.port} on 127.0.0.1 is taken: choose another with --port."
    assert sentence == f"Concordance cannot start: {expected}"
    assert not (tmp_path / "other" / "postgres").exists()


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    sentence = site_of.refused(tmp_path / "file" / "data", site_of.free_port())
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
    first = site_of.start(tmp_path / "data", site_of.free_port())
    left = leftovers.find(first.folder.mark)
    # The web server's own worker and the pool of readers lose their parent without being told.
    for process in [psutil.Process(first.process.pid), *first.children().values()]:
        process.kill()
    first.process.wait()
    assert len(left) > 10

    second = site_of.start(tmp_path / "data", first.port)
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
    site = site_of.start(
        tmp_path / "data", site_of.free_port(), DATABASE_URL=address, REDIS_URL=os.environ["REDIS_URL"]
    )
    assert set(site.children()) == {"web", "read", "embed", "beat"}
    assert not (site.folder.path / "postgres").exists()
    assert not (site.folder.path / "valkey").exists()
    assert site.stop() < STOPPING_SECONDS
