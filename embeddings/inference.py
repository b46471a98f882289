"""A model that is loaded, and the ways through it: packed or as sentence-transformers does it, compiled or not.

Here and in `attention` alone is torch imported.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers
import torch
from sentence_transformers import SentenceTransformer
from transformers.utils import logging as transformers_logging

from embeddings import attention, devices
from embeddings.encoder import Embeddings, EncoderOutOfMemory
from embeddings.fingerprint import Description

log = logging.getLogger(__name__)

_ALIKE = {"float32": 0.9995, "bfloat16": 0.998}
"""Cosine above which two ways of computing an embedding give the same."""

_PROBE = [
    "Tides",
    "The tide turns twice a day, and the harbour master writes it down. " * 4,
    "潮水每天涨落两次。",
    "Ebbe",
]


@dataclass(frozen=True, slots=True)
class Text:
    """A text on its way to the model: as it is, prompt included, and as the tokens the model reads of it, special ones
    included, cut at its limit."""

    text: str
    ids: Sequence[int]


class Model:
    """See the module. `compiler` is the backend of torch.compile, "inductor" as a rule; empty: the model's own code."""

    def __init__(self, folder: Path, description: Description, device: str, *, compiler: str = "") -> None:
        self._model = _load(folder, description, device)
        self._tokenizer = _tokenizer(self._model, description.max_tokens)
        self._first_position = 0
        self._compiled: list[Any] = []
        self.packs = self._can_pack(_ALIKE[description.dtype])
        """Whether texts stand in one row without padding."""
        if compiler:
            self._compile(compiler, _ALIKE[description.dtype])

    @property
    def compiled(self) -> bool:
        """Whether the layers run as torch.compile made them."""
        return bool(self._compiled)

    def tokenize(self, texts: Sequence[str]) -> list[Text]:
        """Safe on any thread, at any time."""
        encoded = self._tokenizer.encode_batch_fast(list(texts))
        return [Text(text, one.ids) for text, one in zip(texts, encoded, strict=True)]

    def run(self, texts: Sequence[Text]) -> Embeddings:
        """The embeddings at the model's own size, of any length. Raises EncoderOutOfMemory."""
        try:
            return sparing(lambda: self._run(texts), texts=len(texts))
        except torch._dynamo.exc.TorchDynamoException as error:
            self._run_as_written(error)
            return sparing(lambda: self._run(texts), texts=len(texts))

    def _run(self, texts: Sequence[Text]) -> Embeddings:
        return self._run_packed(texts) if self.packs else self._run_plainly(texts)

    # --- Packed ---

    def _can_pack(self, alike: float) -> bool:
        """Not every model's attention can be told where texts end: tried once, beside the plain way."""
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
            _check_alike(plain, self._run_packed(probe), alike)
        except Exception as error:  # whatever a kernel or a foreign model may raise
            log.warning("Texts are padded, not packed: %s: %s", type(error).__name__, error)
            transformer.auto_model.set_attn_implementation(usual)
            return False
        return True

    def _run_packed(self, texts: Sequence[Text]) -> Embeddings:
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

    def _run_plainly(self, texts: Sequence[Text]) -> Embeddings:
        whole = self._model.encode(
            [text.text for text in texts],
            prompt="",
            batch_size=len(texts),
            show_progress_bar=False,
            convert_to_tensor=True,
        )
        return _array(whole)

    # --- Compiled ---

    def _compile(self, compiler: str, alike: float) -> None:
        """One layer's code serves them all, and texts of all lengths: compiling takes no longer for a large model."""
        probe = self.tokenize(_PROBE)
        written = self._run(probe)
        try:
            attention.keep_out_of_graphs(str(self._model.device))
            self._compiled = _layers(self._model[0])
            for layer in self._compiled:
                layer.compile(backend=compiler, dynamic=True)
            _check_alike(written, self._run(probe), alike)
        except Exception as error:  # whatever a compiler may raise
            self._run_as_written(error)

    def _run_as_written(self, error: Exception) -> None:
        """From now on without what was compiled."""
        said = str(error).strip().partition("\n")[0]
        log.warning("The model runs as it is written, not compiled: %s: %s", type(error).__name__, said)
        for layer in self._compiled:
            layer._compiled_call_impl = None  # torch has no other way back from Module.compile
        self._compiled = []


def sparing(run: Callable[[], Embeddings], *, texts: int) -> Embeddings:
    """What `run` computes of so many texts. Raises EncoderOutOfMemory."""
    try:
        return run()
    except (torch.OutOfMemoryError, MemoryError):
        pass  # what the failed run held is free only once its exception is gone
    except RuntimeError as error:
        if "can't allocate memory" not in str(error):  # what torch says without a GPU
            raise
    torch.cuda.empty_cache()
    raise EncoderOutOfMemory(f"{texts} texts do not fit the memory of the device.")


def use_cores(threads: int | None) -> None:
    """Torch counts the machine's cores, whatever a container leaves of them."""
    torch.set_num_threads(threads or min(torch.get_num_threads(), devices.cores()))


def _load(folder: Path, description: Description, device: str) -> SentenceTransformer:
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
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


def _tokenizer(model: SentenceTransformer, max_tokens: int) -> tokenizers.Tokenizer:
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


def _layers(transformer: Any) -> list[Any]:
    """What the model repeats. Raises ValueError."""
    model = transformer.auto_model
    lists = (module for module in model.modules() if isinstance(module, torch.nn.ModuleList))
    for one in lists:
        if len(one) == model.config.num_hidden_layers:
            return list(one)
    raise ValueError("its layers are not found")


def _array(tensor: Any) -> Embeddings:
    found: Embeddings = tensor.float().cpu().numpy()
    return found


def _check_alike(ones: Embeddings, others: Embeddings, alike: float) -> None:
    """Raises ValueError where two ways give different embeddings."""
    lengths = np.linalg.norm(ones, axis=1) * np.linalg.norm(others, axis=1)
    cosine = ((ones * others).sum(axis=1) / lengths).min()
    if not cosine >= alike:
        raise ValueError(f"it gives something else: cosine {cosine:.5f}")
