"""Addresses of the REST API of search."""

from django.urls import path

from search import api

urlpatterns = [
    path("search/", api.SearchView.as_view(), name="api-search"),
    path("collections/<uuid:pk>/comparison/", api.ComparisonView.as_view(), name="api-comparison"),
    path("passages/<uuid:passage_id>/", api.PassageView.as_view(), name="api-passage"),
]
