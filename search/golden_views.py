"""Pages of golden queries: the ones of a collection, how well its search does by them, and one click on a hit."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db import transaction
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from embeddings import reranking
from kb import sentences, uploads
from kb.models import Chunk, Collection
from kb.reading.failures import Unreadable
from kb.views import access, returning
from search import charts, citations, exchange, formats, golden, judging, runs
from search.addresses import FOUND
from search.forms import GoldenQueryForm, GradeForm, VerdictForm
from search.models import EvaluationRun, GoldenQuery, Judgement, RunState
from search.models.golden import Grade

PAGE_SIZE = 50

RUNS = 30
"""Runs that the chart and the table below it show: the newest."""


@login_required
@require_GET
def index(request: HttpRequest, slug: str) -> HttpResponse:
    """The golden queries of a collection, and its evaluation runs, which look again while one is under way."""
    return _render_index(request, access.collection(request, slug))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def detail(request: HttpRequest, slug: str, query_id: UUID) -> HttpResponse:
    """One golden query with its judgements, to be changed by whoever may."""
    if request.method == "POST":
        return _change(request, slug, query_id)
    query = _query(request, slug, query_id)
    return _render_detail(request, query, GoldenQueryForm(instance=query))


@login_required
@require_POST
def delete(request: HttpRequest, slug: str, query_id: UUID) -> HttpResponse:
    """Delete a golden query with its judgements."""
    with _held(request, slug, query_id) as query:
        query.delete()
    messages.success(request, _("The golden query is deleted."))
    return returning.to(reverse("golden", args=[slug]))


@login_required
@require_POST
def grade(request: HttpRequest, slug: str, query_id: UUID, judgement_id: int) -> HttpResponse:
    """Give a judgement another grade."""
    with _held(request, slug, query_id) as query:
        form = GradeForm(request.POST, instance=get_object_or_404(query.judgements, pk=judgement_id))
        if form.is_valid():
            form.save()
            messages.success(request, _("The grade is changed."))
    return returning.to(query.get_absolute_url())


@login_required
@require_POST
def remove(request: HttpRequest, slug: str, query_id: UUID, judgement_id: int) -> HttpResponse:
    """Take a judgement away."""
    with _held(request, slug, query_id) as query:
        get_object_or_404(query.judgements, pk=judgement_id).delete()
    messages.success(request, _("The judgement is taken away."))
    return returning.to(query.get_absolute_url())


@login_required
@require_POST
def bring_in(request: HttpRequest, slug: str) -> HttpResponse:
    """Import a file of golden queries: all of it, or nothing and why."""
    collection = access.writable_collection(request, slug)
    try:
        files = list(uploads.uploaded(request))
        imported = exchange.receive(access.person(request), collection, files[0]) if files else None
    except Unreadable as refused:
        messages.error(request, sentences.said(str(refused.detail)))
        return returning.to(reverse("golden", args=[slug]))
    except exchange.Mistaken as mistaken:
        return _render_index(request, collection, mistaken=mistaken)
    if imported is None:
        messages.warning(request, _("Choose a file first."))
        return returning.to(reverse("golden", args=[slug]))
    told = ngettext("%(n)s golden query is imported.", "%(n)s golden queries are imported.", imported.queries)
    messages.success(request, told % {"n": imported.queries})
    return returning.to(reverse("golden", args=[slug]))


@login_required
@require_GET
def write_out(request: HttpRequest, slug: str, form: str) -> FileResponse:
    """The golden queries of a collection as a file."""
    collection = access.collection(request, slug)
    if form not in formats.FORMATS:
        raise Http404
    return exchange.download(collection, formats.FORMATS[form])


@login_required
@require_POST
def evaluate(request: HttpRequest, slug: str) -> HttpResponse:
    """Measure the collection by its golden queries."""
    collection = access.writable_collection(request, slug)
    try:
        runs.start(access.person(request), collection, reranked=_is_reranked(request))
    except runs.Unmeasurable as why:
        messages.warning(request, str(why))
    return returning.to(f"{reverse('golden', args=[slug])}#runs")


def _is_reranked(request: HttpRequest) -> bool:
    """As people search, unless the other order was asked for."""
    return reranking.is_configured() and request.POST.get("order") != FOUND


@login_required
@require_POST
def judge(request: HttpRequest) -> HttpResponse:
    """What a person says of a hit: kept as a golden query of the hit's collection."""
    form = VerdictForm(request.POST)
    if not form.is_valid():
        raise Http404
    asked, given = form.cleaned_data["q"], form.cleaned_data["grade"]
    chunk = _writable_chunk(request, form.cleaned_data["passage"])
    if given == "":
        golden.withdraw(chunk, asked)
    else:
        golden.judge(access.person(request), chunk, asked, given)
    if request.headers.get("HX-Request"):
        context = {"asked": asked, "passage": chunk.pk, "verdict": None if given == "" else given}
        return render(request, "golden/verdict.html", context)
    return returning.after(request, reverse("search"))


