"""Addresses of the search page."""

from django.urls import path

from search import views

urlpatterns = [
    path("", views.search, name="search"),
    path("collections/<str:slug>/comparison/", views.comparison, name="comparison"),
]
