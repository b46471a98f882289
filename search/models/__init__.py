"""The nouns of search that are kept: golden queries, runs that measure with them, the log of what was asked; searches
that people saved, and recent ones; means of their queries."""

from search.models.golden import GoldenQuery, Judgement
from search.models.log import SearchLogEntry
from search.models.query_mean import QueryMean
from search.models.recent import RecentSearch, Unremembered
from search.models.run import EvaluationRun, Outcome, RunState
from search.models.saved import SavedSearch

__all__ = [
    "EvaluationRun",
    "GoldenQuery",
    "Judgement",
    "Outcome",
    "QueryMean",
    "RecentSearch",
    "RunState",
    "SavedSearch",
    "SearchLogEntry",
    "Unremembered",
]
