"""An embed worker for each GPU, and what several of them make of one queue."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from embeddings import devices, queries, spaces
from embeddings.models import Space
from kb import bell, ingestion
from kb.benchmarks import scratch
from kb.models import Embedding, EmbeddingWork, State
from kb.reading.failures import Reason
from kb.running import journal, machine, processes, up
from kb.running.folder import REPOSITORY
from kb.running.program import Program
from kb.running.supervisor import Supervisor
from tests.kb.running import waiting


@pytest.mark.parametrize(
    ("cuda", "count", "visible", "found"),
    [
        (True, 0, None, []),
        (True, 1, None, ["0"]),
        (True, 3, None, ["0", "1", "2"]),
        (True, 3, "", ["0", "1", "2"]),
        (True, 2, "1, 3", ["1", "3"]),
        (True, 1, "GPU-5a1c,9", ["GPU-5a1c"]),  # the driver stops at the first it does not know
        (True, 0, "-1", []),
        (False, 3, None, []),
    ],
)
def test_gpus_are_those_that_pytorch_would_find(monkeypatch, cuda, count, visible, found):
    monkeypatch.setattr(devices, "_torch_has_cuda", lambda: cuda)
    monkeypatch.setattr(devices, "_count_cuda_devices", lambda: count)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert devices.cuda_devices() == found
    assert devices.default_device() == ("cuda" if found else "cpu")


def test_they_are_counted_in_a_process_of_its_own():
    assert machine.gpus() == devices.cuda_devices()


@pytest.mark.parametrize(
    ("gpus", "cores", "workers"),
    [
        ([], 2, {"embed": (None, "2")}),
        ([], 8, {"embed": (None, "7")}),
        (["0"], 8, {"embed": (None, "7")}),
        (["0", "1"], 16, {"embed1": ("0", "7"), "embed2": ("1", "7")}),
        (["2", "GPU-5a1c", "3"], 2, {"embed1": ("2", "1"), "embed2": ("GPU-5a1c", "1"), "embed3": ("3", "1")}),
    ],
)
def test_each_has_a_worker(gpus, cores, workers):
    programs = processes.embed_on_each(gpus, cores=cores)
    seen = {
        one.name: (one.environment.get("CUDA_VISIBLE_DEVICES"), one.environment["OMP_NUM_THREADS"]) for one in programs
    }
    assert seen == workers
    for one in programs:
        assert one.arguments[one.arguments.index("--hostname") + 1] == f"{one.name}@%h"


def test_a_server_that_encodes_needs_one_worker(monkeypatch):
    monkeypatch.setattr(machine, "gpus", lambda: ["0", "1"])
    monkeypatch.delenv("EMBEDDING_URL", raising=False)
    assert up._gpus() == ["0", "1"]
    monkeypatch.setenv("EMBEDDING_URL", "http://gpu:8000/v1")
    assert up._gpus() == []


BREAKING = """
import sys
from celery.__main__ import main
from embeddings.encoder import EncoderBroken
from embeddings.hashing import HashingEncoder

encode = HashingEncoder.encode_passages

def encode_passages(self, texts, between=None):
    if any("poison" in text for text in texts):
        raise EncoderBroken("CUDA error: device-side assert triggered")
    return encode(self, texts, between)

HashingEncoder.encode_passages = encode_passages
sys.exit(main())
"""
"""An embed worker whose device does not survive one text."""


@pytest.fixture
def own_space(transactional_db) -> Space:
    """Of a size that nobody else serves."""
    space = spaces.keep(spaces.of("hashing", spaces.describe("hashing", dimensions=72)))
    space.configured_at = timezone.now()
    space.save()
    return space


@pytest.fixture
def workers(own_space: Space, tmp_path: Path) -> Iterator[dict[Path, subprocess.Popen[bytes]]]:
    """Two embed workers that are ready, by their logs."""
    started = {}
    for name in ("embed1", "embed2"):
        log = tmp_path / f"{name}.log"
        with log.open("wb") as output:
            started[log] = _on_this_database(processes.embed(threads=1, name=name)).start(output, output)
    try:
        waiting.until(lambda: all("kb.tasks.embed" in log.read_text() for log in started), seconds=120)
        yield started
    finally:
        for process in started.values():
            process.terminate()
        for process in started.values():
            process.wait(30)


def _on_this_database(program: Program) -> Program:
    server, _, _name = os.environ["DATABASE_URL"].rpartition("/")
    shared = {"DATABASE_URL": f"{server}/{connection.settings_dict['NAME']}", "EMBEDDING_DIMENSIONS": "72"}
    return replace(program, environment={**program.environment, **shared})


@pytest.mark.slow
def test_two_share_one_queue_and_do_nothing_twice(own_space, workers):
    texts = [f"Passage number {number} of the log of the lighthouse." for number in range(6_000)]
    with scratch.queued(texts, [10] * len(texts), own_space) as revision:
        before = {log: log.read_text().count("succeeded") for log in workers}
        bell.ring("embed")
        waiting.until(lambda: not EmbeddingWork.objects.exists(), seconds=120)
        embedded = Embedding.objects.filter(revision=revision, space=own_space)
        assert embedded.count() == embedded.values("chunk").distinct().count() == len(texts)
        # One message woke the first, which rang for the other while there was more to do.
        waiting.until(lambda: all(log.read_text().count("succeeded") > before[log] for log in workers), seconds=30)
    assert not [log for log in workers if "ERROR" in log.read_text()]


@pytest.mark.slow
def test_both_answer_queries_and_one_does_when_the_other_is_gone(own_space, workers):
    waiting.until(lambda: queries.is_answering(own_space.pk), seconds=60)
    assert queries.encode_query("Before one is gone", space=own_space, timeout=30).shape == (72,)
    gone = next(iter(workers.values()))
    gone.terminate()
    gone.wait(30)
    waiting.until(lambda: queries.is_answering(own_space.pk), seconds=60)
    assert queries.encode_query("After it is gone", space=own_space, timeout=30).shape == (72,)


@pytest.mark.slow
def test_a_text_that_the_device_does_not_survive_takes_no_other_along(own_space, tmp_path):
    (tmp_path / "breaking.py").write_text(BREAKING)
    usual = _on_this_database(processes.embed(threads=1))
    program = replace(
        usual,
        arguments=[sys.executable, str(tmp_path / "breaking.py"), *usual.arguments[3:]],
        environment={**usual.environment, "PYTHONPATH": str(REPOSITORY)},
    )
    journal.open_log(tmp_path)
    supervisor = Supervisor(tmp_path)
    texts = [*(f"Passage number {number}." for number in range(30)), "Passage that is poison."]
    with scratch.queued(texts, [10] * len(texts), own_space) as revision:
        supervisor.start(program)
        try:
            waiting.until(lambda: _only_the_last_is_left(supervisor), seconds=180)
        finally:
            supervisor.stop(["embed"], seconds=20)
        assert Embedding.objects.filter(revision=revision).count() == len(texts) - 1
        ingestion.sweep()
        revision.refresh_from_db()
    assert (revision.state, revision.reason) == (State.FAILED, Reason.ENCODER_FAILED)
    assert revision.detail == "The encoder was stopped 3 times at this text."
    written = (tmp_path / "embed.log").read_text()
    assert written.count("The device is of no use to this process any more") == 3
    assert (tmp_path / "up.log").read_text().count("embed ended (exit status 70); starting it again in") >= 2


def _only_the_last_is_left(supervisor: Supervisor) -> bool:
    supervisor.tend()
    return list(EmbeddingWork.objects.values_list("attempts", "lease_token")) == [(3, None)]
