"""The whole product on one machine: servers, preparation, web, workers and beat, until it is told to stop.

It runs without Django: the settings cannot be read before it has decided where the servers are.
"""

import argparse
import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

import psutil

from kb.running import health, leftovers, machine, postgres, processes, program, valkey
from kb.running.folder import REPOSITORY, Folder
from kb.running.journal import log, open_log
from kb.running.program import Program
from kb.running.refusals import Refusal
from kb.running.supervisor import Supervisor

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Together with the kernel's own work they stay under the 15 seconds in which everything has to be gone.
_STOPPING_SECONDS = 8.0
_SERVERS_STOPPING_SECONDS = {"valkey": 2.0, "postgres": 4.0}
_LEFTOVER_SECONDS = 5.0
_ANSWER_SECONDS = 90.0
# Each has a connection of its own, and another where it asks golden queries, to a Postgres that takes 160.
_MOST_READ_WORKERS = 48
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound


def main(arguments: list[str]) -> int:
    """What `manage.py up` does; the exit status."""
    parser = argparse.ArgumentParser("manage.py up", description="Run the whole product on this machine.")
    add_arguments(parser)
    return run(parser.parse_args(arguments))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    default = os.environ.get("KB_DATA_DIR") or REPOSITORY / "data"
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8000, help="port to listen on (default: %(default)s)")
    parser.add_argument("--data-dir", type=Path, default=default, help="data folder (default: %(default)s)")
    parser.add_argument("--demo", action="store_true", help="load the demonstration corpus, once")


def run(options: argparse.Namespace) -> int:
    """Run until stopped. The exit status: 1 when it does not start, with one sentence that says why."""
    heed_signals()
    try:
        _run(options)
    except Refusal as refusal:
        print(f"Concordance cannot start: {refusal}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Concordance has stopped.", flush=True)
    return 0


def heed_signals() -> None:
    """From here on whatever asks this process to stop raises KeyboardInterrupt in it."""
    for number in _STOP_SIGNALS:
        signal.signal(number, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    _ignore_signals()
    raise KeyboardInterrupt


def _ignore_signals() -> None:
    """From here on it stops, and takes its fifteen seconds; an impatient second Ctrl-C would leave things behind."""
    for number in _STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _run(options: argparse.Namespace) -> None:
    folder = Folder(Path(options.data_dir).resolve())
    os.chdir(REPOSITORY)
    folder.make()
    with folder.lock():
        leftovers.end(folder.mark, grace=_LEFTOVER_SECONDS)
        _check_port(options.host, options.port)
        open_log(folder.logs)
        supervisor = Supervisor(folder.logs)
        try:
            _start(options, folder, supervisor)
            supervisor.watch()
        finally:
            stop(folder, supervisor)


def _check_port(host: str, port: int) -> None:
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise Refusal(f"Port {port} on {host} is taken: choose another with --port.") from error
        raise Refusal(f"{host} port {port} cannot be listened on: {error.strerror}.") from error
    except OverflowError as error:
        raise Refusal(f"{port} is not a port: choose one from 1 to 65535.") from error


def _start(options: argparse.Namespace, folder: Folder, supervisor: Supervisor) -> None:
    start_servers(folder, supervisor, host=options.host)
    folder.write_environment(_to_share())
    account = _prepare(folder, supervisor)
    if account:  # at once: if anything goes wrong after this, nobody will be told again
        _announce_administrator(account)
    _attempt_step(*processes.COMPILE_TRANSLATIONS, folder=folder, supervisor=supervisor)
    run_step(*processes.COLLECT_STATIC, folder=folder, supervisor=supervisor)
    for each in _programs(options, folder):
        supervisor.start(each)
    _await_site(options, folder, supervisor)
    _announce_address(options, folder)
    if options.demo:
        _attempt_step(*processes.LOAD_DEMONSTRATION, folder=folder, supervisor=supervisor)


def start_servers(folder: Folder, supervisor: Supervisor, *, host: str) -> None:
    """Those that the environment does not name; it names all of them afterwards."""
    os.environ |= _surroundings(host, folder)
    _start_postgres(folder, supervisor)
    _start_valkey(folder, supervisor)


def _surroundings(host: str, folder: Folder) -> Mapping[str, str]:
    """What every process of this installation has in its environment."""
    return {
        program.MARK: folder.mark,
        "KB_DATA_DIR": str(folder.path),
        "SECRET_KEY": os.environ.get("SECRET_KEY") or folder.secret("secret_key"),
        "ALLOWED_HOSTS": os.environ.get("ALLOWED_HOSTS") or ",".join(_names(host)),
        "PYTHONUNBUFFERED": "1",
    }


def _names(host: str) -> list[str]:
    """What a browser may call this machine by: on all interfaces, by its name and by any of its addresses."""
    local = ["localhost", "127.0.0.1", "[::1]"]
    if host not in _ANY_ADDRESS:
        return [*local, _bracketed(host)]
    addresses = [address for interface in psutil.net_if_addrs().values() for address in interface]
    internet = [each.address for each in addresses if each.family in (socket.AF_INET, socket.AF_INET6)]
    # A link-local address carries the name of an interface, which no browser sends.
    return [*local, socket.gethostname(), *(_bracketed(each.partition("%")[0]) for each in internet)]


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _start_postgres(folder: Folder, supervisor: Supervisor) -> None:
    if not os.environ.get("DATABASE_URL"):
        cluster = postgres.cluster(folder)
        postgres.prepare(cluster)
        postgres.await_answer(cluster, supervisor.start(cluster.program()))
        postgres.make_database(cluster)
        os.environ["DATABASE_URL"] = cluster.url
    postgres.check_pgvector(os.environ["DATABASE_URL"])


def _start_valkey(folder: Folder, supervisor: Supervisor) -> None:
    if not os.environ.get("REDIS_URL"):
        store = valkey.Store(folder)
        store.prepare()
        store.await_answer(supervisor.start(store.program()))
        os.environ["REDIS_URL"] = store.url
    valkey.check(os.environ["REDIS_URL"])


def _to_share() -> Mapping[str, str]:
    """What another command must know to work on this installation: its servers, its encoder and its reranker."""
    shared = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "ALLOWED_HOSTS", "EMBEDDING_", "RERANKER_")
    return {name: value for name, value in os.environ.items() if name.startswith(shared)}


