"""The Django application `search`."""

from django.apps import AppConfig


class SearchConfig(AppConfig):
    name = "search"

    def ready(self) -> None:
        from search.benchmarks import indexes, measure  # they name models, which are there only now

        measure.register()
        indexes.register()
