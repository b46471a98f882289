"""How good retrieval is: questions whose answers are known, and the field's measures of a ranking.

Recall@k, reciprocal rank, average precision and nDCG@k are as in Manning, Raghavan and Schütze, "Introduction to
Information Retrieval", chapter 8, and as trec_eval computes them: the gain of an answer is its grade, each question has
at least one answer.
"""

import json
import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of the dataset in one language. `key` is the same in every language."""

    key: int
    language: str
    text: str


@dataclass(frozen=True)
class Question:
    """A question in one language and the key of the paragraph that answers it."""

    id: str
    language: str
    text: str
    answer: int


@dataclass(frozen=True)
class Dataset:
    paragraphs: list[Paragraph]
    questions: list[Question]


@dataclass(frozen=True)
class Judged:
    """One ranking: which language the question and the answers are in, the grade of what stands at each rank (0 where
    it is no answer), and the grades of all answers there are, the best first."""

    query_language: str
    document_language: str
    gains: tuple[int, ...]
    ideal: tuple[int, ...]


def load_xquad(folder: Path, languages: Sequence[str]) -> Dataset:
    """XQuAD (Artetxe, Ruder, Yogatama, ACL 2020): `xquad.LL.json` in SQuAD's format; the same paragraphs and
    questions in every language. Raises FileNotFoundError for a language that is not there."""
    paragraphs: list[Paragraph] = []
    questions: list[Question] = []
    for language in languages:
        data = json.loads((folder / f"xquad.{language}.json").read_text("utf-8"))["data"]
        contexts = [paragraph for article in data for paragraph in article["paragraphs"]]
        for key, context in enumerate(contexts):
            paragraphs.append(Paragraph(key, language, context["context"]))
            questions += [Question(qa["id"], language, qa["question"], key) for qa in context["qas"]]
    return Dataset(paragraphs, questions)


def sample(dataset: Dataset, count: int, *, seed: int = 0) -> Dataset:
    """The same `count` questions in every language; all of them when there are fewer."""
    ids = sorted({question.id for question in dataset.questions})
    kept = set(random.Random(seed).sample(ids, min(count, len(ids))))  # noqa: S311 - a sample, not a secret
    return Dataset(dataset.paragraphs, [question for question in dataset.questions if question.id in kept])


def one_language_each(paragraphs: Iterable[Paragraph], *, seed: int = 0) -> list[Paragraph]:
    """Each paragraph in one of its languages, chosen at random."""
    by_key: dict[int, list[Paragraph]] = {}
    for paragraph in paragraphs:
        by_key.setdefault(paragraph.key, []).append(paragraph)
    chooser = random.Random(seed)  # noqa: S311 - a sample, not a secret
    return [chooser.choice(by_key[key]) for key in sorted(by_key)]


def recall(judged: Judged, k: int) -> float:
    """The share of the answers that stand among the first k."""
    return sum(gain > 0 for gain in judged.gains[:k]) / len(judged.ideal)


def reciprocal_rank(judged: Judged) -> float:
    """One over the rank of the first answer; 0 when there is none."""
    return next((1 / rank for rank, gain in enumerate(judged.gains, start=1) if gain), 0.0)


def average_precision(judged: Judged) -> float:
    """The precision down to the rank of each answer, averaged over all answers; one that is not found counts 0."""
    ranks = [rank for rank, gain in enumerate(judged.gains, start=1) if gain]
    return sum(found / rank for found, rank in enumerate(ranks, start=1)) / len(judged.ideal)


def ndcg(judged: Judged, k: int = 10) -> float:
    """Normalised discounted cumulative gain (Järvelin and Kekäläinen, TOIS 20(4), 2002)."""
    return _discounted(judged.gains[:k]) / _discounted(judged.ideal[:k])


def _discounted(gains: Sequence[int]) -> float:
    return sum(gain / math.log2(1 + rank) for rank, gain in enumerate(gains, start=1))


MEASURES: dict[str, Callable[[Judged], float]] = {
    "recall@1": lambda judged: recall(judged, 1),
    "recall@5": lambda judged: recall(judged, 5),
    "recall@10": lambda judged: recall(judged, 10),
    "ndcg@10": ndcg,
    "mrr": reciprocal_rank,
    "map": average_precision,
}


def summary(judged: Sequence[Judged]) -> dict[str, float]:
    """The number of rankings and the means of all measures."""
    means = {name: round(fmean(map(measure, judged)), 4) for name, measure in MEASURES.items()}
    return {"queries": len(judged), **means}


def by_pair(judged: Sequence[Judged]) -> dict[str, dict[str, float]]:
    """The measures for each language of the question and of the answer: `en>zh` is asked in English."""
    pairs = sorted({(one.query_language, one.document_language) for one in judged})
    return {
        f"{asked}>{written}": summary(
            [j for j in judged if (j.query_language, j.document_language) == (asked, written)]
        )
        for asked, written in pairs
    }
