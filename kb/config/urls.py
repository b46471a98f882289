"""Every address of the site."""

from functools import partial

from csp.constants import UNSAFE_INLINE
from csp.decorators import csp_update
from django.contrib import admin
from django.contrib.auth import views as auth_views
from django.urls import include, path
from django.views.i18n import set_language
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from embeddings.api import EmbeddingsView
from kb import health
from kb.parsers import JSONParser
from kb.throttling import Throttle

# Swagger UI sets style attributes; nothing that people wrote is shown on its page.
docs = csp_update({"style-src": [UNSAFE_INLINE]})(SpectacularSwaggerSplitView.as_view(url_name="schema"))

# The encoder's package knows nothing of people.
embeddings = EmbeddingsView.as_view(throttle_classes=[partial(Throttle, "embeddings")], parser_classes=[JSONParser])

urlpatterns = [
    path("", include("search.urls")),
    path("", include("kb.urls")),
    path("api/v1/", include("kb.api_urls")),
    path("api/v1/", include("search.api_urls")),
    path("api/v1/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/v1/docs/", docs, name="docs"),
    path("v1/embeddings", embeddings, name="v1-embeddings"),
    path("v1/", include("embeddings.api_urls")),
    path("sign-in/", auth_views.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("sign-out/", auth_views.LogoutView.as_view(), name="logout"),
    path("language/", set_language, name="set_language"),
    path("console/", admin.site.urls),
    path("healthz", health.alive),
    path("readyz", health.ready),
]

handler400 = "kb.problems.bad_request"
handler404 = "kb.problems.not_found"
handler500 = "kb.problems.server_error"
