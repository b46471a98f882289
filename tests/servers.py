"""The servers the tests run on: a real PostgreSQL and a real Valkey, started before Django reads its settings.

Loaded with `-p tests.servers`. Where DATABASE_URL or REDIS_URL is set, that server is used instead.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest

from kb.running import postgres
from kb.running.folder import Folder
from kb.running.program import Program
from kb.running.valkey import Store

_started: list[tuple[Program, subprocess.Popen[bytes]]] = []
_folders: list[Path] = []


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests() -> Generator[None]:
    """A wrapper, because it comes before the hook in which pytest-django reads the settings."""
    folder = Folder(Path(tempfile.mkdtemp(prefix="concordance-tests-")))
    _folders.append(folder.path)
    folder.make()
    if not os.environ.get("DATABASE_URL"):
        _start_postgres(folder)
    if not os.environ.get("REDIS_URL"):
        _start_valkey(folder)
    os.environ |= {
        "KB_DATA_DIR": str(folder.path),
        "SECRET_KEY": folder.secret("secret_key"),
        "ALLOWED_HOSTS": "testserver,localhost,127.0.0.1",
        "EMBEDDING_MODEL": "hashing",
    }
    yield


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(specs: Sequence[Any]) -> None:
    """Of several processes each has a store of its own; pytest-django gives each a database."""
    for number, spec in enumerate(specs, start=1):
        spec.env = {"REDIS_URL": f"{os.environ['REDIS_URL'].partition('?')[0]}?db={number}"}


def pytest_unconfigure() -> None:
    """A run that is killed gets here too late; the servers then stop because their parent has died."""
    while _started:
        program, process = _started.pop()
        process.send_signal(program.stop_signal)
        process.wait(10)
    while _folders:
        shutil.rmtree(_folders.pop())


def _start_postgres(folder: Folder) -> None:
    cluster = postgres.cluster(folder)
    postgres.prepare(cluster, durable=False)
    # What these give up is the state after a crash of the machine, and the data are gone by then anyway.
    program = cluster.program("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=64MB")
    process = _start(program, folder)
    postgres.await_answer(cluster, process)
    postgres.make_database(cluster)
    with psycopg.connect(cluster.superuser_url, autocommit=True) as connection:
        connection.execute(f"ALTER ROLE {postgres.NAME} CREATEDB")
    os.environ["DATABASE_URL"] = cluster.url


def _start_valkey(folder: Folder) -> None:
    store = Store(folder)
    store.prepare()
    process = _start(store.program(), folder)
    store.await_answer(process)
    os.environ["REDIS_URL"] = store.url


def _start(program: Program, folder: Folder) -> subprocess.Popen[bytes]:
    with (folder.logs / f"{program.name}.log").open("wb") as log:
        process = program.start(log, log)
    _started.append((program, process))
    return process
