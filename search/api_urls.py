"""Addresses of the REST API of search."""

from django.urls import path

from search import api

urlpatterns = [
    path("search/highlights/", api.HighlightsView.as_view(), name="api-highlights"),
    path("search/", api.SearchView.as_view(), name="api-search"),
    path("passages/<uuid:passage_id>/", api.PassageView.as_view(), name="api-passage"),
]
