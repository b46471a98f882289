"""Evaluation runs: a collection measured by its golden queries, with the product's own search.

Whoever starts a run, its queries are asked with what that person may see. What is due stands in rows and is claimed by
one committed UPDATE with a lease; each query's outcome is a row of its own, so a worker that is killed costs one query.
"""

import logging
import math
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from embeddings import queries, reranking
from embeddings.models import Space
from kb import bell
from kb.models import Collection, Embedding, User
from search import evaluation, judging, retrieval
from search.evaluation import Judged
from search.hits import BadQuery, Query
from search.judging import Target
from search.models import EvaluationRun, GoldenQuery, Judgement, Outcome, RunState
from search.models.run import ATTEMPTS

log = logging.getLogger(__name__)

DEPTH = 100
"""Hits of a ranking that are judged: as many as the API gives at once."""

SLICE_SECONDS = 15
"""So long a worker goes on with one run before it looks at what else is due: files wait for it too."""

PAUSE_SECONDS = 30
"""So long a run waits before it is tried again."""

PATIENCE = timedelta(hours=1)
"""So long a run waits for an encoder that does not answer."""

_AWAY = gettext_noop("Search by meaning is not available just now; the run goes on when it is.")
_NEVER_CAME = gettext_noop("Search by meaning was not available for an hour.")
_UNRANKED = gettext_noop("The reranker is not available just now; the run goes on when it is.")
_NEVER_RANKED = gettext_noop("The reranker was not available for an hour.")
_NOBODY = gettext_noop("Whoever started this run may no longer see the collection.")
_SPACE_GONE = gettext_noop("The space that this run was to measure is gone.")
_RERANKER_GONE = gettext_noop("The reranker that this run was to measure is gone.")
_NOTHING = gettext_noop("No golden query has an answer that is searchable.")
_STOPPED = gettext_noop("The worker was stopped each time it took up this run.")

_SETTINGS = (
    "instruction_domain", "own_instruction", "balance_languages", "chunk_target", "chunk_maximum", "chunk_overlap",
)  # fmt: skip


class Unmeasurable(ValueError):
    """There is nothing to measure, or nothing to measure it with; the message says what."""


class LeaseLost(Exception):
    """Someone else has the run now, or it was deleted."""


@dataclass(frozen=True)
class Comparison:
    """Two runs query by query: in how many the second ranks better, alike, or worse (nDCG@10). `chance` is how
    probable a split at least as uneven is where neither is better (sign test). Only where both measured the
    `same_queries` do their figures compare."""

    first: EvaluationRun
    second: EvaluationRun
    better: int
    alike: int
    worse: int
    chance: float
    same_queries: bool

    @property
    def shared(self) -> int:
        """Golden queries that both measured."""
        return self.better + self.alike + self.worse


def start(
    user: User, collection: Collection, *, space_id: uuid.UUID | None = None, reranked: bool = False
) -> EvaluationRun:
    """A run that measures a collection in a space, by default the one it is served from, in the order of the reranker
    or as found: the one that is already under way, or a new one. Raises Unmeasurable."""
    if reranked and not reranking.is_configured():
        raise Unmeasurable(_("There is no reranker here: RERANKER_MODEL or RERANKER_URL names one."))
    space = collection.active_space if space_id is None else _space_of(collection, space_id)
    judgements = Judgement.objects.filter(golden_query__collection=collection, grade__gt=0)
    if not judgements.exists():
        raise Unmeasurable(_("No golden query of this collection says what answers it yet."))
    with transaction.atomic():
        run, new = EvaluationRun.objects.unfinished().get_or_create(
            collection=collection,
            space=space,
            reranker=reranking.name() if reranked else "",
            defaults={"space_name": space.name, "settings": _settings_of(collection, space), "started_by": user},
        )
        if new:
            transaction.on_commit(ring)
    return run


def ring() -> None:
    """Tell a worker to look for a run that is due."""
    bell.ring("read", task="search.tasks.evaluate")


def measure_next() -> bool:
    """Claim the run whose turn it is and measure a slice of it. False when none was due."""
    return _measure_slice(None)


def finish(run: EvaluationRun) -> EvaluationRun:
    """The run at its end, measured in this process unless a worker is at it. Raises queries.EncoderAway."""
    while True:
        run.refresh_from_db()
        if not run.unfinished:
            return run
        if run.detail:
            raise queries.EncoderAway(_(run.detail))
        if not _measure_slice(run.pk):
            time.sleep(0.2)


