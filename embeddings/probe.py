"""Fixed texts by which an encoder on a server is known again: a space keeps the embeddings it first gave of them."""

import numpy as np

from embeddings.encoder import Embeddings

TEXTS = (
    "The tide turns twice a day.",
    "潮水每天涨落两次，小船随之进出港口。",
    "Der Vertrag kann mit einer Frist von drei Monaten gekündigt werden.",
    "يجب غسل اليدين قبل تحضير الطعام وبعده.",
    "サンプラーのエラーコードは取扱説明書に記載されています。",
    "def area(radius: float) -> float:\n    return math.pi * radius**2",
)
"""The first, which is short, goes along with each request."""

SAME = 0.999
"""The least cosine of all texts by which a model is the same: what bfloat16 and another batch change stays above it."""

SAME_IN_BATCH = 0.99
"""The same for the one text in a batch, where nothing but the batch may differ: another model is far below."""


def nearness(found: Embeddings, known: Embeddings) -> float:
    """The least cosine between the same rows of both: float32 [n, dimensions], unit length. 0 where they cannot be
    compared."""
    if found.shape != known.shape:
        return 0.0
    least = float(np.einsum("ij,ij->i", found, known).min())
    return least if np.isfinite(least) else 0.0


def to_bytes(embeddings: Embeddings) -> bytes:
    """As a space keeps them."""
    return embeddings.astype("<f4").tobytes()


def from_bytes(kept: bytes, *, dimensions: int) -> Embeddings:
    """What `to_bytes` made bytes of."""
    return np.frombuffer(kept, dtype="<f4").reshape(-1, dimensions).astype(np.float32)
