"""A device that is of no use any more: what tells it from a shortage, and who hears of it."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from embeddings import serving, watchdog
from embeddings.encoder import EncoderBroken
from embeddings.hashing import HashingEncoder
from embeddings.local import LocalEncoder

ASSERT = "CUDA error: device-side assert triggered\nFor debugging consider passing CUDA_LAUNCH_BLOCKING=1"


@pytest.mark.parametrize(
    ("said", "raised"),
    [
        (ASSERT, EncoderBroken),
        ("CUDA error: an illegal memory access was encountered", EncoderBroken),
        ("CUDA error: unspecified launch failure", EncoderBroken),
        ("CUDA error: out of memory", RuntimeError),
        ("mat1 and mat2 shapes cannot be multiplied", RuntimeError),
    ],
)
def test_what_lasts_is_told_from_what_does_not(qwen_folder: Path, monkeypatch, said: str, raised: type[Exception]):
    encoder = LocalEncoder(qwen_folder, device="cpu")
    encoder.encode_queries(["ready"])

    def fail(_texts: object) -> None:
        raise RuntimeError(said)

    monkeypatch.setattr(encoder._model(), "run", fail)
    with pytest.raises(raised) as error:
        encoder.encode_passages(["tide"])
    assert str(error.value) == said.partition("\n")[0]
    monkeypatch.undo()
    assert encoder.encode_passages(["tide"]).shape == (1, 64)


class Ended(BaseException):
    """In place of the end of this process."""


def broken(*_args: object, **_more: object) -> None:
    raise EncoderBroken("CUDA error: device-side assert triggered")


@pytest.fixture
def server(monkeypatch) -> serving.Server:
    def end(status: int) -> None:
        raise Ended(status)

    monkeypatch.setattr(os, "_exit", end)
    monkeypatch.setattr(watchdog, "_farewell", None)
    encoder = HashingEncoder()
    for name in ("encode_passages", "encode_queries", "encode_prompted"):
        monkeypatch.setattr(encoder, name, broken)
    return serving.Server(encoder, serving.server().space_id)


WAYS: list[Callable[[serving.Server], object]] = [
    lambda server: server.encode_passages(["tide"]),
    lambda server: server.encode_prompted(["tide"], prompt=""),
]


@pytest.mark.parametrize("way", WAYS)
def test_whoever_asked_hears_of_it_where_nobody_would_start_another_process(server, way):
    with pytest.raises(EncoderBroken):
        way(server)


@pytest.mark.parametrize("way", [*WAYS, lambda server: server.answer(None, [{"text": "tide", "instruction": ""}])])
def test_an_embed_worker_says_farewell_and_ends(server, caplog, way):
    farewells = []
    watchdog.arm(lambda: farewells.append("put down"))
    with pytest.raises(Ended) as ended:
        way(server)
    assert (ended.value.args, farewells) == ((os.EX_SOFTWARE,), ["put down"])
    [said] = [record.message for record in caplog.records if record.levelname == "CRITICAL"]
    assert said == (
        "The device is of no use to this process any more, which ends; another is to be started. "
        "(CUDA error: device-side assert triggered)"
    )


def test_it_ends_whatever_the_farewell_meets(server, caplog):
    def fail() -> None:
        raise OSError("the database is away")

    watchdog.arm(fail)
    with pytest.raises(Ended):
        server.encode_passages(["tide"])
    assert "free again when its lease runs out" in caplog.text


HANGING = """
import threading

from embeddings import watchdog

inside, gone = threading.Event(), threading.Event()

def hang():
    with watchdog.watching():
        inside.set()
        threading.Event().wait()

def be_quick():
    with watchdog.watching():
        inside.set()
        gone.wait()

def run(work):
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    inside.wait()
    inside.clear()
    return thread

{story}
threading.Event().wait()
"""


@pytest.mark.parametrize(
    "story",
    [
        "watchdog.HANG_SECONDS = 0.5; run(hang)",
        # The other's timer would ring much later, and is gone with it.
        "watchdog.HANG_SECONDS = 0.5; run(hang); watchdog.HANG_SECONDS = 900; run(be_quick)",
        "watchdog.HANG_SECONDS = 0.5; run(hang); watchdog.HANG_SECONDS = 900; quick = run(be_quick); gone.set(); "
        "quick.join()",
        "watchdog.HANG_SECONDS = 900; quick = run(be_quick); watchdog.HANG_SECONDS = 0.5; run(hang); gone.set(); "
        "quick.join()",
    ],
    ids=["alone", "with one inside", "with one that came and went", "with one that was there before"],
)
def test_a_run_that_hangs_is_seen_whoever_runs_beside_it(story: str):
    ended = subprocess.run(
        [sys.executable, "-c", HANGING.format(story=story)], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    assert "Timeout" in ended.stderr
    assert "in hang" in ended.stderr
