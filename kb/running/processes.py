"""The commands of Concordance's own processes. `manage.py up` and docker-compose.yml run these and no others."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from kb.running.program import Program

# A query's embedding comes from the embed process, and Postgres has cores of its own: a page mostly waits.
_WEB_THREADS = "8"
# Less than the time `up` gives it to stop: a request that hangs must not keep the worker alive.
_WEB_KILL_SECONDS = "6"

# Numerical libraries start a thread for every core in every process. Only the encoder has use for more than one.
ONE_THREAD: Mapping[str, str] = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}

# Commands of manage.py, run to their end before the processes start, or when the site answers.
PREPARE = ("prepare", "--quiet")
COMPILE_TRANSLATIONS = ("translations", "compile")
COLLECT_STATIC = ("collectstatic", "--noinput", "--verbosity", "0")
LOAD_DEMONSTRATION = ("demo",)


def web(*, host: str, port: int) -> Program:
    """One process of several threads, since it mostly waits for others."""
    arguments = [
        *("--interface", "wsgi", "--host", host, "--port", str(port), "--workers", "1"),
        *("--blocking-threads", _WEB_THREADS, "--workers-kill-timeout", _WEB_KILL_SECONDS),
        "kb.config.wsgi:application",
    ]
    return _module("web", "granian", arguments, ONE_THREAD)


def read(*, workers: int) -> Program:
    """A pool of processes, each reading one file at a time. The sweep rides here: embedding never delays it."""
    options = ["--queues", "read,sweep", "--pool", "prefork", "--concurrency", str(workers)]
    return _worker("read", options, ONE_THREAD)


def embed(*, threads: int, name: str = "embed", gpu: str = "") -> Program:
    """One process without a pool: CUDA does not survive a fork, and the model is loaded once. It sees this GPU alone,
    or what there is if none is named."""
    environment = {
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "TOKENIZERS_PARALLELISM": "true" if threads > 1 else "false",
    }
    if gpu:
        environment["CUDA_VISIBLE_DEVICES"] = gpu
    return _worker(name, ["--queues", "embed", "--pool", "solo"], environment)


def embed_on_each(gpus: Sequence[str], *, cores: int) -> list[Program]:
    """An embed process for each of these GPUs, the cores shared among them; one where there is no choice."""
    threads = embed_threads(cores)
    if len(gpus) < 2:
        return [embed(threads=threads)]
    share = max(1, threads // len(gpus))
    return [embed(threads=share, name=f"embed{number}", gpu=gpu) for number, gpu in enumerate(gpus, start=1)]


def beat(*, schedule: Path) -> Program:
    arguments = ["--app", "kb.config", "beat", "--loglevel", "INFO", "--schedule", str(schedule)]
    # The pid file is for a beat that goes into the background; one left by a killed beat stops the next.
    return _module("beat", "celery", [*arguments, "--pidfile", ""], ONE_THREAD)


def command(name: str, *arguments: str) -> list[str]:
    """A command of manage.py, to be run to its end."""
    return [sys.executable, "manage.py", name, *arguments]


def read_workers(cores: int) -> int:
    """One core is left to the encoder, to Postgres and to the pages."""
    return max(1, cores - 1)


def embed_threads(cores: int) -> int:
    """All cores of a small machine, where embedding is what a person waits for; else one is left to the others."""
    return cores if cores <= 2 else cores - 1


def _worker(name: str, options: list[str], environment: Mapping[str, str]) -> Program:
    # Workers have nothing to say to each other: what is due stands in Postgres.
    alone = ["--without-gossip", "--without-mingle"]
    arguments = [
        "--app",
        "kb.config",
        "worker",
        "--hostname",
        f"{name}@%h",
        "--loglevel",
        "INFO",
        *options,
        *alone,
    ]
    return _module(name, "celery", arguments, environment)


def _module(name: str, module: str, arguments: list[str], environment: Mapping[str, str]) -> Program:
    return Program(name, [sys.executable, "-m", module, *arguments], environment)
