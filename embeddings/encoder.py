"""What an encoder is: text in, unit-length embeddings out; and which one the settings ask for."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Embeddings = NDArray[np.float32]
"""float32 [n, dimensions], each row of unit length."""


class Tokenizer(Protocol):
    """Counts text in the encoder's own tokens. Loads no torch, so any process may have one."""

    def offsets(self, text: str) -> Iterator[tuple[int, int]]:
        """The character range [start, end) of each token of `text`, in order, special tokens left out.
        Whole texts of any length: nothing is truncated."""
        ...

    def count(self, texts: Sequence[str]) -> list[int]:
        """The number of tokens of each text as a passage: prompt and special tokens counted in."""
        ...


def is_between_letters(text: str, at: int) -> bool:
    """Whether the space text[at] stands between two letters. Before it a token ends in every tokenizer we know,
    whatever stands further away: the text on each of its sides has the same tokens alone."""
    return text[at - 1].isalpha() and text[at + 1].isalpha()


class Encoder(Protocol):
    """Turns queries and passages into embeddings of one space."""

    dimensions: int
    fingerprint: str
    """Differs whenever embeddings may not be compared: weights, dtype, dimensions, pooling, prompts."""

    def encode_queries(self, texts: Sequence[str], *, instruction: str = "") -> Embeddings:
        """Embeddings of what people typed. `instruction` says what is looked for, for encoders that take one."""
        ...

    def encode_passages(self, texts: Sequence[str], between: Callable[[], None] | None = None) -> Embeddings:
        """Embeddings of passages, as many rows as texts, in their order. `between` is called after each
        micro-batch: the place to let others use the device."""
        ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """See `Tokenizer.count`."""
        ...


class EncoderError(Exception):
    """The encoder gave something that is not an embedding, or gave nothing."""


class EncoderOutOfMemory(EncoderError):
    """One text alone does not fit the memory of the device."""


def check(embeddings: Embeddings, *, rows: int, dimensions: int) -> Embeddings:
    """The same embeddings, when they are `rows` finite rows of `dimensions` numbers and unit length within 1e-2.

    Raises EncoderError otherwise: such numbers must never be stored (QwenLM/Qwen3-Embedding#164: NaN in fp16).
    """
    if embeddings.shape != (rows, dimensions):
        raise EncoderError(f"The encoder returned {embeddings.shape}, not {(rows, dimensions)}.")
    if not np.isfinite(embeddings).all():
        raise EncoderError("The encoder returned numbers that are not finite.")
    if (np.abs(np.linalg.norm(embeddings, axis=1) - 1.0) > 1e-2).any():
        raise EncoderError("The encoder returned embeddings that are not of unit length.")
    return embeddings
