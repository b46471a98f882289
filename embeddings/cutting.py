"""A Matryoshka variant of an encoder that is already loaded: the first of its numbers, of unit length again.

Kusupati et al., "Matryoshka Representation Learning" (NeurIPS 2022). Many sizes of one model share its memory.
"""

from collections.abc import Callable, Sequence

import numpy as np

from embeddings.encoder import Embeddings, Encoder


class CutEncoder:
    """See encoder.Encoder."""

    def __init__(self, whole: Encoder, dimensions: int, fingerprint: str) -> None:
        self.dimensions = dimensions
        self.fingerprint = fingerprint
        self._whole = whole

    def encode_queries(self, texts: Sequence[str], *, instruction: str = "") -> Embeddings:
        """See encoder.Encoder."""
        return self._cut(self._whole.encode_queries(texts, instruction=instruction))

    def encode_passages(self, texts: Sequence[str], between: Callable[[], None] | None = None) -> Embeddings:
        """See encoder.Encoder."""
        return self._cut(self._whole.encode_passages(texts, between=between))

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """See encoder.Encoder."""
        return self._whole.count_tokens(texts)

    def _cut(self, whole: Embeddings) -> Embeddings:
        cut = whole[:, : self.dimensions]
        return np.asarray(cut / np.linalg.norm(cut, axis=1, keepdims=True), dtype=np.float32)
