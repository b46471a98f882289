"""How good retrieval is: questions whose answers are known, and the field's measures of a ranking.

Recall@k, reciprocal rank and nDCG@k are as in Manning, Raghavan and Schütze, "Introduction to Information Retrieval",
chapter 8; here each question has at least one relevant document and relevance is yes or no.
"""

import json
import math
import random
from collections.abc import Iterable, Sequence
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
    """One ranking: which language the question and the answer are in, and at which ranks (from 1) relevant documents
    stand among the first ten. `relevant` is the number there are."""

    query_language: str
    document_language: str
    ranks: tuple[int, ...]
    relevant: int = 1


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
    """The share of relevant documents among the first k, of those that could be there."""
    return sum(rank <= k for rank in judged.ranks) / min(k, judged.relevant)


def reciprocal_rank(judged: Judged) -> float:
    """One over the rank of the first relevant document; 0 when none is among the first ten."""
    return 1 / min(judged.ranks) if judged.ranks else 0.0


def ndcg(judged: Judged, k: int = 10) -> float:
    """Normalised discounted cumulative gain with binary relevance."""
    ideal = sum(1 / math.log2(1 + rank) for rank in range(1, min(k, judged.relevant) + 1))
    return sum(1 / math.log2(1 + rank) for rank in judged.ranks if rank <= k) / ideal


def summary(judged: Sequence[Judged]) -> dict[str, float]:
    """The means of all measures."""
    return {
        "queries": len(judged),
        "recall@1": round(fmean(recall(one, 1) for one in judged), 4),
        "recall@5": round(fmean(recall(one, 5) for one in judged), 4),
        "recall@10": round(fmean(recall(one, 10) for one in judged), 4),
        "ndcg@10": round(fmean(ndcg(one) for one in judged), 4),
        "mrr": round(fmean(reciprocal_rank(one) for one in judged), 4),
    }


def by_pair(judged: Sequence[Judged]) -> dict[str, dict[str, float]]:
    """The measures for each language of the question and of the answer: `en>zh` is asked in English."""
    pairs = sorted({(one.query_language, one.document_language) for one in judged})
    return {
        f"{asked}>{written}": summary(
            [j for j in judged if (j.query_language, j.document_language) == (asked, written)]
        )
        for asked, written in pairs
    }
