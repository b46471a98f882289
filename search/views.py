"""The search page: a question, and the passages that answer it."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from embeddings.queries import EncoderAway
from kb.models import Collection, LanguageMean
from kb.reading import text
from kb.views import access
from search import comparison as comparing
from search import golden, log, retrieval
from search.hits import MODES, Query

PAGE_SIZE = 10

LAST_PAGE = 20
"""The two searches bring 200 candidates each: the order of what stands beyond would be arbitrary."""

LONGEST = 4_000
"""Characters of a query, as in the API."""

_MODE_NAMES = {
    "hybrid": _("Meaning and words"),
    "semantic": _("Meaning only"),
    "lexical": _("Words only"),
}


@login_required
@require_GET
def search(request: HttpRequest) -> HttpResponse:
    """Everything asked stands in the address, so an answer can be shared with whoever may see it too."""
    page = _page(request)
    query = _query(request, page)
    collections = Collection.objects.visible_to(request.user)
    answer = retrieval.search(request.user, query) if query.text else None
    context = {
        "query": query,
        "answer": answer,
        "verdicts": golden.verdicts(request.user, answer) if answer else None,
        "pages": _Pages(request, page),
        "collections": collections,
        "languages": _languages(collections, query),
        "modes": [(mode, _MODE_NAMES[mode]) for mode in MODES],
    }
    response = render(request, "search/search.html", context)
    if answer:
        log.after(response, request.user, answer)
    return response


@login_required
@require_GET
def comparison(request: HttpRequest, slug: str) -> HttpResponse:
    """The two spaces of a collection on its way, side by side."""
    collection = access.managed_collection(request, slug)
    one = get_object_or_404(collection.reembeddings.open().select_related("collection", "source", "target"))
    context: dict[str, Any] = {"reembedding": one, "runs": comparing.golden(access.person(request), one)}
    try:
        context["comparison"] = None if context["runs"] else comparing.compare(request.user, one)
    except EncoderAway as why:
        context["away"] = str(why)
    return render(request, "collections/comparison.html", context)


@dataclass(frozen=True)
class _Pages:
    """The addresses of the pages before and after this one."""

    request: HttpRequest
    number: int

    @property
    def previous(self) -> str:
        return self._address(self.number - 1) if self.number > 1 else ""

    @property
    def next(self) -> str:
        return self._address(self.number + 1) if self.number < LAST_PAGE else ""

    def _address(self, number: int) -> str:
        asked = self.request.GET.copy()
        asked["page"] = str(number)
        return f"?{asked.urlencode()}"


def _query(request: HttpRequest, page: int) -> Query:
    asked = request.GET
    return Query(
        text.clean(asked.get("q", "")).strip()[:LONGEST],
        collections=_listed(asked, "collection"),
        languages=_listed(asked, "language"),
        limit=PAGE_SIZE,
        offset=(page - 1) * PAGE_SIZE,
        mode=next((mode for mode in MODES if mode == asked.get("mode")), "hybrid"),
    )


def _listed(asked: QueryDict, name: str) -> tuple[str, ...]:
    return tuple(cleaned for value in asked.getlist(name)[:100] if (cleaned := text.one_line(value)))


def _page(request: HttpRequest) -> int:
    given = request.GET.get("page", "")
    return min(max(int(given), 1), LAST_PAGE) if given.isascii() and given.isdigit() and len(given) < 4 else 1


def _languages(collections: QuerySet[Collection], query: Query) -> list[str]:
    """The languages there are passages in, and the ones asked for. The means are one row a language: a small table."""
    known = LanguageMean.objects.filter(collection__in=collections).values_list("language", flat=True)
    return sorted({*known.distinct(), *query.languages})
