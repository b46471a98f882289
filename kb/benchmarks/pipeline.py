"""From chunks in the table to embeddings in the table, as a share of the bare encoder."""

from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from embeddings import devices, queries, serving, spaces
from kb import ingestion
from kb.benchmarks import goals, rounds, scratch, texts
from kb.benchmarks.rounds import Seconds
from kb.models import Embedding, EmbeddingWork

GOALS = {"cpu": 0.90, "cuda": 0.95}
"""The part of the bare encoder's speed that is to be left."""


class Occupied(Exception):
    """Another process embeds, or there is work for it: both would be measured with ours."""


@dataclass(frozen=True)
class Result:
    device: str
    chunks: int
    tokens: int
    seconds: Seconds

    @property
    def of_bare(self) -> float:
        """The part of the bare encoder's speed that is left."""
        return rounds.times_as_fast(self.seconds, "pipeline", "bare")

    def figures(self) -> dict[str, Any]:
        """All of them, as JSON takes them."""
        return asdict(self) | {"of_bare": self.of_bare, "goals": {"of_bare": GOALS[self.device]}}

    def lines(self) -> list[str]:
        """What is printed."""
        rows = [f"  {name:8} {self.tokens / median(taken):10.0f} tokens/s" for name, taken in self.seconds.items()]
        return [
            f"{self.chunks} chunks, {self.tokens} tokens",
            *rows,
            f"The whole pipeline has {goals.at_least(self.of_bare, GOALS[self.device])} of the bare encoder's speed.",
        ]


def measure(*, count: int, least: int, most: int, runs: int = 3) -> Result:
    """Embed the same chunks through the table, and the same texts by the encoder alone, in turn. Raises Occupied."""
    server, space = serving.server(), spaces.current()
    if queries.is_answering(space.pk) or EmbeddingWork.objects.filter(space=space).exists():
        raise Occupied(
            "Stop `manage.py up` and the embed workers, and let nothing wait for them: they would be measured."
        )
    passages = texts.mixed(count, spaces.tokenizer(), least=least, most=most)
    tokens = spaces.tokenizer().count(passages)
    seconds: dict[str, list[float]] = {"pipeline": [], "bare": []}
    server.encode_passages(passages[:8])
    for number in range(runs):
        with scratch.queued(passages, tokens, space) as revision:
            contenders = {
                "pipeline": lambda: ingestion.embed_while(lambda: True),
                "bare": lambda: server.encode_passages(passages),
            }
            order = list(contenders)[:: 1 if number % 2 else -1]
            for name, taken in rounds.run({name: contenders[name] for name in order}, 1).items():
                seconds[name] += taken
            if Embedding.objects.filter(revision=revision).count() != len(passages):
                raise Occupied("Not every chunk was embedded here: another process took some, or its encoder failed.")
    return Result(devices.default_device(), len(passages), sum(tokens), seconds)