def between(first: EvaluationRun, second: EvaluationRun) -> Comparison:
    """Two runs that are done, by the queries that both measured."""
    before, after = _by_query(first), _by_query(second)
    gained = [round(after[query] - before[query], 9) for query in before.keys() & after.keys()]
    better, worse = sum(one > 0 for one in gained), sum(one < 0 for one in gained)
    return Comparison(
        first,
        second,
        better,
        len(gained) - better - worse,
        worse,
        _sign_test(better, worse),
        # What was deleted since is missing from both; the number that was measured tells of it.
        same_queries=before.keys() == after.keys() and first.queries == second.queries,
    )


def sweep() -> None:
    """Bring to an end what was taken up too often, and ring for what is due."""
    EvaluationRun.objects.due().filter(attempts__gte=ATTEMPTS).update(**_failed(_STOPPED))
    if EvaluationRun.objects.due().exists():
        ring()


# --- What is measured ---


def _space_of(collection: Collection, space_id: uuid.UUID) -> Space:
    """A space in which passages of the collection have embeddings."""
    embedded = Embedding.objects.filter(collection=collection, space=space_id)
    space = Space.objects.filter(pk=space_id).first()
    if space is None or not embedded.exists():
        raise Unmeasurable(_("This collection has no embeddings in that space."))
    return space


def _settings_of(collection: Collection, space: Space) -> dict[str, Any]:
    of_queries = {
        "instruction": collection.instruction,
        "query_fingerprint": space.query_fingerprint(collection.instruction),
    }
    return {name: getattr(collection, name) for name in _SETTINGS} | of_queries | {"mode": "hybrid", "depth": DEPTH}


def _by_query(run: EvaluationRun) -> dict[uuid.UUID, float]:
    rows = _measured(run.outcomes.values_list("golden_query", "language", "judged"))
    return {query: evaluation.ndcg(_judged(language, whole)) for query, language, (whole, *_parts) in rows}


def _measured(rows: Any) -> list[Any]:
    return [row for row in rows if row[-1]]


def _sign_test(better: int, worse: int) -> float:
    """Dixon and Mood, JASA 41, 1946."""
    total = better + worse
    tail = sum(math.comb(total, fewer) for fewer in range(min(better, worse) + 1))
    return float(min(1.0, 2 * tail / 2**total))


# --- A slice of a run ---


@dataclass(frozen=True)
class _Lease:
    """A run in our hands. Whatever is written of it is written under the lease's token or not at all."""

    run: EvaluationRun
    token: uuid.UUID

    def note(self, query: GoldenQuery, judged: Sequence[Judged]) -> None:
        """Keep the outcome of a query, and the lease for some time more. Raises LeaseLost."""
        with transaction.atomic():
            # Getting on is what counts: three workers may die on the way, but not at one query.
            self._write(lease_expires_at=Now() + timedelta(seconds=settings.LEASE_SECONDS), attempts=0)
            written = [{"language": j.document_language, "gains": j.gains, "ideal": j.ideal} for j in judged]
            Outcome.objects.create(run=self.run, golden_query=query, language=query.language, judged=written)

    def release(self, **columns: Any) -> None:
        """Give the run back, with what became of it. Raises LeaseLost."""
        self._write(**{"state": RunState.WAITING, "lease_token": None, "lease_expires_at": None, **columns})

    def _write(self, **columns: Any) -> None:
        if not EvaluationRun.objects.filter(pk=self.run.pk, lease_token=self.token).update(**columns):
            raise LeaseLost


def _measure_slice(run_id: uuid.UUID | None) -> bool:
    lease = _claim(run_id)
    if lease is None:
        return False
    try:
        _measure(lease)
    except queries.EncoderAway:
        _wait(lease, _AWAY, in_vain=_NEVER_CAME)
    except reranking.RerankerAway:
        _wait(lease, _UNRANKED, in_vain=_NEVER_RANKED)
    except (LeaseLost, IntegrityError) as gone:  # the run, its collection or the golden query were deleted meanwhile
        log.info("Run %s is not ours any more, or lost a query: %r.", lease.run.pk, gone)
    return True


