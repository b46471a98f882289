"""`manage.py evaluate`: how good retrieval is: of a collection, by its golden queries; or of a dataset, through the
product's own ingestion and search, in scratch collections."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any
from uuid import UUID

import numpy as np
from django.core.files.base import ContentFile
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import track
from rich.table import Table

from embeddings import queries, reranking, serving, spaces
from kb import ingestion
from kb.models import Collection, Document, User
from search import evaluation, query_classes, retrieval, runs, scope
from search.evaluation import Dataset, Judged, Paragraph, Question
from search.hits import MODES, Mode, Query
from search.models import RunState
from search.query_classes import Exact

POOLS = ("pairs", "each", "parallel")

LOADING_SECONDS = 600
"""So long a large reranker takes to load, at most."""

_WIDTH = 200
"""Characters of a table, at most: it takes what it needs, whatever the terminal."""

_HEADINGS = {
    "recall@1": "r@1",
    "recall@5": "r@5",
    "recall@10": "r@10",
    "ndcg@10": "nDCG@10",
    "mrr": "MRR",
    "map": "mAP",
}
"""Of the measures, so short that the table has room in 80 characters."""


class Command(BaseCommand):
    help = "Measure recall@1/5/10, nDCG@10, MRR and mAP by language of query and document."

    def add_arguments(self, parser: Any) -> None:
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--dataset", nargs=2, metavar=("xquad", "DIR"))
        what.add_argument("--collection", metavar="SLUG", help="Measure a collection by its golden queries.")
        parser.add_argument("--user", help="Ask as this person; as the collection's owner, if left out.")
        parser.add_argument("--space", help="Of the collection: the id of another space than the one served.")
        parser.add_argument("--languages", default="en,zh")
        parser.add_argument("--pool", choices=POOLS, default="pairs")
        parser.add_argument("--modes", default="semantic,hybrid", help="Of semantic, hybrid and lexical.")
        parser.add_argument("--questions", type=int, default=300, help="Questions of each language.")
        parser.add_argument(
            "--classes", action="store_true", help="By class of query, of each so many: languages, codes, names."
        )
        parser.add_argument("--rerank", action="store_true", help="In the order of the reranker; of a dataset, both.")
        parser.add_argument("--exact", action="store_true", help="Also search exactly in memory, with bare passages.")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["classes"]:
            self._compare_classes(options)
            return
        if options["collection"]:
            result = _of_collection(options)
            measured = {options["collection"]: result["figures"]}
        else:
            measured = _of_dataset(options)
            result = {"pool": options["pool"], "results": measured}
        if options["json"]:
            self.stdout.write(json.dumps(result, indent=2))
            return
        for way, figures in measured.items():
            _print(way, {**figures["pairs"], "all": figures["all"]})

    def _compare_classes(self, options: dict[str, Any]) -> None:
        """nDCG@10 of each way of searching in each class of query, and what hybrid is of semantic."""
        if not options["dataset"]:
            raise CommandError("Classes of query are made from a dataset.")
        measured = _by_class(_dataset(options), count=options["questions"])
        if options["json"]:
            self.stdout.write(json.dumps({"results": measured}, indent=2))
            return
        table = Table("class", "queries", *MODES, "hybrid / semantic", title="nDCG@10")
        for kind, found in measured.items():
            table.add_row(kind, *(f"{value:g}" for value in found.values()))
        _console().print(table)


def _of_collection(options: dict[str, Any]) -> dict[str, Any]:
    """A run over a collection, kept with the others of it."""
    collection = Collection.objects.select_related("owner", "active_space").filter(slug=options["collection"]).first()
    if collection is None:
        raise CommandError("There is no such collection.")
    user = User.objects.filter(username=options["user"]).first() if options["user"] else collection.owner
    if user is None or (options["space"] and not scope.is_uuid(options["space"])):
        raise CommandError("There is no such person." if user is None else "A space is named by its id.")
    try:
        space_id = UUID(options["space"]) if options["space"] else None
        run = runs.finish(runs.start(user, collection, space_id=space_id, reranked=options["rerank"]))
    except (runs.Unmeasurable, queries.EncoderAway) as why:
        raise CommandError(str(why)) from why
    if run.state == RunState.FAILED:
        raise CommandError(run.detail)
    about = {
        "collection": collection.slug,
        "run": str(run.pk),
        "space": run.space_name,
        "reranker": run.reranker,
        "settings": run.settings,
    }
    return about | {"queries": run.queries, "unmeasured": run.unmeasured, "figures": run.figures}


def _of_dataset(options: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """A dataset in scratch collections, by each way of searching."""
    if options["rerank"] and not reranking.is_configured():
        raise CommandError("There is no reranker here: RERANKER_MODEL or RERANKER_URL names one.")
    modes = _modes(options["modes"])
    dataset = evaluation.sample(_dataset(options), options["questions"])
    ways = [_Way(mode, reranked) for mode in modes for reranked in ((False, True) if options["rerank"] else (False,))]
    with _Bench(reranks=options["rerank"]) as bench:
        judged = _measure(bench, dataset, options["pool"], ways, exact=options["exact"])
    return {
        way: {"all": evaluation.summary(found), "pairs": evaluation.by_pair(found)} for way, found in judged.items()
    }


def _modes(given: str) -> list[Mode]:
    named = given.split(",")
    for name in named:
        if name not in MODES:
            raise CommandError(f"There is no mode {name!r}; there are {', '.join(MODES)}.")
    return [mode for mode in MODES if mode in named]


def _dataset(options: dict[str, Any]) -> Dataset:
    name, folder = options["dataset"]
    if name != "xquad":
        raise CommandError("The only dataset known is xquad.")
    if options["questions"] < 1:
        raise CommandError("Ask one question of each language at least.")
    try:
        return evaluation.load_xquad(Path(folder), options["languages"].split(","))
    except FileNotFoundError as error:
        raise CommandError(f"{error.filename} is not there.") from error


def _by_class(dataset: Dataset, *, count: int) -> dict[str, dict[str, float]]:
    """Every way of searching in every class of query that there are some of; each paragraph in one of the
    languages."""
    paragraphs, codes = query_classes.with_codes(evaluation.one_language_each(dataset.paragraphs), count=2 * count)
    asked = query_classes.of(paragraphs, dataset.questions, codes, count=count)
    measured = {}
    with _Bench(reranks=False) as bench:
        collection = bench.load(paragraphs)
        for kind in dict.fromkeys(one.kind for one in asked):
            wanted = [one for one in asked if one.kind == kind]
            means: dict[str, float] = {
                mode: fmean(bench.gain(collection, paragraphs, one, _Way(mode)) for one in wanted) for mode in MODES
            }
            if means["semantic"]:
                means["hybrid / semantic"] = means["hybrid"] / means["semantic"]
            measured[kind] = {"queries": len(wanted), **{name: round(mean, 4) for name, mean in means.items()}}
    return measured


def _measure(
    bench: "_Bench", dataset: Dataset, pool: str, ways: Sequence["_Way"], *, exact: bool
) -> dict[str, list[Judged]]:
    judged: dict[str, list[Judged]] = {}
    for paragraphs in _pools(dataset.paragraphs, pool):
        collection = bench.load(paragraphs)
        for way in ways:
            judged.setdefault(str(way), []).extend(bench.ask(collection, paragraphs, dataset.questions, way))
        if exact:
            judged.setdefault("exact in memory", []).extend(_ask_exactly(paragraphs, dataset.questions))
    return judged


def _pools(paragraphs: list[Paragraph], pool: str) -> list[list[Paragraph]]:
    """What is searched together."""
    if pool == "parallel":
        return [paragraphs]
    if pool == "each":
        return [evaluation.one_language_each(paragraphs)]
    languages = dict.fromkeys(paragraph.language for paragraph in paragraphs)
    return [[p for p in paragraphs if p.language == language] for language in languages]


@dataclass(frozen=True)
class _Way:
    """A way of searching."""

    mode: Mode
    reranked: bool = False

    def __str__(self) -> str:
        return f"{self.mode}, reranked" if self.reranked else self.mode


class _Bench:
    """A person of its own with scratch collections, all gone at the end; the work is done in this process, beside
    whatever workers are running."""

    def __init__(self, *, reranks: bool) -> None:
        self._reranks = reranks

    def __enter__(self) -> "_Bench":
        self.user = User.objects.create(username=f"evaluation-{time.time_ns()}", is_active=True)
        self._answering = serving.Answering()
        serving.server()
        if self._reranks:
            self._reranking = reranking.Answering()
            if not self._reranking.is_ready(LOADING_SECONDS):
                raise CommandError("The reranker was not loaded: the log says why.")
        return self

    def __exit__(self, *exception: object) -> None:
        for collection in Collection.objects.filter(owner=self.user):
            ingestion.remove_collection(collection)
        self.user.delete()
        if self._reranks:
            self._reranking.stop()
        self._answering.stop()

    def load(self, paragraphs: Sequence[Paragraph]) -> Collection:
        """A collection with one Markdown file a paragraph, ready."""
        collection = Collection.objects.create(name=self.user.username, owner=self.user, active_space=spaces.current())
        for paragraph in track(paragraphs, "Receiving", console=Console(stderr=True)):
            file = ContentFile(paragraph.text.encode(), f"{_title(paragraph)}.md")
            ingestion.receive(collection, file, f"{_title(paragraph)}.md", user=self.user)
        documents = Document.objects.filter(collection=collection)
        while ingestion.read_next() or ingestion.embed_next() or documents.unfinished().exists():
            pass
        failed = documents.failed().count()
        if failed:
            raise CommandError(f"{failed} paragraphs are not ready.")
        ingestion.refresh_means(collection)
        return collection

    def ask(
        self, collection: Collection, paragraphs: Sequence[Paragraph], questions: Sequence[Question], way: "_Way"
    ) -> list[Judged]:
        """Each question, judged by the documents its hits are of."""
        titles = {_title(paragraph): paragraph for paragraph in paragraphs}
        judged = []
        for question in track(questions, f"Asking, {way}", console=Console(stderr=True)):
            found = self._find(collection, question.text, way)
            judged.append(_judge(question, [titles[title] for title in found], paragraphs))
        return judged

    def gain(self, collection: Collection, paragraphs: Sequence[Paragraph], one: Exact, way: "_Way") -> float:
        """The nDCG@10 of a query of a class."""
        keys = {_title(paragraph): paragraph.key for paragraph in paragraphs}
        gains = tuple(int(keys[title] in one.answers) for title in self._find(collection, one.text, way))
        return evaluation.ndcg(Judged(one.language, "all", gains, (1,) * len(one.answers)))

    def _find(self, collection: Collection, text: str, way: "_Way") -> list[str]:
        """The titles of the documents found, in their order."""
        only = (str(collection.pk),)
        query = Query(text, only, limit=runs.DEPTH, mode=way.mode, rerank=way.reranked)
        answer = retrieval.search(self.user, query, patience=reranking.LONGEST_SECONDS)
        if answer.degraded or answer.not_reranked:
            raise CommandError(answer.degraded or answer.not_reranked)
        return list(dict.fromkeys(hit.citation.document_title for hit in answer.hits))


def _ask_exactly(paragraphs: Sequence[Paragraph], questions: Sequence[Question]) -> list[Judged]:
    """The same ranking by the encoder alone: whole paragraphs, every one compared, nothing stored."""
    encoder = serving.server().encoder
    passages = encoder.encode_passages([paragraph.text for paragraph in paragraphs])
    asked = encoder.encode_queries([question.text for question in questions])
    order = np.argsort(-(asked @ passages.T), axis=1, kind="stable")[:, : runs.DEPTH]
    return [
        _judge(question, [paragraphs[i] for i in best], paragraphs)
        for question, best in zip(questions, order, strict=True)
    ]


def _judge(question: Question, found: Sequence[Paragraph], pool: Sequence[Paragraph]) -> Judged:
    relevant = [paragraph for paragraph in pool if paragraph.key == question.answer]
    gains = tuple(int(one.key == question.answer) for one in found)
    written = relevant[0].language if len(relevant) == 1 else "all"
    return Judged(question.language, written, gains, (1,) * len(relevant))


def _title(paragraph: Paragraph) -> str:
    return f"{paragraph.language}-{paragraph.key:04}"


def _print(way: str, measured: dict[str, dict[str, float]]) -> None:
    table = Table(title=f"{way}: asked>written")
    for heading in ("languages", "queries", *_HEADINGS.values()):
        table.add_column(heading, justify="right")
    for pair, values in measured.items():
        table.add_row(pair, *(f"{values[column]:g}" for column in ("queries", *_HEADINGS)))
    _console().print(table)


def _console() -> Console:
    """Wide enough for whole headings: a narrow terminal breaks lines, and words would be cut for it."""
    return Console(width=_WIDTH)
