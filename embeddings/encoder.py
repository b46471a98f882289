"""What an encoder is: text in, unit-length embeddings out."""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Embeddings = NDArray[np.float32]
"""float32 [n, dimensions], each row of unit length."""


Role = Literal["query", "passage", "bare"]
"""What a text is to the encoder: what was asked, what may answer, or neither, to be encoded exactly as it is."""


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

    @property
    def unit_tokens(self) -> int:
        """Tokens of passages worth bringing at a time: enough to be busy with, and done in seconds."""
        ...

    def encode_queries(self, texts: Sequence[str], *, instruction: str = "") -> Embeddings:
        """Embeddings of what people typed. `instruction` says what is looked for, for encoders that take one."""
        ...

    def encode_passages(self, texts: Sequence[str], between: Callable[[], None] | None = None) -> Embeddings:
        """Embeddings of passages, as many rows as texts, in their order. `between` is called between
        micro-batches, not after the last: the place to let others use the device, and for whoever wants the rest no
        more to raise."""
        ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """See `Tokenizer.count`."""
        ...

    def prompt_for(self, role: Role, instruction: str = "") -> str:
        """What the two methods above write in front of a text."""
        ...

    def encode_prompted(
        self, texts: Sequence[str], *, prompt: str, between: Callable[[], None] | None = None
    ) -> Embeddings:
        """Embeddings of texts behind any prompt, for callers with prompts of their own. `between` as above."""
        ...

    def count_prompted(self, texts: Sequence[str], *, prompt: str) -> list[int]:
        """The number of tokens of each text behind `prompt`, both and special tokens counted in."""
        ...


class EncoderError(Exception):
    """The encoder gave something that is not an embedding, or gave nothing."""


class EncoderUnavailable(Exception):
    """The encoder cannot be reached, or is not the space's, just now. No text is at fault: work is given back, for at
    least `pause` seconds where the encoder's server asked for them."""

    def __init__(self, sentence: str, *, pause: float = 0.0) -> None:
        super().__init__(sentence)
        self.pause = pause


class EncoderBroken(Exception):
    """The device fails whatever it is given, for as long as this process lives. A text may have brought it there."""


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
