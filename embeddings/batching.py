"""Micro-batches: texts of like length encoded together, as many as a budget of tokens allows."""

from collections.abc import Callable, Sequence

import numpy as np

from embeddings.encoder import Embeddings, EncoderOutOfMemory

Encode = Callable[[Sequence[int]], Embeddings]
"""The embeddings of the texts at these places. Raises EncoderOutOfMemory."""

GOOD = 32
"""So many micro-batches in a row without a shortage of memory let the budget grow again: others may have had the
memory only for a while, and a shortage costs one run in so many."""

PRESSED = 4
"""Micro-batches are so many times smaller while queries come in: a query waits for one at most."""


class MicroBatches:
    """Cuts work into micro-batches and remembers how large they may be on this device just now."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        """Tokens of a micro-batch."""
        self.padded = False
        """Whether shorter texts are padded to the longest, and so cost as much."""
        self._whole = budget
        self._good = 0

    def encode(
        self,
        lengths: Sequence[int],
        encode: Encode,
        *,
        dimensions: int,
        between: Callable[[], None] | None = None,
        is_pressed: Callable[[], bool] = lambda: False,
    ) -> Embeddings:
        """The embeddings of texts of these lengths, in their order. `between` is called between micro-batches.

        The longest go first, so that a budget too large for the device shows at once; it is then halved, and grows
        back by an eighth after GOOD micro-batches. Raises EncoderOutOfMemory when a text does not fit alone.
        """
        found = np.empty((len(lengths), dimensions), dtype=np.float32)
        waiting = sorted(range(len(lengths)), key=lambda place: -lengths[place])
        while waiting:
            budget = self.budget // PRESSED if is_pressed() else self.budget
            together = waiting[: self._fitting([lengths[place] for place in waiting], budget)]
            try:
                found[together] = encode(together)
            except EncoderOutOfMemory:
                if len(together) == 1:
                    raise
                self._shrink(self._tokens([lengths[place] for place in together]))
                continue
            self._grow()
            waiting = waiting[len(together) :]
            if waiting and between is not None:
                between()
        return found

    def _fitting(self, lengths: Sequence[int], budget: int) -> int:
        """How many of the first of these, at least one, make a micro-batch."""
        tokens = 0
        for number, length in enumerate(lengths):
            tokens += lengths[0] if self.padded else length
            if number and tokens > budget:
                return number
        return len(lengths)

    def _tokens(self, lengths: Sequence[int]) -> int:
        return max(lengths) * len(lengths) if self.padded else sum(lengths)

    def _shrink(self, too_many: int) -> None:
        self.budget, self._good = max(1, too_many // 2), 0

    def _grow(self) -> None:
        self._good += 1
        if self._good >= GOOD:
            self.budget, self._good = min(self._whole, self.budget + max(1, self._whole // 8)), 0
