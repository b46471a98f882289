"""The Django application `search`."""

import gc

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

YOUNG_OBJECTS = 10_000
"""So many new objects before Python looks for those that hold only each other. A search makes some thousands that are
gone when it ends; at Python's 700 it was held up a dozen times (docs/decisions.md)."""


class SearchConfig(AppConfig):
    name = "search"
    verbose_name = _("Search")

    def ready(self) -> None:
        from search.benchmarks import indexes, measure  # they name models, which are there only now

        gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])
        measure.register()
        indexes.register()
