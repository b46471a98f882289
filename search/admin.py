"""The console of search: golden queries, evaluation runs over time, and what was asked."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db import transaction
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from kb.admin import ReadOnly, Visible, Writable
from kb.models import Collection
from search import charts, golden
from search.models import EvaluationRun, GoldenQuery, Judgement, RunState, SearchLogEntry

CHARTS = 6
"""Charts that the list of runs shows: of what was measured last."""

_CHARTED = 200
"""Runs that are looked through for them."""


_VISIBLE_COLLECTIONS = ("collection", admin.RelatedOnlyFieldListFilter)
"""A filter by the collections of the rows that are shown: the names of others are for nobody to read here."""


class JudgementInline(ReadOnly, admin.TabularInline[Judgement, GoldenQuery]):
    model = Judgement
    fields = ("document", "revision", "start", "end", "grade")
    readonly_fields = fields
    extra = 0


@admin.register(GoldenQuery)
class GoldenQueryAdmin(Writable, admin.ModelAdmin[GoldenQuery]):
    list_display = ("text_column", "collection", "language", "judgements_column", "created_by", "created_at")
    list_filter = ("language", _VISIBLE_COLLECTIONS)
    list_select_related = ("collection", "created_by")
    search_fields = ("text", "note")
    date_hierarchy = "created_at"
    fields = ("text", "language", "note", "collection", "created_by", "created_at")
    readonly_fields = ("text", "collection", "created_by", "created_at")
    inlines = (JudgementInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[GoldenQuery]:
        visible: QuerySet[GoldenQuery] = super().get_queryset(request)
        counted = visible.annotate(judgement_count=Count("judgements"))
        return counted.order_by(*self.get_ordering(request) or ("-created_at", "-id"))

    @admin.display(description=_("query"), ordering="text")
    def text_column(self, query: GoldenQuery) -> str:
        return str(query)

    @admin.display(description=_("judgements"), ordering="judgement_count")
    def judgements_column(self, query: GoldenQuery) -> int:
        return int(query.judgement_count)  # type: ignore[attr-defined]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """They are made from the search page, or imported on their collection's page."""
        return False

    def save_model(self, request: HttpRequest, obj: GoldenQuery, form: Any, change: bool) -> None:
        golden.hold(obj.collection)
        super().save_model(request, obj, form, change)

    def delete_model(self, request: HttpRequest, obj: GoldenQuery) -> None:
        golden.hold(obj.collection)
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[GoldenQuery]) -> None:
        with transaction.atomic():
            for collection in Collection.objects.filter(golden_queries__in=queryset).distinct().order_by("pk"):
                golden.hold(collection)
            super().delete_queryset(request, queryset)


@admin.register(EvaluationRun)
class EvaluationRunAdmin(Visible, ReadOnly, admin.ModelAdmin[EvaluationRun]):
    list_display = (
        "created_at", "collection", "space_name", "reranker", "state", "queries", "recall_column", "ndcg_column",
        "mrr_column",
    )  # fmt: skip
    list_filter = ("state", _VISIBLE_COLLECTIONS, "space_name", "reranker")
    list_select_related = ("collection",)
    date_hierarchy = "created_at"
    exclude = ("figures", "lease_token", "lease_expires_at", "next_attempt_at", "attempts")
    readonly_fields = ("measures",)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """With charts of the collections that the filter shows."""
        answer = super().changelist_view(request, extra_context)
        shown = getattr(answer, "context_data", None) or {}
        if "cl" in shown:
            shown["charts"] = _charts(shown["cl"].queryset)
        return answer

    @admin.display(description=_("figures"))
    def measures(self, run: EvaluationRun) -> SafeString:
        return render_to_string("golden/figures.html", {"figures": run.figures})

    @admin.display(description="recall@10", ordering="figures__all__recall@10")
    def recall_column(self, run: EvaluationRun) -> float | None:
        return _measure(run, "recall@10")

    @admin.display(description="nDCG@10", ordering="figures__all__ndcg@10")
    def ndcg_column(self, run: EvaluationRun) -> float | None:
        return _measure(run, "ndcg@10")

    @admin.display(description="MRR", ordering="figures__all__mrr")
    def mrr_column(self, run: EvaluationRun) -> float | None:
        return _measure(run, "mrr")


class AnsweredFilter(admin.SimpleListFilter):
    """Searches by how good their answer was."""

    title = _("answer")
    parameter_name = "answer"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("none", _("Nothing was found")), ("low", _("Only loosely related"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "none":
            return queryset.without_hits()  # type: ignore[attr-defined, no-any-return]
        return queryset.with_low_score() if self.value() == "low" else queryset  # type: ignore[attr-defined]


@admin.register(SearchLogEntry)
class SearchLogAdmin(Visible, ReadOnly, admin.ModelAdmin[SearchLogEntry]):
    list_display = ("at", "text_column", "user", "mode", "hits", "best_score", "took_ms", "degraded_column")
    list_filter = (AnsweredFilter, "mode", "degraded", "at")
    list_select_related = ("user",)
    search_fields = ("text", "user__username")
    date_hierarchy = "at"
    fields = (
        "at", "text", "user", "collections_column", "mode", "offset", "hits", "best_score", "took_ms", "timings_ms",
        "degraded_column",
    )  # fmt: skip
    readonly_fields = ("collections_column", "degraded_column")
    show_full_result_count = False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Says why the column of queries is empty where the settings keep none."""
        return super().changelist_view(request, {"keeps_texts": settings.SEARCH_LOG_TEXT, **(extra_context or {})})

    @admin.display(description=_("degraded"), ordering="degraded")
    def degraded_column(self, entry: SearchLogEntry) -> str:
        """In words: the sign of a "no" looks like a failure."""
        return gettext("degraded") if entry.degraded else ""

    @admin.display(description=_("collections"))
    def collections_column(self, entry: SearchLogEntry) -> SafeString:
        """By their names; by their ids where they are gone."""
        names = dict(Collection.objects.filter(pk__in=entry.collections).values_list("pk", "name"))
        return format_html_join(", ", "<bdi>{}</bdi>", ([names.get(pk, pk)] for pk in entry.collections))

    @admin.display(description=_("query"))
    def text_column(self, entry: SearchLogEntry) -> str:
        return entry.text[:80]


def _measure(run: EvaluationRun, name: str) -> float | None:
    value: float | None = run.figures.get("all", {}).get(name)
    return value


def _charts(runs: QuerySet[EvaluationRun]) -> list[tuple[str, charts.Chart]]:
    """A chart for each way of which a collection has more than one run among the newest of these."""
    done = runs.filter(state=RunState.DONE).select_related("collection").order_by("-created_at", "-id")[:_CHARTED]
    by_way: dict[object, list[EvaluationRun]] = {}
    for run in done:
        by_way.setdefault((run.collection_id, run.way), []).insert(0, run)
    drawn = ((str(found[0].collection), charts.of(found)) for found in by_way.values())
    return [(name, chart) for name, chart in drawn if chart][:CHARTS]
