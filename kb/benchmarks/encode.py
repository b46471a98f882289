"""Tokens a second of our encoder beside sentence-transformers, with its defaults and with its best settings."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

from embeddings import devices
from embeddings.local import LocalEncoder
from kb.benchmarks import rounds, texts
from kb.benchmarks.rounds import Seconds

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

LENGTHS = {"cpu": (16, 500), "cuda": (64, 1024)}
"""Tokens of the shortest and the longest text."""

TEXTS = {"cpu": 128, "cuda": 4096}

_BATCHES = (8, 16, 32, 64, 128)
_SIZE = {"cpu": 1024, "cuda": 8192}


@dataclass(frozen=True)
class Result:
    """`flop` is what the model's layers take a token, twice their parameters; `peak` the FLOP a second that a product
    of two matrices reaches here; `best` says what sentence-transformers' best settings were."""

    model: str
    device: str
    texts: int
    tokens: int
    flop: int
    peak: float
    best: str
    cosine: float
    seconds: Seconds

    @property
    def tokens_a_second(self) -> dict[str, float]:
        return {name: self.tokens / median(taken) for name, taken in self.seconds.items()}

    @property
    def utilisation(self) -> dict[str, float]:
        return {name: rate * self.flop / self.peak for name, rate in self.tokens_a_second.items()}

    @property
    def times_default(self) -> float:
        return rounds.times_as_fast(self.seconds, "ours", "default")

    @property
    def times_best(self) -> float:
        return rounds.times_as_fast(self.seconds, "ours", "best")

    def figures(self) -> dict[str, Any]:
        """All of them, as JSON takes them."""
        derived = ("tokens_a_second", "utilisation", "times_default", "times_best")
        return asdict(self) | {name: getattr(self, name) for name in derived}

    def lines(self) -> list[str]:
        """What is printed."""
        head = f"{self.model} on {self.device}: {self.texts} texts, {self.tokens} tokens of {self.flop / 1e9:.3g} GFLOP"
        rows = [
            f"  {name:8} {rate:10.0f} tokens/s {self.utilisation[name]:6.1%} of {self.peak / 1e12:.3g} TFLOP/s"
            for name, rate in self.tokens_a_second.items()
        ]
        return [
            head,
            *rows,
            f"Ours is {self.times_default:.2f} times the default, {self.times_best:.2f} times the best ({self.best}).",
            f"The least cosine between ours and the default's is {self.cosine:.6f}.",
        ]


def measure(folder: Path, *, count: int | None = None, runs: int = 3) -> Result:
    """Encode the same texts by each contender in turn. Raises EncoderError."""
    device = devices.default_device()
    ours = LocalEncoder(folder, device=device)
    least, most = LENGTHS[device]
    passages = texts.mixed(count or TEXTS[device], ours.tokenizer, least=least, most=most)
    theirs = _sentence_transformer(folder, ours)
    quick, batch, attention = _best(folder, ours, passages)
    encode = partial(theirs.encode_document, passages, show_progress_bar=False)
    # What is done once is done before: loading, the choice of a kernel, the first allocation.
    cosine = float((ours.encode_passages(passages) * encode(normalize_embeddings=True)).sum(axis=1).min())
    seconds = rounds.run(
        {
            "ours": lambda: ours.encode_passages(passages),
            "default": encode,
            "best": lambda: quick.encode_document(passages, batch_size=batch, show_progress_bar=False),
        },
        runs,
    )
    return Result(
        model=ours.description.name,
        device=device,
        texts=len(passages),
        tokens=sum(ours.count_tokens(passages)),
        flop=_flop(theirs),
        peak=_peak(device, ours.description.dtype),
        best=f"batches of {batch}, {attention}",
        cosine=cosine,
        seconds=seconds,
    )


def _sentence_transformer(folder: Path, ours: LocalEncoder, **more: str) -> "SentenceTransformer":
    import torch  # heavy: a command that measures no encoder does without it
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(
        str(folder),
        device=ours.device,
        local_files_only=True,
        truncate_dim=ours.dimensions,
        model_kwargs={"dtype": getattr(torch, ours.description.dtype), **more},
    )
    model.max_seq_length = ours.max_tokens
    return model


def _best(folder: Path, ours: LocalEncoder, passages: Sequence[str]) -> tuple["SentenceTransformer", int, str]:
    """sentence-transformers with the attention it packs texts with, where that is installed, and the fastest batch."""
    attention = "sdpa"
    model = _sentence_transformer(folder, ours)
    if ours.device == "cuda":
        try:
            model = _sentence_transformer(folder, ours, attn_implementation="flash_attention_2")
            attention = "flash_attention_2"
        except (ImportError, ValueError):
            pass
    sample = list(passages[:: max(1, len(passages) // 256)])
    taken = {batch: _time(model, sample, batch) for batch in _BATCHES}
    return model, min(taken, key=lambda batch: taken[batch]), attention


def _time(model: "SentenceTransformer", passages: list[str], batch: int) -> float:
    begun = perf_counter()
    model.encode_document(passages, batch_size=batch, show_progress_bar=False)
    return perf_counter() - begun


def _flop(model: "SentenceTransformer") -> int:
    """Two for each parameter of a layer: a table of embeddings is only looked up. Attention's own products are left
    out: a thirtieth at 350 tokens."""
    import torch  # heavy, as above

    tables = {id(module.weight) for module in model.modules() if isinstance(module, torch.nn.Embedding)}
    return 2 * sum(weight.numel() for weight in model.parameters() if id(weight) not in tables)


def _peak(device: str, dtype: str) -> float:
    """FLOP a second of a large product of random numbers (zeros would take less power, and so be quicker)."""
    import torch  # heavy, as above

    size = _SIZE[device]
    one = torch.randn(size, size, device=device, dtype=getattr(torch, dtype))
    taken = []
    for _number in range(6):
        begun = perf_counter()
        product = one @ one
        product[0, 0].item()  # waits for the device
        taken.append(perf_counter() - begun)
    return 2 * size**3 / min(taken)