def _prepare(folder: Folder, supervisor: Supervisor) -> Mapping[str, str] | None:
    """Make or migrate what the processes need. The administrator, when this made one."""
    log.info("preparing the database and the encoder")
    printed = run_step(*processes.PREPARE, folder=folder, supervisor=supervisor)
    accounts = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    return accounts[0] if accounts else None


def run_step(*arguments: str, folder: Folder, supervisor: Supervisor) -> str:
    """Run a command of manage.py to its end and return what it prints. Raises Refusal when it fails."""
    complaints = folder.logs / f"{arguments[0]}.log"
    with complaints.open("wb") as errors:
        process = Program(arguments[0], processes.command(*arguments)).start(subprocess.PIPE, errors)
    supervisor.watch(process)
    output, _ = process.communicate()
    if process.returncode != 0:
        last = complaints.read_text(errors="replace").strip().splitlines()[-1:]
        reason = "".join(last).removeprefix("Concordance cannot start: ")
        raise Refusal(f"{reason or process.returncode} (`manage.py {arguments[0]}`, see {complaints})")
    return output.decode()


def _programs(options: argparse.Namespace, folder: Folder) -> list[Program]:
    cores = machine.cores()
    return [
        processes.web(host=options.host, port=options.port),
        processes.read(workers=_read_workers(cores)),
        *processes.embed_on_each(_gpus(), cores=cores),
        processes.beat(schedule=folder.run / "beat"),
    ]


def _gpus() -> list[str]:
    """None are needed where a server encodes."""
    return [] if os.environ.get("EMBEDDING_URL") else machine.gpus()


def _read_workers(cores: int) -> int:
    wanted = os.environ.get("KB_READ_WORKERS") or str(processes.read_workers(cores))
    if not wanted.isdecimal() or not 1 <= int(wanted) <= _MOST_READ_WORKERS:
        raise Refusal(f"KB_READ_WORKERS is {wanted!r}; it must be a whole number from 1 to {_MOST_READ_WORKERS}.")
    return int(wanted)


def _await_site(options: argparse.Namespace, folder: Folder, supervisor: Supervisor) -> None:
    deadline = time.monotonic() + _ANSWER_SECONDS
    host = _ANY_ADDRESS.get(options.host, options.host)
    while not health.answers(host, options.port):
        if time.monotonic() > deadline:
            raise Refusal(f"The web server does not answer: see {folder.logs / 'web.log'}.")
        supervisor.tend()
        time.sleep(0.1)


def _announce_administrator(account: Mapping[str, str]) -> None:
    print(f"\n  administrator  {account['admin']}")
    print(f"  password       {account['password']}")
    print(f"  API token      {account['token']}")
    print("\nThis is shown once; please keep it.\n", flush=True)


def _announce_address(options: argparse.Namespace, folder: Folder) -> None:
    address = _bracketed(_ANY_ADDRESS.get(options.host, options.host))
    elsewhere = f"KB_DATA_DIR={folder.path} " if folder.path != REPOSITORY / "data" else ""
    print(f"\nConcordance answers at http://{address}:{options.port}/\n")
    print(f"  new password   {elsewhere}python manage.py changepassword NAME")
    print(f"  logs           {folder.logs}")
    print("  stop           Ctrl-C\n", flush=True)


def _attempt_step(*arguments: str, folder: Folder, supervisor: Supervisor) -> None:
    """Run a command whose failure leaves the product usable."""
    try:
        run_step(*arguments, folder=folder, supervisor=supervisor)
    except Refusal as refusal:
        log.warning("`manage.py %s` failed, and is left out: %s", arguments[0], refusal)


def stop(folder: Folder, supervisor: Supervisor) -> None:
    """Stop everything, in order."""
    _ignore_signals()
    folder.environment_file.unlink(missing_ok=True)
    ours = [name for name in supervisor.names if name not in _SERVERS_STOPPING_SECONDS]
    supervisor.stop(ours, seconds=_STOPPING_SECONDS)
    for server, seconds in _SERVERS_STOPPING_SECONDS.items():
        supervisor.stop([server], seconds=seconds)
    leftovers.end(folder.mark, grace=0)
