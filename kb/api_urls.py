"""Addresses of the REST API of collections and documents."""

from rest_framework.routers import SimpleRouter

from kb import api

router = SimpleRouter(use_regex_path=False)
router.register("collections", api.CollectionViewSet, basename="api-collection")
router.register("documents", api.DocumentViewSet, basename="api-document")

urlpatterns = router.urls
