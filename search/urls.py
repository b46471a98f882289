"""Addresses of the search page, of the searches that are kept, and of citations."""

from django.urls import path

from search import saved_views, views

urlpatterns = [
    path("", views.search, name="search"),
    path("again/", views.again, name="search_again"),
    path("passages/<uuid:passage_id>/citation/", views.citation, name="citation"),
    path("searches/", saved_views.searches, name="searches"),
    path("searches/<uuid:search_id>/delete/", saved_views.delete, name="search_delete"),
    path("searches/forget/", saved_views.forget, name="searches_forget"),
    path("searches/remember/", saved_views.remember, name="searches_remember"),
]
