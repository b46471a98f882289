"""A model whose layers are compiled gives the same, and one that cannot be compiled runs as it is written."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
import torch._inductor.config
from torch._dynamo.exc import InternalTorchDynamoError
from torch._inductor.utils import fresh_cache

from embeddings.encoder import Embeddings
from embeddings.inference import Text
from embeddings.local import LocalEncoder

TEXTS = ["A lighthouse stands on the cape.", "灯塔", "It rained for nine days. " * 7, "", "Möwen"]


@pytest.fixture
def written(qwen_folder: Path) -> LocalEncoder:
    return LocalEncoder(qwen_folder, device="cpu")


def check_same(one: LocalEncoder, other: LocalEncoder) -> None:
    for texts in (TEXTS, TEXTS[::-1], TEXTS[:1], [text * 5 for text in TEXTS] * 9):
        np.testing.assert_allclose(one.encode_passages(texts), other.encode_passages(texts), atol=1e-5)
        np.testing.assert_allclose(one.encode_queries(texts), other.encode_queries(texts), atol=1e-5)


def test_it_gives_the_same(qwen_folder: Path, written: LocalEncoder) -> None:
    encoder = LocalEncoder(qwen_folder, device="cpu", compiler="eager")
    check_same(encoder, written)
    assert encoder._model().packs
    assert encoder._model().compiled


@pytest.mark.slow
def test_so_it_does_with_code_of_its_own(qwen_folder: Path, written: LocalEncoder) -> None:
    encoder = LocalEncoder(qwen_folder, device="cpu", compiler="inductor")
    check_same(encoder, written)
    # Without a compiler on this machine it runs as it is written, and gives the same all the same.
    assert encoder._model().compiled == bool(shutil.which("g++"))


def test_without_a_compiler_it_runs_as_it_is_written(
    qwen_folder: Path, written: LocalEncoder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(torch._inductor.config.cpp, "cxx", ("no-such-compiler",))
    torch.compiler.reset()
    with fresh_cache():
        encoder = LocalEncoder(qwen_folder, device="cpu", compiler="inductor")
        check_same(encoder, written)
    assert not encoder._model().compiled
    [said] = [record.message for record in caplog.records if "not compiled" in record.message]
    assert said.startswith("The model runs as it is written, not compiled: ")
    assert "\n" not in said


def test_what_cannot_be_compiled_later_either(
    qwen_folder: Path, written: LocalEncoder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    encoder = LocalEncoder(qwen_folder, device="cpu", compiler="eager")
    encoder.encode_queries(["ready"])
    model = encoder._model()
    run = model._run

    def fail_while_compiled(texts: Sequence[Text]) -> Embeddings:
        if model.compiled:
            raise InternalTorchDynamoError("a shape that is new")
        return run(texts)

    monkeypatch.setattr(model, "_run", fail_while_compiled)
    check_same(encoder, written)
    assert "not compiled: InternalTorchDynamoError: a shape that is new" in caplog.text
