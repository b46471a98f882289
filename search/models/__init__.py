"""The nouns of search that are kept: saved searches and recent ones."""

from search.models.recent import RecentSearch, Unremembered
from search.models.saved import SavedSearch

__all__ = ["RecentSearch", "SavedSearch", "Unremembered"]
