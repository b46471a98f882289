"""A reranker in this process: any CrossEncoder of sentence-transformers that gives one score for a pair, and
Qwen3-Reranker, whose score is the chance of a yes against a no."""

import json
import re
import threading
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from embeddings import devices, local, watchdog
from embeddings.batching import MicroBatches
from embeddings.encoder import Embeddings
from embeddings.instructions import instruction_for
from embeddings.reranker import Odds, QueryTooLong, RerankerError, Turn, check

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

LONGEST = 2_048
"""Most tokens of query and passage together: passages are about 450, and time grows with them."""

GPU_BUDGET, CPU_BUDGET = local.GPU_BUDGET // 2, local.CPU_BUDGET
"""Tokens of a micro-batch. A query waits for at most one."""

_LEAST = 64
"""Tokens of a passage that a query must leave room for."""

_SPARE = 8
"""Tokens that a passage may have more where it stands behind a query than alone."""

_INSTRUCTED = "<Instruct>"
"""What stands in a template with a place for the instruction."""

_TEMPLATE = """\
{%- macro of(role) %}{% for one in messages if one.role == role %}{{ one.content }}{% endfor %}{% endmacro -%}
<|im_start|>system
Judge whether the Document meets the requirements based on the Query and the Instruct provided. \
Note that the answer can only be "yes" or "no".<|im_end|>
<|im_start|>user
<Instruct>: {{ of("system") }}
<Query>: {{ of("query") }}
<Document>: {{ of("document") }}<|im_end|>
<|im_start|>assistant
<think>

</think>{{ "\\n\\n" }}"""
"""For folders whose own template is one for conversations: https://huggingface.co/Qwen/Qwen3-Reranker-4B"""


class LocalReranker:
    """See reranker.Reranker. The model is loaded when it first scores."""

    def __init__(
        self, folder: Path, *, device: str | None = None, dtype: str | None = None, threads: int | None = None
    ) -> None:
        """`threads` bounds the cores torch uses, for this whole process."""
        self.device = device or devices.default_device()
        self._dtype = dtype or devices.dtype_on(self.device)
        self._folder = folder
        self._threads = threads
        self._batches = MicroBatches(GPU_BUDGET if self.device.startswith("cuda") else CPU_BUDGET)
        self._batches.padded = True
        self._loading = threading.Lock()
        self._loaded: _Model | None = None

    def score(
        self,
        query: str,
        passages: Sequence[str],
        *,
        instruction: str = "",
        turn: Turn = nullcontext,
    ) -> Odds:
        """See reranker.Reranker. A passage too long for the model is cut at its end, the query never is."""
        from embeddings import inference  # it imports torch: only a process that reranks may

        if not passages:
            return np.empty(0, dtype=np.float32)
        model = self._model()
        query = model.plain(query)
        texts, lengths = model.fit(query, [model.plain(text) for text in passages], instruction)

        def together(places: Sequence[int]) -> Embeddings:
            some = [texts[place] for place in places]
            with turn(), watchdog.watching():
                return inference.sparing(lambda: model.run(query, some, instruction), texts=len(some))

        found = self._batches.encode(lengths, together, dimensions=1)
        return check(found[:, 0], passages=len(passages))

    def _model(self) -> "_Model":
        from embeddings import inference  # heavy, as above

        with self._loading:
            if self._loaded is None:
                inference.use_cores(self._threads)
                self._loaded = _Model(self._folder, self.device, self._dtype)
            return self._loaded


class _Model:
    """The model itself, on whichever thread has the device."""

    def __init__(self, folder: Path, device: str, dtype: str) -> None:
        self._model, template = _load(folder, device, dtype)
        self._takes_instruction = _INSTRUCTED in template
        self._longest = self._model.max_seq_length = min(self._model.max_seq_length or LONGEST, LONGEST)
        self._marks = _marks(self._model.tokenizer.get_added_vocab()) if template else None

    def plain(self, text: str) -> str:
        """Without what the model would read as the end of the text: a passage must not answer for itself."""
        return self._marks.sub(lambda mark: " ".join(mark[0]), text) if self._marks else text

    def fit(self, query: str, passages: Sequence[str], instruction: str) -> tuple[list[str], list[int]]:
        """The passages cut to what the model reads of them behind this query, and the tokens of each pair. Raises
        QueryTooLong."""
        around = self._count(query, instruction)
        room = self._longest - around - _SPARE
        if room < _LEAST:
            raise QueryTooLong
        tokens: Any = self._model.tokenizer(
            list(passages), add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )
        ends = [[end for _start, end in spans] for spans in tokens["offset_mapping"]]
        texts = [text if len(of) <= room else text[: of[room - 1]] for text, of in zip(passages, ends, strict=True)]
        return texts, [around + min(room, len(of)) for of in ends]

    def run(self, query: str, passages: Sequence[str], instruction: str) -> Embeddings:
        """Log-odds as one micro-batch gives them, float32 [n, 1]."""
        import torch  # heavy: only a process that reranks may load it

        scores: Any = self._model.predict(
            [(query, passage) for passage in passages],
            prompt=self._prompt(instruction),
            batch_size=len(passages),
            activation_fn=torch.nn.Identity(),
            show_progress_bar=False,
        )
        found: Embeddings = np.asarray(scores, dtype=np.float32).reshape(-1, 1)
        return found

    def _count(self, query: str, instruction: str) -> int:
        """The tokens of the query, and of all that the model reads beside query and passage."""
        features: Any = self._model.preprocess([(query, "")], prompt=self._prompt(instruction))
        return int(features["input_ids"].shape[-1])

    def _prompt(self, instruction: str) -> str | None:
        return (instruction or instruction_for("general")) if self._takes_instruction else None


def _marks(added: Mapping[str, int]) -> re.Pattern[str]:
    """What stands for a token with a meaning of its own (`<|im_end|>`) wherever it is written."""
    return re.compile("|".join(map(re.escape, sorted(added, key=len, reverse=True))) or r"(?!)")


def _load(folder: Path, device: str, dtype: str) -> "tuple[CrossEncoder, str]":
    """The model, and the template it is asked by; empty where it has none. Raises RerankerError."""
    import torch  # heavy, as above
    from sentence_transformers import CrossEncoder
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    template = _template(folder)
    try:
        model = CrossEncoder(
            str(folder),
            device=device,
            local_files_only=True,
            model_kwargs={"dtype": getattr(torch, dtype)},
            processor_kwargs={"chat_template": template} if template else None,
        )
    except (OSError, ValueError) as error:
        raise RerankerError(f"The reranker in {folder} cannot be loaded: {error}") from error
    if model.num_labels != 1:
        raise RerankerError(f"The model in {folder} gives {model.num_labels} scores for a pair; a reranker gives one.")
    return model.eval(), template


def _template(folder: Path) -> str:
    """How a model that writes text is asked: in its own words where these have a place for query and document. Empty
    for a model with a score of its own."""
    config = _read(folder / "config.json")
    if not any(name.endswith("ForCausalLM") for name in config.get("architectures") or []):
        return ""
    beside = folder / "chat_template.jinja"
    given = _read(folder / "tokenizer_config.json").get("chat_template")
    own = beside.read_text("utf-8") if beside.is_file() else given if isinstance(given, str) else ""
    return own if "query" in own and "document" in own else _TEMPLATE


def _read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8")) if path.is_file() else {}
