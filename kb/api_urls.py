"""Addresses of the REST API of collections and documents."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from kb import api, api_spaces

router = SimpleRouter(use_regex_path=False)
router.register("collections", api.CollectionViewSet, basename="api-collection")
router.register("documents", api.DocumentViewSet, basename="api-document")

router.register("spaces", api_spaces.SpaceViewSet, basename="api-space")

urlpatterns = [
    *router.urls,
    path("collections/<uuid:pk>/reembed/", api_spaces.ReembedView.as_view(), name="api-reembed"),
    path("collections/<uuid:pk>/reembed/<slug:act>/", api_spaces.ReembedActionView.as_view(), name="api-reembed-act"),
]
