"""The embedded PostgreSQL, as `up` runs it: on a real cluster in a real folder."""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from kb.running import leftovers, postgres
from kb.running.folder import Folder
from kb.running.postgres import Cluster
from kb.running.refusals import Refusal


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = Folder(tmp_path_factory.mktemp("postgres"))
    folder.make()
    cluster = postgres.cluster(folder)
    postgres.prepare(cluster, durable=False)
    yield cluster
    leftovers.end(folder.mark, grace=0)


@pytest.fixture
def server(cluster: Cluster) -> Iterator[subprocess.Popen[bytes]]:
    server = _start(cluster)
    postgres.make_database(cluster)
    yield server
    server.send_signal(signal.SIGINT)
    server.wait(20)


def _start(cluster: Cluster) -> subprocess.Popen[bytes]:
    with (cluster.folder.logs / "postgres.log").open("ab") as log:
        server = cluster.program("fsync=off", "shared_buffers=32MB").start(log, log)
    postgres.await_answer(cluster, server)
    return server


@pytest.mark.usefixtures("server")
def test_it_works(cluster: Cluster) -> None:
    with psycopg.connect(cluster.url) as connection:
        row = connection.execute("SELECT '[1,2]'::vector <-> '[1,4]'::vector, lower('ÉCOLE ДОМ')").fetchone()
    assert row == (2.0, "école дом")
    postgres.check_pgvector(cluster.url)


@pytest.mark.usefixtures("server")
def test_the_application_owns_its_database_and_nothing_else(cluster: Cluster) -> None:
    with psycopg.connect(cluster.url) as connection:
        connection.execute("CREATE TABLE own (id int)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("COPY own FROM '/etc/passwd'")


@pytest.mark.usefixtures("server")
def test_a_wrong_password_is_refused(cluster: Cluster) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(cluster.url, password="wrong")


@pytest.mark.usefixtures("server")
def test_making_the_database_again_changes_nothing(cluster: Cluster) -> None:
    with psycopg.connect(cluster.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept (id int)")
    postgres.make_database(cluster)
    with psycopg.connect(cluster.url) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)


def test_what_was_committed_survives_a_kill_with_sessions_open(cluster: Cluster) -> None:
    server = _start(cluster)
    postgres.make_database(cluster)
    with psycopg.connect(cluster.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE survivor (id int)")
        connection.execute("INSERT INTO survivor VALUES (42)")
        # A session that calculates does not notice that its server has died: only what comes next can end it.
        busy = threading.Thread(target=_ask_for_ever, args=[cluster.url])
        busy.start()
        server.kill()
        server.wait()
        leftovers.end(cluster.folder.mark, grace=0)
        busy.join(20)
    postgres.prepare(cluster)
    again = _start(cluster)
    with psycopg.connect(cluster.url) as connection:
        assert connection.execute("SELECT id FROM survivor").fetchall() == [(42,)]
    again.send_signal(signal.SIGINT)
    assert again.wait(20) == 0


def _ask_for_ever(url: str) -> None:
    with pytest.raises(psycopg.OperationalError), psycopg.connect(url) as connection:
        connection.execute("SELECT count(*) FROM generate_series(1, 1e12::bigint)")


def test_a_pid_file_that_names_another_program_does_not_stop_the_start(cluster: Cluster) -> None:
    (cluster.data / "postmaster.pid").write_text(f"{os.getppid()}\n{cluster.data}\n")
    postgres.prepare(cluster)
    server = _start(cluster)
    server.send_signal(signal.SIGINT)
    assert server.wait(20) == 0


def test_a_cluster_that_was_not_finished_is_made_anew(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.make()
    cluster = postgres.cluster(folder)
    (cluster.path / "unfinished").mkdir(parents=True)
    (cluster.path / "unfinished" / "PG_VERSION").write_text("18\n")
    postgres.prepare(cluster, durable=False)
    assert (cluster.data / "global").is_dir()
    assert not (cluster.path / "unfinished").exists()


def test_a_cluster_of_another_release_is_refused(tmp_path: Path) -> None:
    cluster = postgres.cluster(Folder(tmp_path))
    cluster.folder.make()
    cluster.data.mkdir(parents=True)
    (cluster.data / "PG_VERSION").write_text("17\n")
    with pytest.raises(Refusal, match="was made by PostgreSQL 17; this is 18"):
        postgres.prepare(cluster)


@pytest.mark.usefixtures("server")
def test_an_old_pgvector_is_refused(cluster: Cluster) -> None:
    with psycopg.connect(cluster.superuser_url, dbname=postgres.NAME) as connection:
        connection.execute("UPDATE pg_extension SET extversion = '0.7.4' WHERE extname = 'vector'")
        connection.commit()
        with pytest.raises(Refusal, match=r"has pgvector 0\.7\.4; 0\.8 or newer is needed"):
            postgres.check_pgvector(cluster.url)
        connection.execute("UPDATE pg_extension SET extversion = '0.8.5' WHERE extname = 'vector'")


def test_a_server_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(Refusal, match=r"^The database at DATABASE_URL does not answer: .*"):
        postgres.check_pgvector("postgresql://nobody@127.0.0.1:9/none")


@pytest.mark.usefixtures("server")
def test_every_process_of_it_is_found_by_its_mark(cluster: Cluster) -> None:
    found = {process.pid for process in leftovers.find(cluster.folder.mark)}
    running = {process.pid for process in psutil.Process().children(recursive=True) if process.name() == "postgres"}
    ours = {pid for pid in running if cluster.folder.mark in " ".join(psutil.Process(pid).cmdline())}
    assert found == ours
    assert len(found) > 5
