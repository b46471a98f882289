"""Whatever makes embeddings incomparable makes the fingerprint another."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from embeddings import fingerprint, instructions, layout, spaces
from embeddings.encoder import EncoderError
from tests.embeddings.conftest import QUERY_PROMPT


@pytest.fixture
def copied(qwen_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(qwen_folder, tmp_path / "copied"))


def test_it_works(bundled_folder: Path) -> None:
    about = fingerprint.of_folder(bundled_folder, dtype="float32")
    assert (about.name, about.dimensions, about.native_dimensions) == ("multilingual-e5-small", 384, 384)
    assert (about.pooling, about.max_tokens, about.dtype) == ("mean", 512, "float32")
    assert (about.query_prompt, about.passage_prompt) == ("query: ", "passage: ")
    assert len(about.fingerprint) == 64


def test_a_model_in_the_published_layout_of_qwen3(qwen_folder: Path) -> None:
    about = fingerprint.of_folder(qwen_folder, dimensions=32, dtype="bfloat16")
    assert (about.dimensions, about.native_dimensions, about.dtype) == (32, 64, "bfloat16")
    assert (about.pooling, about.max_tokens) == ("lasttoken", 256)
    assert (about.query_prompt, about.passage_prompt) == (QUERY_PROMPT, "")


def test_the_same_model_elsewhere_is_the_same(qwen_folder: Path, copied: Path) -> None:
    (copied / "README.md").write_text("A model card changes nothing.", encoding="utf-8")
    assert _fingerprint(copied) == _fingerprint(qwen_folder)


def test_dtype_and_dimensions_are_part_of_it(qwen_folder: Path) -> None:
    variants = [{"dtype": "float32"}, {"dtype": "bfloat16"}, {"dtype": "float32", "dimensions": 32}]
    found = {fingerprint.of_folder(qwen_folder, **variant).fingerprint for variant in variants}  # type: ignore[arg-type]
    assert len(found) == 3
    assert fingerprint.of_folder(qwen_folder, dimensions=64, dtype="float32").fingerprint in found


def test_another_prompt_is_another_space(qwen_folder: Path, copied: Path) -> None:
    _change(copied / "config_sentence_transformers.json", prompts={"query": "query: "})
    assert _fingerprint(copied) != _fingerprint(qwen_folder)


def test_another_pooling_is_another_space(qwen_folder: Path, copied: Path) -> None:
    _change(copied / "1_Pooling" / "config.json", pooling_mode_lasttoken=False, pooling_mode_mean_tokens=True)
    assert _fingerprint(copied) != _fingerprint(qwen_folder)


def test_a_single_other_bit_of_the_weights_is_another_space(qwen_folder: Path, copied: Path) -> None:
    weights = bytearray((copied / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (copied / "model.safetensors").write_bytes(weights)
    assert _fingerprint(copied) != _fingerprint(qwen_folder)


def test_a_model_is_named_as_on_the_hub(tmp_path: Path, qwen_folder: Path) -> None:
    snapshot = tmp_path / "models--Qwen--Qwen3-Embedding-4B" / "snapshots" / "5cf2132a"
    shutil.copytree(qwen_folder, snapshot)
    assert layout.read(snapshot).name == "Qwen/Qwen3-Embedding-4B"


@pytest.mark.parametrize("dimensions", [65, -1])
def test_dimensions_the_model_has_not_are_refused(qwen_folder: Path, dimensions: int) -> None:
    with pytest.raises(EncoderError, match=f"gives 1 to 64 dimensions, not {dimensions}"):
        fingerprint.of_folder(qwen_folder, dimensions=dimensions)


@pytest.mark.parametrize("missing", ["modules.json", "config.json", "tokenizer.json"])
def test_a_folder_without_a_model_is_refused(copied: Path, missing: str) -> None:
    (copied / missing).unlink()
    with pytest.raises(EncoderError, match=f"it has no {missing}"):
        fingerprint.of_folder(copied)


@pytest.mark.parametrize(("folder", "takes_instructions"), [("qwen_folder", True), ("bundled_folder", False)])
def test_queries_have_one_that_follows_their_instruction(folder: str, takes_instructions: bool, request: Any) -> None:
    path = str(request.getfixturevalue(folder))
    space, cut = (spaces.of(path, spaces.describe(path, dimensions=size, dtype="float32")) for size in (64, 32))
    of_domains = [space.query_fingerprint(instructions.instruction_for(domain)) for domain in ("legal", "medical")]
    found = [space.query_fingerprint(), *of_domains, space.query_fingerprint("Find the tide")]
    assert len(set(found)) == (4 if takes_instructions else 1)
    assert space.query_fingerprint("Find the tide") == found[-1]
    assert cut.query_fingerprint() != space.query_fingerprint() != space.fingerprint


def test_the_instruction_replaces_the_task_and_nothing_else(qwen_folder: Path, bundled_folder: Path) -> None:
    instructed = layout.read(qwen_folder)
    assert instructed.query_prompt_for("Find the ruling") == "Instruct: Find the ruling\nQuery:"
    assert instructed.query_prompt_for("") == QUERY_PROMPT
    assert layout.read(bundled_folder).query_prompt_for("Find the ruling") == "query: "


def _fingerprint(folder: Path) -> str:
    return fingerprint.of_folder(folder, dtype="float32").fingerprint


def _change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | values), encoding="utf-8")
