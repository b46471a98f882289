"""Tokens a second of our encoder beside sentence-transformers, with its defaults and with its best settings."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

from embeddings import devices
from embeddings.local import LocalEncoder
from kb.benchmarks import goals as goals_of
from kb.benchmarks import rounds, texts
from kb.benchmarks.rounds import Seconds

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

LENGTHS = {"cpu": (16, 500), "cuda": (64, 1024)}
"""Tokens of the shortest and the longest text."""

TEXTS = {"cpu": 128, "cuda": 4096}

GOALS = {
    "cpu": {"times_default": 1.3},
    "cuda": {"of_limit": 0.70, "times_default": 1.5, "times_best": 1.1, "query_to_floor": 2.5},
}
"""Of Qwen3-Embedding-4B on a GPU, of the bundled encoder on a CPU."""

_BATCHES = (8, 16, 32, 64, 128)
_SIZE = {"cpu": 1024, "cuda": 8192}
_COPIED = {"cpu": 2**26, "cuda": 2**30}
"""Numbers of a copy by which the memory is measured, as many as leave no cache a part in it."""

_QUERIES = [f"Where does the text with the number {number} stand?" for number in range(30)]


@dataclass(frozen=True)
class Ratios:
    """`of_limit` is the share of the FLOP a second that a product of two matrices reaches here; `query_to_floor` how
    many times longer one query takes than reading the weights of the layers once."""

    of_limit: float
    times_default: float
    times_best: float
    query_to_floor: float

    def line(self, name: str, goals: Mapping[str, float]) -> str:
        return (
            f"{name}: {goals_of.at_least(self.of_limit, goals.get('of_limit'))} of the limit, "
            f"{goals_of.at_least(self.times_default, goals.get('times_default'))} times the default, "
            f"{goals_of.at_least(self.times_best, goals.get('times_best'))} times the best; "
            f"a query {goals_of.at_most(self.query_to_floor, goals.get('query_to_floor'))} times its floor."
        )


@dataclass(frozen=True)
class Result:
    """`flop` is what the model's layers take a token, twice their parameters; `peak` the FLOP a second that a product
    of two matrices reaches here; `best` says what sentence-transformers' best settings were. `query` are the seconds
    of one query by contender of ours, `floor` those of reading the weights of the layers once."""

    model: str
    device: str
    texts: int
    tokens: int
    flop: int
    peak: float
    best: str
    cosine: float
    seconds: Seconds
    query: Mapping[str, float]
    floor: float

    @property
    def tokens_a_second(self) -> dict[str, float]:
        return {name: self.tokens / median(taken) for name, taken in self.seconds.items()}

    @property
    def utilisation(self) -> dict[str, float]:
        return {name: rate * self.flop / self.peak for name, rate in self.tokens_a_second.items()}

    @property
    def ratios(self) -> dict[str, Ratios]:
        """Of each contender that is ours."""
        return {
            name: Ratios(
                of_limit=self.utilisation[name],
                times_default=rounds.times_as_fast(self.seconds, name, "default"),
                times_best=rounds.times_as_fast(self.seconds, name, "best"),
                query_to_floor=taken / self.floor,
            )
            for name, taken in self.query.items()
        }

    def figures(self) -> dict[str, Any]:
        """All of them, as JSON takes them."""
        ratios = {name: asdict(of_one) for name, of_one in self.ratios.items()}
        derived = {name: getattr(self, name) for name in ("tokens_a_second", "utilisation")}
        return asdict(self) | derived | {"ratios": ratios, "goals": GOALS[self.device]}

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
            *(of_one.line(name, GOALS[self.device]) for name, of_one in self.ratios.items()),
            f"The floor of a query is {self.floor * 1000:.2f} ms. The best: {self.best}.",
            f"The least cosine between ours and the default's is {self.cosine:.6f}.",
        ]


def measure(folder: Path, *, count: int | None = None, runs: int = 3, compiler: str = "") -> Result:
    """Encode the same texts by each contender in turn; with a compiler (see inference.Model) ours is there twice.
    Raises EncoderError."""
    device = devices.default_device()
    ours = {"ours": LocalEncoder(folder, device=device)}
    if compiler:
        ours["compiled"] = LocalEncoder(folder, device=device, compiler=compiler)
    written = ours["ours"]
    least, most = LENGTHS[device]
    passages = texts.mixed(count or TEXTS[device], written.tokenizer, least=least, most=most)
    theirs = _sentence_transformer(folder, written)
    quick, batch, attention = _best(folder, written, passages)
    encode = partial(theirs.encode_document, passages, show_progress_bar=False)
    # What is done once is done before: loading, compiling, the choice of a kernel, the first allocation.
    known = encode(normalize_embeddings=True)
    cosine = min(float((one.encode_passages(passages) * known).sum(axis=1).min()) for one in ours.values())
    ours = {name: one for name, one in ours.items() if one is written or one.compiled}
    seconds = rounds.run(
        {
            **{name: partial(one.encode_passages, passages) for name, one in ours.items()},
            "default": encode,
            "best": lambda: quick.encode_document(passages, batch_size=batch, show_progress_bar=False),
        },
        runs,
    )
    return Result(
        model=written.description.name,
        device=device,
        texts=len(passages),
        tokens=sum(written.count_tokens(passages)),
        flop=2 * _of_layers(theirs, lambda weight: weight.numel()),
        peak=_peak(device, written.description.dtype),
        best=f"batches of {batch}, {attention}",
        cosine=cosine,
        seconds=seconds,
        query={name: _one_query(one) for name, one in ours.items()},
        floor=_of_layers(theirs, lambda weight: weight.nbytes) / _bandwidth(device),
    )


def _one_query(encoder: LocalEncoder) -> float:
    """The median of several: seconds from its text to its embedding."""
    taken = []
    for query in _QUERIES:
        begun = perf_counter()
        encoder.encode_queries([query])
        taken.append(perf_counter() - begun)
    return median(taken)


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


def _of_layers(model: "SentenceTransformer", size: "Callable[[torch.Tensor], int]") -> int:
    """The sum over the weights of the layers: a table of embeddings is only looked up. Attention's own products, a
    thirtieth of all at 350 tokens, are left out."""
    import torch  # heavy, as above

    tables = {id(module.weight) for module in model.modules() if isinstance(module, torch.nn.Embedding)}
    return sum(size(weight) for weight in model.parameters() if id(weight) not in tables)


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


def _bandwidth(device: str) -> float:
    """Bytes a second that a copy of a large tensor reads and writes."""
    import torch  # heavy, as above

    one = torch.ones(_COPIED[device], device=device)
    other = torch.empty_like(one)
    taken = []
    for _number in range(6):
        begun = perf_counter()
        other.copy_(one)
        other[0].item()  # waits for the device
        taken.append(perf_counter() - begun)
    return 2 * one.nbytes / min(taken)
