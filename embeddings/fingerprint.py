"""What decides whether two embeddings may be compared: the model's files, dtype, dimensions, pooling and prompts."""

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

from embeddings import devices, layout
from embeddings.encoder import EncoderError

_SUFFIXES = (".safetensors", ".bin", ".json", ".txt", ".model")
"""Of weights, settings and vocabularies. Licences and model cards may change without changing an embedding."""


@dataclass(frozen=True)
class Description:
    """An encoder as its space records it."""

    fingerprint: str
    name: str
    dimensions: int
    dtype: str
    pooling: str
    query_prompt: str
    passage_prompt: str
    max_tokens: int
    native_dimensions: int
    """What the model gives before it is cut to `dimensions`."""
    weights: str = ""
    """SHA-256 of the model's files; empty where the encoder has none."""

    def cut(self, dimensions: int) -> "Description":
        """The description of the same model cut to fewer dimensions. Raises EncoderError when it has not so many."""
        _check_dimensions(self.name, dimensions, self.native_dimensions)
        return replace(self, fingerprint=_digest(self.weights, self.dtype, dimensions), dimensions=dimensions)


def of_folder(folder: Path, *, dimensions: int | None = None, dtype: str | None = None) -> Description:
    """The description of the model in `folder`, read from its files; `dtype` is by default that of this machine.

    Raises EncoderError where the folder holds no model, or one with fewer dimensions.
    """
    model = layout.read(folder)
    wanted = dimensions or model.native_dimensions
    _check_dimensions(model.name, wanted, model.native_dimensions)
    dtype = dtype or devices.dtype_on(devices.default_device())
    weights = _hash_files(folder)
    return Description(
        fingerprint=_digest(weights, dtype, wanted),
        name=model.name,
        dimensions=wanted,
        dtype=dtype,
        pooling=model.pooling,
        query_prompt=model.query_prompt,
        passage_prompt=model.passage_prompt,
        max_tokens=model.max_tokens,
        native_dimensions=model.native_dimensions,
        weights=weights,
    )


def of_queries(space: str, query_prompt: str) -> str:
    """What decides whether two queries in the same words have the same embedding: the fingerprint of their space, and
    what is written in front of them."""
    return hashlib.sha256(json.dumps([space, query_prompt]).encode()).hexdigest()


def _check_dimensions(name: str, wanted: int, native: int) -> None:
    if not 0 < wanted <= native:
        raise EncoderError(f"{name} gives 1 to {native} dimensions, not {wanted}.")


def _digest(weights: str, dtype: str, dimensions: int) -> str:
    """Pooling, prompts and the limit of tokens are in the files."""
    return hashlib.sha256(json.dumps([weights, dtype, dimensions]).encode()).hexdigest()


def _hash_files(folder: Path) -> str:
    """SHA-256 over the names and contents of the files the model is made of.

    Read afresh each time: at over 1 GB/s it is a fraction of loading the same model, whereas a hash that is kept could
    outlive what it describes.
    """
    together = hashlib.sha256()
    for path in _model_files(folder):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        together.update(f"{path.relative_to(folder).as_posix()} {digest}\n".encode())
    return together.hexdigest()


def _model_files(folder: Path) -> list[Path]:
    """Only of the folders that modules.json names: the hub's models carry copies for other runtimes in others."""
    folders = {folder, *layout.read(folder).module_folders}
    return sorted(path for each in folders if each.is_dir() for path in each.iterdir() if path.suffix in _SUFFIXES)
