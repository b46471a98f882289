"""Addresses of the REST API of search, golden queries and evaluation runs."""

from django.urls import path

from search import api, golden_api

_of_collection = "collections/<uuid:collection_id>/"
_golden = golden_api.GoldenViewSet
_evaluation = golden_api.EvaluationViewSet

urlpatterns = [
    path("search/highlights/", api.HighlightsView.as_view(), name="api-highlights"),
    path("search/", api.SearchView.as_view(), name="api-search"),
    path("collections/<uuid:pk>/comparison/", api.ComparisonView.as_view(), name="api-comparison"),
    path("passages/<uuid:passage_id>/", api.PassageView.as_view(), name="api-passage"),
    path(
        f"{_of_collection}golden/",
        _golden.as_view({"get": "list", "post": "create"}),
        name="api-golden",
    ),
    path(
        f"{_of_collection}golden/import/",
        _golden.as_view({"post": "bring_in"}, **_golden.bring_in.kwargs),
        name="api-golden-import",
    ),
    path(
        f"{_of_collection}golden/export/",
        _golden.as_view({"get": "write_out"}, **_golden.write_out.kwargs),
        name="api-golden-export",
    ),
    path(
        f"{_of_collection}golden/<uuid:golden_id>/",
        _golden.as_view({"get": "retrieve", "delete": "destroy"}),
        name="api-golden-query",
    ),
    path(
        f"{_of_collection}evaluations/",
        _evaluation.as_view({"get": "list", "post": "create"}),
        name="api-evaluations",
    ),
    path(
        f"{_of_collection}evaluations/<uuid:run_id>/",
        _evaluation.as_view({"get": "retrieve"}),
        name="api-evaluation",
    ),
]