def _writable_chunk(request: HttpRequest, passage: UUID) -> Chunk:
    try:
        chunk = citations.find(request.user, passage)
    except Chunk.DoesNotExist as error:
        raise Http404 from error
    access.writable_collection(request, chunk.revision.document.collection.slug)
    return chunk


def _query(request: HttpRequest, slug: str, query_id: UUID) -> GoldenQuery:
    visible = GoldenQuery.objects.visible_to(request.user).select_related("collection", "created_by")
    return get_object_or_404(visible, pk=query_id, collection__slug=slug)


@contextmanager
def _held(request: HttpRequest, slug: str, query_id: UUID) -> Iterator[GoldenQuery]:
    """A golden query, when this person may change it; nobody else does meanwhile. Raises Http404, PermissionDenied."""
    with transaction.atomic():
        golden.hold(access.writable_collection(request, slug))
        yield _query(request, slug, query_id)


def _change(request: HttpRequest, slug: str, query_id: UUID) -> HttpResponse:
    with _held(request, slug, query_id) as query:
        form = GoldenQueryForm(request.POST, instance=query)
        if form.is_valid():
            form.save()
            messages.success(request, _("The golden query is saved."))
            return returning.to(query.get_absolute_url())
    return _render_detail(request, _query(request, slug, query_id), form)  # the form has changed its own


def _render_detail(request: HttpRequest, query: GoldenQuery, form: GoldenQueryForm) -> HttpResponse:
    judgements = query.judgements.select_related("document", "revision")
    context = {
        "query": query,
        "form": form,
        "judgements": [(one, _address(one)) for one in judgements],
        "changes": judging.changes(query),
        "grades": Grade.choices,
        "may_write": access.may_write(request, query.collection),
    }
    return render(request, "golden/detail.html", context)


def _address(judgement: Judgement) -> str:
    """Where what was judged can be read."""
    if judgement.revision is None:
        return judgement.document.get_absolute_url()
    return citations.address(judgement.document_id, judgement.revision.number, judgement.start or 0, judgement.end or 0)


def _render_index(
    request: HttpRequest, collection: Collection, *, mistaken: exchange.Mistaken | None = None
) -> HttpResponse:
    queries = GoldenQuery.objects.filter(collection=collection).prefetch_related("judgements__document")
    all_runs = EvaluationRun.objects.filter(collection=collection).select_related("started_by")
    shown = list(all_runs[:RUNS])
    done = [run for run in reversed(shown) if run.state == RunState.DONE]
    alike = [run for run in done if run.way == done[-1].way]
    context = {
        "collection": collection,
        "page": Paginator(queries, PAGE_SIZE).get_page(request.GET.get("page")),
        "runs": shown,
        "under_way": any(run.unfinished for run in shown),
        "chart": charts.of(alike),
        "latest": done[-1] if done else None,
        "has_reranker": reranking.is_configured(),
        "comparison": runs.between(*alike[-2:]) if len(alike) > 1 else None,
        "formats": [(name, one.title) for name, one in formats.FORMATS.items()],
        "mistaken": mistaken,
        "may_write": access.may_write(request, collection),
    }
    return render(request, "golden/index.html", context)
