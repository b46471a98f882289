"""An encoder in this process: any sentence-transformers model. Here, in `attention` and in
`local_reranker` alone is torch imported."""

import faulthandler
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tokenizers

from embeddings import devices, fingerprint, layout, tokens
from embeddings.batching import MicroBatches
from embeddings.encoder import Embeddings, EncoderError, EncoderOutOfMemory, Role, check

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

log = logging.getLogger(__name__)

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

HANG_SECONDS = 900
"""A run that takes longer hangs: the process writes down where and ends, to be started again by its supervisor. On a
slow CPU 32,768 tokens of a large model take some minutes."""

_ALIKE = {"float32": 0.9995, "bfloat16": 0.998}
"""Cosine above which two ways of computing an embedding give the same."""

_PROBE = [
    "Tides",
    "The tide turns twice a day, and the harbour master writes it down. " * 4,
    "潮水每天涨落两次。",
    "Ebbe",
]

Ids = Sequence[int]
"""The tokens of a text as the model reads it: prompt and special tokens included, cut at the limit."""


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
    ) -> None:
        """`threads` bounds the cores torch uses, for this whole process. Raises EncoderError."""
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
        budget = GPU_BUDGET if self.device.startswith("cuda") else CPU_BUDGET
        self._batches = MicroBatches(budget)
        self.unit_tokens = UNIT * budget
        self._loading = threading.Lock()
        self._loaded: _Model | None = None
        self._in_use = threading.Lock()
        self._asked_at = -QUIET_SECONDS

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
            found.append(self._encode_window(model, window, between))
        return np.concatenate(found)

    def _encode_window(
        self, model: "_Model", window: "Sequence[_Text]", between: Callable[[], None] | None
    ) -> Embeddings:
        return self._batches.encode(
            [len(text.ids) for text in window],
            lambda places: self._encode_together(model, [window[place] for place in places]),
            dimensions=self.dimensions,
            between=between,
            is_pressed=lambda: time.monotonic() - self._asked_at < QUIET_SECONDS,
        )

    def _encode_together(self, model: "_Model", texts: "Sequence[_Text]") -> Embeddings:
        """One micro-batch. Raises EncoderError."""
        with self._in_use:
            whole = sparingly(lambda: model.run(texts), texts=len(texts))
        return self._cut(whole)

    def _cut(self, whole: Embeddings) -> Embeddings:
        """Matryoshka: cut, then normalised again; in float32, as bfloat16 rounds lengths by up to 0.4 %."""
        cut = whole[:, : self.dimensions]
        with np.errstate(invalid="ignore", divide="ignore"):  # check() says what is wrong with such numbers
            embeddings = cut / np.linalg.norm(cut, axis=1, keepdims=True)
        return check(embeddings, rows=len(whole), dimensions=self.dimensions)

    def _model(self) -> "_Model":
        with self._loading:
            if self._loaded is None:
                use_cores(self._threads)
                self._loaded = _Model(self._folder, self.description, self.device)
                self._batches.padded = not self._loaded.packs
            return self._loaded


class _Text:
    """A text on its way to the model: as it is, prompt included, and as tokens."""

    __slots__ = ("ids", "text")

    def __init__(self, text: str, ids: Ids) -> None:
        self.text = text
        self.ids = ids


def _windows(model: "_Model", texts: Sequence[str]) -> Iterator[Sequence[_Text]]:
    """The texts in stretches, each tokenized while its caller has the device at work on the one before."""
    bounds = [*range(0, min(FIRST, len(texts)), FIRST), *range(FIRST, len(texts), WINDOW), len(texts)]
    stretches = [texts[start:end] for start, end in pairwise(bounds)]
    with ThreadPoolExecutor(1, "tokenizer") as ahead:
        following = [ahead.submit(model.tokenize, stretch) for stretch in stretches[:1]]
        for number in range(len(stretches)):
            window = following.pop().result()
            following = [ahead.submit(model.tokenize, stretch) for stretch in stretches[number + 1 : number + 2]]
            yield window


def sparingly(run: Callable[[], Embeddings], *, texts: int) -> Embeddings:
    """What `run` computes on the device of so many texts. Raises EncoderOutOfMemory; ends the process where it
    hangs."""
    import torch  # heavy: only a process that encodes may load it

    with _watched():
        try:
            return run()
        except (torch.OutOfMemoryError, MemoryError):
            pass  # what the failed run held is free only once its exception is gone
        except RuntimeError as error:
            if "can't allocate memory" not in str(error):  # what torch says without a GPU
                raise
        torch.cuda.empty_cache()
        raise EncoderOutOfMemory(f"{texts} texts do not fit the memory of the device.")


@contextmanager
def _watched() -> Iterator[None]:
    """Ends the process when what is done here takes too long. By a timer below Python: a device that hangs may hold
    the interpreter's lock."""
    faulthandler.dump_traceback_later(HANG_SECONDS, exit=True, file=sys.__stderr__ or sys.stderr)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def use_cores(threads: int | None) -> None:
    """Torch counts the machine's cores, whatever a container leaves of them."""
    import torch  # heavy, as above

    torch.set_num_threads(threads or min(torch.get_num_threads(), devices.cores()))


