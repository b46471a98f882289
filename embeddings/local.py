"""An encoder in this process: any sentence-transformers model. The only module that imports torch."""

import threading
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from embeddings import devices, fingerprint, layout, tokens
from embeddings.batching import MicroBatches
from embeddings.encoder import Embeddings, EncoderOutOfMemory, Role, check

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

GPU_BUDGET = 16_384
CPU_BUDGET = 1_024
"""Tokens of a micro-batch. A query waits for at most one: on two cores the bundled model takes 0.35 s for 1,024 tokens,
and is no faster with more."""


class LocalEncoder:
    """See encoder.Encoder. The model is loaded when it first encodes, on whichever thread that is."""

    unit_tokens = 4_096
    """Seconds of work on a CPU, a fraction of one on a GPU."""

    def __init__(
        self,
        folder: Path,
        *,
        dimensions: int | None = None,
        device: str | None = None,
        dtype: str | None = None,
        threads: int | None = None,
    ) -> None:
        """`threads` bounds the cores torch uses, for this whole process. Raises EncoderError."""
        self.device = device or devices.default_device()
        dtype = dtype or devices.dtype_on(self.device)
        self.description = fingerprint.of_folder(folder, dimensions=dimensions, dtype=dtype)
        self.dimensions = self.description.dimensions
        self.fingerprint = self.description.fingerprint
        self.max_tokens = self.description.max_tokens
        self.tokenizer = tokens.load(folder)
        self._folder = folder
        self._layout = layout.read(folder)
        self._threads = threads
        self._batches = MicroBatches(GPU_BUDGET if self.device.startswith("cuda") else CPU_BUDGET)
        self._in_use = threading.Lock()
        """Held while the model loads or runs; its tokenizer may not be used by two threads at once."""

    def encode_queries(self, texts: Sequence[str], *, instruction: str = "") -> Embeddings:
        """See encoder.Encoder."""
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
        lengths = [min(length, self.max_tokens) for length in self.tokenizer.count_after(prompt, texts)]
        return self._batches.encode(
            lengths,
            lambda places: self._encode_together([texts[place] for place in places], prompt),
            dimensions=self.dimensions,
            between=between,
        )

    def _encode_together(self, texts: list[str], prompt: str) -> Embeddings:
        """One micro-batch. Raises EncoderError."""
        import torch  # heavy: only a process that encodes may load it

        with self._in_use:
            try:
                return self._run(texts, prompt)
            except (torch.OutOfMemoryError, MemoryError):
                pass  # what the failed run held is free only once its exception is gone, which is from here on
            torch.cuda.empty_cache()
        raise EncoderOutOfMemory(f"{len(texts)} texts do not fit the memory of the device.")

    def _run(self, texts: list[str], prompt: str) -> Embeddings:
        whole = self._model.encode(texts, prompt=prompt, batch_size=len(texts), show_progress_bar=False)
        # Matryoshka: cut, then normalised again; in float32, as bfloat16 rounds lengths by up to 0.4 %.
        cut = np.asarray(whole, dtype=np.float32)[:, : self.dimensions]
        with np.errstate(invalid="ignore", divide="ignore"):  # check() says what is wrong with such numbers
            embeddings = cut / np.linalg.norm(cut, axis=1, keepdims=True)
        return check(embeddings, rows=len(texts), dimensions=self.dimensions)

    @cached_property
    def _model(self) -> "SentenceTransformer":
        import torch  # heavy, as above
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging

        if self._threads is not None:
            torch.set_num_threads(self._threads)
        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        model = SentenceTransformer(
            str(self._folder),
            device=self.device,
            local_files_only=True,
            model_kwargs={"dtype": getattr(torch, self.description.dtype)},
        )
        model.max_seq_length = self.max_tokens
        return model
