"""The deterministic encoder: words hashed into buckets. Texts that share words are near; it knows no meaning."""

import hashlib
import zlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import regex

from embeddings.encoder import Embeddings, Role
from embeddings.fingerprint import Description

DIMENSIONS = 64
_UNIT = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}]|[\p{L}\p{M}\p{N}]+")


class HashingTokenizer:
    """Words are tokens; characters, in scripts that put no spaces between words."""

    def offsets(self, text: str) -> Iterator[tuple[int, int]]:
        return (unit.span() for unit in _UNIT.finditer(text))

    def count(self, texts: Sequence[str]) -> list[int]:
        return [sum(1 for _unit in self.offsets(text)) for text in texts]


class HashingEncoder:
    """See the module. The same text gives the same embedding in every process, for ever."""

    unit_tokens = 4_096

    def __init__(self, dimensions: int = DIMENSIONS) -> None:
        self.dimensions = dimensions
        self.tokenizer = HashingTokenizer()
        self.fingerprint = hashlib.sha256(f"hashing 1 {dimensions}".encode()).hexdigest()

    @property
    def description(self) -> Description:
        return Description(
            self.fingerprint, "hashing", self.dimensions, "float32", "mean", "", "", 8192, self.dimensions
        )

    def encode_queries(self, texts: Sequence[str], *, instruction: str = "") -> Embeddings:
        return self._encode(texts)

    def encode_passages(self, texts: Sequence[str], between: Callable[[], None] | None = None) -> Embeddings:
        """See encoder.Encoder. Each text is a micro-batch."""
        return self._encode(texts, between)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self.tokenizer.count(texts)

    def prompt_for(self, role: Role, instruction: str = "") -> str:
        return ""

    def encode_prompted(
        self, texts: Sequence[str], *, prompt: str, between: Callable[[], None] | None = None
    ) -> Embeddings:
        return self.encode_passages([prompt + text for text in texts], between)

    def count_prompted(self, texts: Sequence[str], *, prompt: str) -> list[int]:
        return self.count_tokens([prompt + text for text in texts])

    def _encode(self, texts: Sequence[str], between: Callable[[], None] | None = None) -> Embeddings:
        rows: list[Embeddings] = []
        for text in texts:
            if rows and between is not None:
                between()
            rows.append(self._encode_one(text))
        return np.array(rows, dtype=np.float32).reshape(len(rows), self.dimensions)

    def _encode_one(self, text: str) -> Embeddings:
        embedding = np.zeros(self.dimensions, dtype=np.float32)
        embedding[0] = 0.01  # a text without words is a unit vector too
        for unit in _UNIT.findall(text.casefold()):
            hashed = zlib.crc32(unit.encode())
            embedding[hashed % self.dimensions] += 1.0 if hashed & 0x1_0000 else -1.0
        return embedding / max(float(np.linalg.norm(embedding)), 1e-9)
