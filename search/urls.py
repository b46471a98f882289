"""Addresses of the search page, of the searches that are kept, of citations, and of golden queries."""

from django.urls import URLPattern, URLResolver, include, path, register_converter

from kb.urls import Slug
from search import golden_views, saved_views, views

register_converter(Slug, "collection_slug")

_of_query = [
    path("", golden_views.detail, name="golden_query"),
    path("delete/", golden_views.delete, name="golden_query_delete"),
    path("judgements/<int:judgement_id>/", golden_views.grade, name="judgement_grade"),
    path("judgements/<int:judgement_id>/remove/", golden_views.remove, name="judgement_remove"),
]
_of_collection: list[URLPattern | URLResolver] = [
    path("", golden_views.index, name="golden"),
    path("import/", golden_views.bring_in, name="golden_import"),
    path("export/<slug:form>/", golden_views.write_out, name="golden_export"),
    path("evaluate/", golden_views.evaluate, name="golden_evaluate"),
    path("<uuid:query_id>/", include(_of_query)),
]
urlpatterns = [
    path("", views.search, name="search"),
    path("again/", views.again, name="search_again"),
    path("sentences/", views.sentences, name="search_sentences"),
    path("passages/<uuid:passage_id>/citation/", views.citation, name="citation"),
    path("searches/", saved_views.searches, name="searches"),
    path("searches/<uuid:search_id>/delete/", saved_views.delete, name="search_delete"),
    path("searches/forget/", saved_views.forget, name="searches_forget"),
    path("searches/remember/", saved_views.remember, name="searches_remember"),
    path("verdict/", golden_views.judge, name="verdict"),
    path("collections/<collection_slug:slug>/comparison/", views.comparison, name="comparison"),
    path("collections/<collection_slug:slug>/golden/", include(_of_collection)),
]
