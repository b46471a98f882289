"""The second look of one search: a reranker reads the first candidates together with the query, in a time box."""

import logging
import time
from collections.abc import Mapping, Sequence
from uuid import UUID

from django.conf import settings
from django.utils.translation import gettext as _

from embeddings import reranking
from embeddings.reranker import QueryTooLong
from kb import context
from search import syntax
from search.hits import Query
from search.passages import Passage

log = logging.getLogger(__name__)


def may_read(query: Query) -> bool:
    """Whether a reranker has a say in this query: by default wherever there is one and meaning counts. A passage in
    place of words cannot be asked with."""
    if query.like is not None or not reranking.is_configured():
        return False
    return query.mode != "lexical" if query.rerank is None else query.rerank


class Reranking:
    """What a reranker says of the candidates of one query. Reads each passage once, however often it is asked."""

    def __init__(self, query: Query, *, seconds: float | None = None) -> None:
        """`seconds` is the time box, by default the configured one."""
        self.why_not = ""
        """Why the order is not the reranker's although it was to be."""
        self.is_away = False
        """Whether it may be soon."""
        self.seconds = 0.0
        """Spent so far."""
        self._text = syntax.parse(query.text).wanted
        self._box = settings.RERANKER_TIMEOUT_MS / 1000 if seconds is None else seconds
        self._known: dict[UUID, float] = {}
        self.depth = settings.RERANKER_CANDIDATES if self._text and may_read(query) else 0
        """So many candidates are read."""
        if self.depth and query.after and not query.after.reranked:
            self._give_up(_("The page before was not reranked, and this one goes on in its order."))

    def chances(self, passages: Sequence[Passage]) -> Mapping[UUID, float]:
        """The chance that each of these answers; empty where that is not known in time."""
        unknown = [one for one in passages if one.id not in self._known]
        if unknown and self.depth:
            started = time.monotonic()
            self._ask(unknown)
            self.seconds += time.monotonic() - started
        return {one.id: self._known[one.id] for one in passages} if self.depth else {}

    def _ask(self, passages: Sequence[Passage]) -> None:
        texts = [context.encoded_text(one.context, one.text) for one in passages]
        instructions = [one.instruction for one in passages]
        try:
            found = reranking.rerank(
                self._text, texts, instructions=instructions, seconds=max(0.0, self._box - self.seconds)
            )
        except QueryTooLong:
            self._give_up(_("The query is too long for the reranker; the passages stand as the search found them."))
        except reranking.RerankerLate:
            self.is_away = True
            self._give_up(_("The reranker did not answer in time; the passages stand as the search found them."))
        except reranking.RerankerAway as why:
            log.warning("Not reranked: %s", why)
            self.is_away = True
            self._give_up(_("The reranker is not available just now; the passages stand as the search found them."))
        else:
            self._known |= {one.id: float(chance) for one, chance in zip(passages, found, strict=True)}

    def _give_up(self, why: str) -> None:
        self.depth, self.why_not = 0, why
