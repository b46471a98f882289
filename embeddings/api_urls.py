"""Addresses of OpenAI's embeddings API, but for the one call of which the wiring says how often it may be made and how
what it is sent is read."""

from django.urls import path

from embeddings import api

urlpatterns = [
    path("models", api.ModelsView.as_view(), name="v1-models"),
    path("models/<path:name>", api.ModelView.as_view(), name="v1-model"),
    path("<path:rest>", api.NoSuchCall.as_view(), name="v1-no-such-call"),
]
