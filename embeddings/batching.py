"""Micro-batches: texts of like length encoded together, as many as a budget of tokens allows."""

from collections.abc import Callable, Sequence

import numpy as np

from embeddings.encoder import Embeddings, EncoderOutOfMemory

Encode = Callable[[Sequence[int]], Embeddings]
"""The embeddings of the texts at these places. Raises EncoderOutOfMemory."""


class MicroBatches:
    """Cuts work into micro-batches and remembers how large they may be on this device."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        """Tokens of a micro-batch: its number of texts times the longest of them, as shorter ones are padded."""

    def encode(
        self,
        lengths: Sequence[int],
        encode: Encode,
        *,
        dimensions: int,
        between: Callable[[], None] | None = None,
    ) -> Embeddings:
        """The embeddings of texts of these lengths, in their order. `between` is called after each micro-batch.

        The longest go first, so that a budget too large for the device shows at once; it is then halved for good.
        Raises EncoderOutOfMemory when a text does not fit alone.
        """
        found = np.empty((len(lengths), dimensions), dtype=np.float32)
        waiting = sorted(range(len(lengths)), key=lambda place: -lengths[place])
        while waiting:
            longest = max(1, lengths[waiting[0]])
            together = waiting[: max(1, self.budget // longest)]
            try:
                found[together] = encode(together)
            except EncoderOutOfMemory:
                if len(together) == 1:
                    raise
                self.budget = longest * len(together) // 2
                continue
            waiting = waiting[len(together) :]
            if between is not None:
                between()
        return found
