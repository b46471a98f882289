"""The search page: a question, and the passages that answer it."""

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import redis
from django.contrib.auth.decorators import login_required
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_GET

from embeddings import queries
from kb.models import Chunk, Collection, Document, Revision, User
from kb.models.document import UNFINISHED
from kb.views import access
from search import (
    addresses,
    citations,
    facets,
    golden,
    highlights,
    log,
    quotations,
    reranking,
    retrieval,
    scope,
    syntax,
    unknown,
)
from search import comparison as comparing
from search.addresses import Address
from search.hits import MODES, Answer, BadQuery, Citation
from search.models import RecentSearch, SavedSearch
from search.templatetags.passages import cited

PATIENCE = 4.0
"""Seconds that the page waits for the sentences of a few passages: they come after the hits, nobody waits for them."""

RECENT = 6
"""Recent searches under the empty box; all of them stand on a page of their own."""


@login_required
@require_GET
def search(request: HttpRequest) -> HttpResponse:
    """Everything asked stands in the address, so an answer can be shared with whoever may see it too."""
    address = addresses.of(request.GET)
    if address.text and address.page == 1:
        RecentSearch.objects.remember(access.person(request), address.asked)
    page = _page(request, address)
    if getattr(request, "htmx", False):
        page["HX-Push-Url"] = str(address)
    return page


@login_required
@require_GET
def again(request: HttpRequest) -> HttpResponse:
    """The same search once the encoder is back; until then nothing (204), and the page leaves all as it is."""
    address = addresses.of(request.GET)
    if not _encoder_is_back(access.person(request), address):
        return HttpResponse(status=204)
    return _page(request, address)


@login_required
@require_GET
def sentences(request: HttpRequest) -> HttpResponse:
    """The sentences that answer, in passages that the page shows already: by passage, ranges of its characters."""
    text = addresses.of(request.GET).text
    shown = [known for value in request.GET.getlist("passage")[: addresses.PAGE_SIZE] if (known := _id(value))]
    found = highlights.answering(access.person(request), text, shown, timeout=PATIENCE) if text and shown else {}
    return JsonResponse({str(passage): ranges for passage, ranges in found.items()})


def _id(value: str) -> UUID | None:
    return UUID(value) if scope.is_uuid(value) else None


@login_required
@require_GET
def citation(request: HttpRequest, passage_id: UUID) -> HttpResponse:
    """The citation of a passage, written out to be copied."""
    try:
        chunk = citations.find(access.person(request), passage_id)
    except Chunk.DoesNotExist as error:
        raise Http404 from error
    found = citations.of(chunk)
    label = cited(found)
    written = quotations.of(found, label, request.build_absolute_uri(found.url))
    return render(request, "search/citation.html", {"citation": found, "label": label, "written": written})


def _page(request: HttpRequest, address: Address) -> HttpResponse:
    person = access.person(request)
    answer, refusal = _answer(person, address)
    offered = facets.of(person, address)
    context: dict[str, Any] = {
        "address": address,
        "answer": answer,
        "verdicts": golden.verdicts(person, answer) if answer else None,
        "refusal": refusal,
        "notices": unknown.named_in(address.query(), person),
        "like": _like(person, address),
        "pages": _pages(address, answer),
        "facets": offered,
        "chips": facets.chips(address, offered),
        "modes": [(mode, facets.MODES[mode]) for mode in MODES],
        "orders": facets.ORDERS.items() if reranking.may_read(replace(address.query(), rerank=None)) else (),
        "again": f"{reverse('search_again')}?{address.asked_on_page}",
        "longest": addresses.LONGEST,
        "saved_as": SavedSearch.objects.filter(user=person, asked=address.asked).first(),
    }
    if not answer or not answer.hits:
        context["stock"] = _stock(person)
        asked = syntax.parse(address.text)
        context["has_quotes"] = not asked.excluded and any(" " in phrase for phrase in asked.phrases)
    if not answer and not refusal:
        context["saved"] = SavedSearch.objects.filter(user=person)
        context["recent"] = [addresses.kept(one.asked) for one in RecentSearch.objects.of(person)[:RECENT]]
    response = render(request, "search/search.html", context)
    if answer:
        log.after(response, person, answer)
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
    except queries.EncoderAway as why:
        context["away"] = str(why)
    return render(request, "collections/comparison.html", context)


def _answer(person: User, address: Address) -> tuple[Answer | None, str]:
    """The answer, or why there is none."""
    if not address.text and not address.like:
        return None, ""
    try:
        return retrieval.search(person, address.query()), ""
    except BadQuery as refusal:
        return None, str(refusal)


def _like(person: User, address: Address) -> Citation | None:
    """The passage that others are to be like."""
    try:
        return citations.of(citations.find(person, UUID(address.like))) if address.like else None
    except Chunk.DoesNotExist:
        return None


@dataclass(frozen=True)
class _Pages:
    """The addresses of the pages before and after this one, where there are any."""

    previous: Address | None
    next: Address | None


def _pages(address: Address, answer: Answer | None) -> _Pages:
    number = address.page
    more = answer is not None and answer.has_more and number < addresses.LAST_PAGE
    if answer and answer.not_reranked:
        address = address.as_found()  # the pages of one answer stand in one order
    return _Pages(address.on_page(number - 1) if number > 1 else None, address.on_page(number + 1) if more else None)


@dataclass(frozen=True)
class _Stock:
    """What there is to search: collections, documents, those of them that are searchable; files still being read."""

    collections: bool
    documents: int
    searchable: int
    unfinished: int


def _stock(person: User) -> _Stock:
    documents = Document.objects.visible_to(person)
    counted = documents.aggregate(documents=Count("pk"), searchable=Count("live_revision"))
    unfinished = Revision.objects.visible_to(person).filter(state__in=UNFINISHED)
    return _Stock(Collection.objects.visible_to(person).exists(), **counted, unfinished=unfinished.count())


def _encoder_is_back(person: User, address: Address) -> bool:
    """Whether every space that this search asks is served just now."""
    inside = scope.collections(person, address.query()).order_by()
    try:
        return all(
            queries.is_answering(space_id) for space_id in inside.values_list("active_space", flat=True).distinct()
        )
    except redis.RedisError:
        return False