class _Model:
    """The model itself, and the two ways through it: packed, or as sentence-transformers does it."""

    def __init__(self, folder: Path, description: fingerprint.Description, device: str) -> None:
        self._model = _load(folder, description, device)
        self._tokenizer = _tokenizer(self._model, description.max_tokens)
        self._first_position = 0
        self.packs = self._can_pack(_ALIKE[description.dtype])
        """Whether texts stand in one row without padding."""

    def tokenize(self, texts: Sequence[str]) -> list[_Text]:
        """Safe on any thread, at any time."""
        encoded = self._tokenizer.encode_batch_fast(list(texts))
        return [_Text(text, one.ids) for text, one in zip(texts, encoded, strict=True)]

    def run(self, texts: Sequence[_Text]) -> Embeddings:
        """The embeddings at the model's own size, of any length."""
        return self._run_packed(texts) if self.packs else self._run_plainly(texts)

    def _can_pack(self, alike: float) -> bool:
        """Not every model's attention can be told where texts end: tried once, beside the plain way."""
        from embeddings import attention  # it imports torch

        probe = self.tokenize(_PROBE)
        plain = self._run_plainly(probe)
        transformer: Any = self._model[0]
        usual = transformer.auto_model.config._attn_implementation
        try:
            if not all(getattr(module, "include_prompt", True) for module in self._model):
                raise NotImplementedError("This model's pooling leaves the prompt out.")
            attention.register(str(self._model.device))
            transformer.auto_model.set_attn_implementation(attention.PACKED)
            _let_through(transformer)
            self._first_position = _first_position(transformer.auto_model)
            cosine = _cosines(plain, self._run_packed(probe)).min()
            if not cosine >= alike:
                raise ValueError(f"The packed way gives something else: cosine {cosine:.5f}.")
        except Exception as error:  # whatever a kernel or a foreign model may raise
            log.warning("Texts are padded, not packed: %s: %s", type(error).__name__, error)
            transformer.auto_model.set_attn_implementation(usual)
            return False
        return True

    def _run_packed(self, texts: Sequence[_Text]) -> Embeddings:
        import torch  # heavy, as above

        lengths = np.array([len(text.ids) for text in texts])
        ends = np.cumsum(lengths)
        flat = np.concatenate([text.ids for text in texts])
        positions = np.arange(len(flat)) - np.repeat(ends - lengths, lengths) + self._first_position
        row = torch.from_numpy(np.stack([flat, positions])).to(self._model.device, non_blocking=True)
        bounds = torch.from_numpy(np.append(0, ends).astype(np.int32)).to(self._model.device, non_blocking=True)
        features = {
            "input_ids": row[:1],
            "position_ids": row[1:],
            "cu_seq_lens_q": bounds,
            "cu_seq_lens_k": bounds,
            "max_length_q": int(lengths.max()),
            "max_length_k": int(lengths.max()),
        }
        with torch.inference_mode():
            return _array(self._model(features)["sentence_embedding"])

    def _run_plainly(self, texts: Sequence[_Text]) -> Embeddings:
        whole = self._model.encode(
            [text.text for text in texts],
            prompt="",
            batch_size=len(texts),
            show_progress_bar=False,
            convert_to_tensor=True,
        )
        return _array(whole)


def _load(folder: Path, description: fingerprint.Description, device: str) -> "SentenceTransformer":
    import torch  # heavy, as above
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    model = SentenceTransformer(
        str(folder),
        device=device,
        local_files_only=True,
        model_kwargs={"dtype": getattr(torch, description.dtype)},
    )
    model.max_seq_length = description.max_tokens
    transformer: Any = model[0]
    if hasattr(transformer, "auto_model"):
        transformer.auto_model.config.use_cache = False  # keys and values are not asked for again
    return model.eval()


def _tokenizer(model: "SentenceTransformer", max_tokens: int) -> tokenizers.Tokenizer:
    """A copy of the model's own: that one is set up anew with each of its calls, and two threads must not do so."""
    tokenizer = tokenizers.Tokenizer.from_str(model.tokenizer.backend_tokenizer.to_str())
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens, direction=model.tokenizer.truncation_side)
    return tokenizer


def _let_through(transformer: Any) -> None:
    """sentence-transformers drops what the model's `forward` does not name; attention takes these from the rest."""
    if transformer.model_forward_params is not None:
        transformer.model_forward_params |= {"cu_seq_lens_q", "cu_seq_lens_k", "max_length_q", "max_length_k"}


def _first_position(model: Any) -> int:
    """0, but where the table of positions has a row for padding (the RoBERTa family): they begin behind it."""
    tables = (getattr(module, "position_embeddings", None) for module in model.modules())
    rows = (getattr(table, "padding_idx", None) for table in tables)
    return next((int(row) + 1 for row in rows if row is not None), 0)


def _array(tensor: Any) -> Embeddings:
    found: Embeddings = tensor.float().cpu().numpy()
    return found


def _cosines(ones: Embeddings, others: Embeddings) -> Embeddings:
    lengths = np.linalg.norm(ones, axis=1) * np.linalg.norm(others, axis=1)
    found: Embeddings = (ones * others).sum(axis=1) / lengths
    return found