def _claim(run_id: uuid.UUID | None) -> _Lease | None:
    token = uuid.uuid4()
    with connection.cursor() as cursor:
        asked = {"run": run_id, "token": token, "lease": settings.LEASE_SECONDS, "attempts": ATTEMPTS}
        cursor.execute(_CLAIM, asked)
        row = cursor.fetchone()
    if row is None:
        return None
    return _Lease(EvaluationRun.objects.select_related("collection", "started_by").get(pk=row[0]), token)


_CLAIM = """
WITH next AS (
  SELECT id FROM search_evaluationrun
  WHERE state IN ('waiting', 'running') AND attempts < %(attempts)s AND next_attempt_at <= statement_timestamp()
    AND (lease_expires_at IS NULL OR lease_expires_at < statement_timestamp())
    AND (%(run)s::uuid IS NULL OR id = %(run)s::uuid)
  ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED
)
UPDATE search_evaluationrun SET state = 'running', attempts = attempts + 1, detail = '',
  started_at = COALESCE(started_at, statement_timestamp()), lease_token = %(token)s,
  lease_expires_at = statement_timestamp() + make_interval(secs => %(lease)s)
WHERE id IN (SELECT id FROM next) RETURNING id
"""


def _measure(lease: _Lease) -> None:
    run, until = lease.run, time.monotonic() + SLICE_SECONDS
    user = run.started_by
    if user is None or not Collection.objects.visible_to(user).filter(pk=run.collection_id).exists():
        return lease.release(**_failed(_NOBODY))
    if run.space_id is None:
        return lease.release(**_failed(_SPACE_GONE))
    if run.reranker and run.reranker != reranking.name():
        return lease.release(**_failed(_RERANKER_GONE))
    done = run.outcomes.values("golden_query")
    for query in GoldenQuery.objects.filter(collection=run.collection).exclude(pk__in=done).order_by("pk"):
        if time.monotonic() > until:
            lease.release(attempts=0)
            return ring()
        lease.note(query, _ask(user, run, query, judging.targets(query)))
    return _conclude(lease)


def _ask(user: User, run: EvaluationRun, query: GoldenQuery, wanted: Sequence[Target]) -> list[Judged]:
    """Raises queries.EncoderAway or reranking.RerankerAway: figures of a search by words alone, or in another order,
    would say something else."""
    if not wanted:
        return []
    asked = Query(query.text, collections=(str(run.collection_id),), limit=DEPTH, rerank=bool(run.reranker))
    # What a reranker is worth is measured whatever the time box of searches; how long it takes, their log shows.
    try:
        answer = retrieval.search(user, asked, space_id=run.space_id, patience=settings.LEASE_SECONDS / 2)
    except BadQuery:
        return judging.judge(query, [], wanted)  # it asks for nothing
    if answer.degraded:
        raise queries.EncoderAway(answer.degraded)
    if answer.reranker_away:
        raise reranking.RerankerAway(answer.not_reranked)
    return judging.judge(query, answer.hits, wanted)


def _conclude(lease: _Lease) -> None:
    outcomes = list(lease.run.outcomes.values_list("language", "judged"))
    measured = _measured(outcomes)
    if not measured:
        return lease.release(**_failed(_NOTHING))
    wholes = [_judged(language, whole) for language, (whole, *_parts) in measured]
    parts = [_judged(language, part) for language, (_whole, *each) in measured for part in each]
    return lease.release(
        state=RunState.DONE,
        finished_at=Now(),
        figures={"all": evaluation.summary(wholes), "pairs": evaluation.by_pair(parts)},
        queries=len(wholes),
        unmeasured=len(outcomes) - len(wholes),
    )


def _judged(language: str, written: dict[str, Any]) -> Judged:
    return Judged(language, written["language"], tuple(written["gains"]), tuple(written["ideal"]))


def _wait(lease: _Lease, why: str, *, in_vain: str) -> None:
    """Nothing is wrong with the run: this does not count as an attempt."""
    if timezone.now() - lease.run.created_at > PATIENCE:
        return lease.release(**_failed(in_vain))
    return lease.release(attempts=0, detail=why, next_attempt_at=Now() + timedelta(seconds=PAUSE_SECONDS))


def _failed(why: str) -> dict[str, Any]:
    return {
        "state": RunState.FAILED,
        "detail": why,
        "finished_at": Now(),
        "lease_token": None,
        "lease_expires_at": None,
    }
