"""Matryoshka: the first numbers of an embedding, brought to unit length again, are an embedding of their own.

Kusupati et al., "Matryoshka Representation Learning" (NeurIPS 2022).
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from embeddings.encoder import Embeddings, Encoder, Role


def cut(whole: NDArray[np.float32], dimensions: int) -> Embeddings:
    """float32 [n, dimensions] from float32 [n, at least as many] of any length. In float32, as bfloat16 rounds lengths
    by up to 0.4 %. What is not finite, or nothing but zeros, stays so: `encoder.check` says it."""
    first = whole[:, :dimensions]
    with np.errstate(invalid="ignore", over="ignore"):
        lengths = np.linalg.norm(first, axis=1, keepdims=True)
        unit: Embeddings = first / np.maximum(lengths, np.finfo(np.float32).tiny)
    return unit


class CutEncoder:
    """A variant of an encoder that is loaded already: many sizes of one model share its memory. See encoder.Encoder."""

    def __init__(self, whole: Encoder, dimensions: int, fingerprint: str) -> None:
        self.dimensions = dimensions
        self.fingerprint = fingerprint
        self._whole = whole

    def encode_queries(self, texts: Sequence[str], *, instruction: str = "") -> Embeddings:
        """See encoder.Encoder."""
        return cut(self._whole.encode_queries(texts, instruction=instruction), self.dimensions)

    def encode_passages(self, texts: Sequence[str], between: Callable[[], None] | None = None) -> Embeddings:
        """See encoder.Encoder."""
        return cut(self._whole.encode_passages(texts, between=between), self.dimensions)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """See encoder.Encoder."""
        return self._whole.count_tokens(texts)

    @property
    def unit_tokens(self) -> int:
        """See encoder.Encoder."""
        return self._whole.unit_tokens

    def prompt_for(self, role: Role, instruction: str = "") -> str:
        """See encoder.Encoder."""
        return self._whole.prompt_for(role, instruction)

    def encode_prompted(
        self, texts: Sequence[str], *, prompt: str, between: Callable[[], None] | None = None
    ) -> Embeddings:
        """See encoder.Encoder."""
        return cut(self._whole.encode_prompted(texts, prompt=prompt, between=between), self.dimensions)

    def count_prompted(self, texts: Sequence[str], *, prompt: str) -> list[int]:
        """See encoder.Encoder."""
        return self._whole.count_prompted(texts, prompt=prompt)
