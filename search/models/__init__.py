"""The nouns of search that are kept: golden queries, runs that measure with them, and the log of what was asked."""

from search.models.golden import GoldenQuery, Judgement
from search.models.log import SearchLogEntry
from search.models.run import EvaluationRun, Outcome, RunState

__all__ = ["EvaluationRun", "GoldenQuery", "Judgement", "Outcome", "RunState", "SearchLogEntry"]
