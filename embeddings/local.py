"""An encoder in this process: any sentence-transformers model."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from embeddings import cutting, devices, fingerprint, layout, tokens, watchdog
from embeddings.batching import MicroBatches
from embeddings.encoder import Embeddings, EncoderError, Role, check

if TYPE_CHECKING:
    from embeddings.inference import Model, Text

GPU_BUDGET = 16_384
CPU_BUDGET = 1_024
"""Tokens of a micro-batch. A query waits for at most one: on two cores the bundled model takes 0.35 s for 1,024 tokens,
and with four times as many it is 6 % faster."""

UNIT = 4
"""Micro-batches in a unit of work: a second or a few."""

FIRST, WINDOW = 32, 256
"""Texts tokenized in one go: a few at first, for which the device waits, then many while it is at work."""

QUIET_SECONDS = 1.0
"""So long after a query more are expected, and micro-batches of passages are small."""


class LocalEncoder:
    """See encoder.Encoder. The model is loaded when it first encodes, on whichever thread that is."""

    def __init__(
        self,
        folder: Path,
        *,
        dimensions: int | None = None,
        device: str | None = None,
        dtype: str | None = None,
        threads: int | None = None,
        compiler: str = "",
    ) -> None:
        """`threads` bounds the cores torch uses, for this whole process; `compiler` as in inference.Model. Raises
        EncoderError."""
        self.device = device or devices.default_device()
        dtype = dtype or devices.dtype_on(self.device)
        if dtype not in devices.DTYPES:
            raise EncoderError(f"Embeddings are not computed in {dtype}: in float16 some texts become NaN.")
        self.description = fingerprint.of_folder(folder, dimensions=dimensions, dtype=dtype)
        self.dimensions = self.description.dimensions
        self.fingerprint = self.description.fingerprint
        self.max_tokens = self.description.max_tokens
        self.tokenizer = tokens.load(folder)
        self._folder = folder
        self._layout = layout.read(folder)
        self._threads = threads
        self._compiler = compiler
        budget = GPU_BUDGET if self.device.startswith("cuda") else CPU_BUDGET
        self._batches = MicroBatches(budget)
        self.unit_tokens = UNIT * budget
        self._loading = threading.Lock()
        self._loaded: Model | None = None
        self._in_use = threading.Lock()
        self._asked_at = -QUIET_SECONDS

    @property
    def compiled(self) -> bool:
        """Whether its layers run compiled: known when it has first encoded."""
        return self._loaded is not None and self._loaded.compiled

    def encode_queries(self, texts: Sequence[str], *, instruction: str = "") -> Embeddings:
        """See encoder.Encoder."""
        self._asked_at = time.monotonic()
        return self._encode(texts, prompt=self._layout.query_prompt_for(instruction))

    def encode_passages(self, texts: Sequence[str], between: Callable[[], None] | None = None) -> Embeddings:
        """See encoder.Encoder."""
        return self._encode(texts, prompt=self._layout.passage_prompt, between=between)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """See encoder.Encoder."""
        return self.tokenizer.count(texts)

    def prompt_for(self, role: Role, instruction: str = "") -> str:
        """See encoder.Encoder."""
        if role == "query":
            return self._layout.query_prompt_for(instruction)
        return self._layout.passage_prompt if role == "passage" else ""

    def encode_prompted(
        self, texts: Sequence[str], *, prompt: str, between: Callable[[], None] | None = None
    ) -> Embeddings:
        """See encoder.Encoder."""
        return self._encode(texts, prompt=prompt, between=between)

    def count_prompted(self, texts: Sequence[str], *, prompt: str) -> list[int]:
        """See encoder.Encoder."""
        return self.tokenizer.count_after(prompt, texts)

    def _encode(self, texts: Sequence[str], *, prompt: str, between: Callable[[], None] | None = None) -> Embeddings:
        model = self._model()
        found = [np.empty((0, self.dimensions), dtype=np.float32)]
        for window in _windows(model, [prompt + text for text in texts]):
            if len(found) > 1 and between is not None:
                between()
            found.append(self._encode_window(model, window, between))
        return np.concatenate(found)

    def _encode_window(
        self, model: "Model", window: "Sequence[Text]", between: Callable[[], None] | None
    ) -> Embeddings:
        return self._batches.encode(
            [len(text.ids) for text in window],
            lambda places: self._encode_together(model, [window[place] for place in places]),
            dimensions=self.dimensions,
            between=between,
            is_pressed=lambda: time.monotonic() - self._asked_at < QUIET_SECONDS,
        )

    def _encode_together(self, model: "Model", texts: "Sequence[Text]") -> Embeddings:
        """One micro-batch. Raises EncoderError, EncoderBroken."""
        with self._in_use, watchdog.watching():
            whole = model.run(texts)
        return check(cutting.cut(whole, self.dimensions), rows=len(texts), dimensions=self.dimensions)

    def _model(self) -> "Model":
        from embeddings import inference  # it imports torch: only a process that encodes may

        with self._loading:
            if self._loaded is None:
                inference.use_cores(self._threads)
                with watchdog.naming():
                    self._loaded = inference.Model(self._folder, self.description, self.device, compiler=self._compiler)
                self._batches.padded = not self._loaded.packs
            return self._loaded


def _windows(model: "Model", texts: Sequence[str]) -> "Iterator[Sequence[Text]]":
    """The texts in stretches, each tokenized while its caller has the device at work on the one before."""
    bounds = [*range(0, min(FIRST, len(texts)), FIRST), *range(FIRST, len(texts), WINDOW), len(texts)]
    stretches = [texts[start:end] for start, end in pairwise(bounds)]
    if len(stretches) < 2:  # a query: nothing to be ahead of
        yield from map(model.tokenize, stretches)
        return
    with ThreadPoolExecutor(1, "tokenizer") as ahead:
        following = [ahead.submit(model.tokenize, stretch) for stretch in stretches[:1]]
        for number in range(len(stretches)):
            window = following.pop().result()
            following = [ahead.submit(model.tokenize, stretch) for stretch in stretches[number + 1 : number + 2]]
            yield window
