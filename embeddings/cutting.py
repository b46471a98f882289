"""A Matryoshka variant of an encoder that is already loaded: the first of its numbers, of unit length again.

Kusupati et al., "Matryoshka Representation Learning" (NeurIPS 2022). Many sizes of one model share its memory.
"""

from collections.abc import Callable, Sequence

import numpy as np

from embeddings.encoder import Embeddings, Encoder, Role


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
        return self._cut(self._whole.encode_prompted(texts, prompt=prompt, between=between))

    def count_prompted(self, texts: Sequence[str], *, prompt: str) -> list[int]:
        """See encoder.Encoder."""
        return self._whole.count_prompted(texts, prompt=prompt)

    def _cut(self, whole: Embeddings) -> Embeddings:
        cut = whole[:, : self.dimensions]
        return np.asarray(cut / np.linalg.norm(cut, axis=1, keepdims=True), dtype=np.float32)
