"""The REST API of search: one question, cited passages; and each citation by itself, for good."""

from typing import Any, cast
from uuid import UUID

from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from embeddings.queries import EncoderAway
from kb.models import Chunk, Collection, Reembedding, User
from kb.throttling import Throttle
from search import citations, comparison, highlights, log, retrieval, unknown
from search.hits import BadQuery
from search.serializers import (
    AnswerSerializer,
    ComparisonSerializer,
    HighlightsQuerySerializer,
    PassageSerializer,
    QuerySerializer,
    SentencesSerializer,
    answer_json,
    citation_json,
    sentences_json,
)

_LISTS = ("collections", "documents", "languages", "tags", "media_types")


class SearchView(APIView):
    """Passages that answer a query, across languages, from the collections that the caller may see."""

    write_scope = "read"  # a search changes nothing: a token that may read may post it

    def get_throttles(self) -> list[BaseThrottle]:
        return [Throttle("search")]

    @extend_schema(request=QuerySerializer, responses=AnswerSerializer)
    def post(self, request: Request) -> Response:
        return self._answer(request, request.data)

    @extend_schema(operation_id="search_by_address", parameters=[QuerySerializer], responses=AnswerSerializer)
    def get(self, request: Request) -> Response:
        """The same with parameters in the address: `q`, or `query`, and the other fields of the POST body."""
        given: dict[str, Any] = request.query_params.dict()
        for name in _LISTS:
            if name in given:
                given[name] = request.query_params.getlist(name)
        if "q" in given:
            if "query" in given:
                raise serializers.ValidationError({"q": [_("Send q or query, not both.")]})
            given["query"] = given.pop("q")
        return self._answer(request, given)

    def _answer(self, request: Request, given: Any) -> Response:
        asked = QuerySerializer(data=given)
        asked.is_valid(raise_exception=True)
        query = asked.to_query()
        try:
            answer = retrieval.search(request.user, query)
        except BadQuery as error:
            raise serializers.ValidationError({error.about: [str(error)]}) from error
        body = answer_json(answer, unknown.named_in(query, request.user))
        if asked.validated_data["highlights"] == "sentences":
            passages = [hit.citation.id for hit in answer.hits]
            found = sentences_json(highlights.answering(request.user, answer.query.text, passages))
            for hit in body["hits"]:
                hit["sentences"] = found.get(hit["citation"]["id"], [])
        response = Response(body)
        log.after(response, request.user, answer)
        return response


class HighlightsView(APIView):
    """The sentences that answer, in passages that were found before: for a page that shows its hits at once."""

    write_scope = "read"  # as a search

    def get_throttles(self) -> list[BaseThrottle]:
        return [Throttle("search")]

    @extend_schema(request=HighlightsQuerySerializer, responses=SentencesSerializer)
    def post(self, request: Request) -> Response:
        asked = HighlightsQuerySerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        given = asked.validated_data
        found = highlights.answering(request.user, given["query"], given["passages"])
        return Response({"sentences": sentences_json(found)})


class PassageView(APIView):
    """One citation, permanent: it stays right after the document has a newer revision, and says so
    and where the same words stand in that one."""

    @extend_schema(responses=PassageSerializer)
    def get(self, request: Request, passage_id: UUID) -> Response:
        try:
            chunk = citations.find(request.user, passage_id)
        except Chunk.DoesNotExist as error:
            raise Http404 from error
        newer = citations.newer(chunk)
        body = {"text": chunk.text, "language": chunk.language, "citation": citation_json(citations.of(chunk))}
        return Response({**body, "superseded": newer is not None, "newer": newer})


class ComparisonView(APIView):
    """The two spaces of a collection that is being re-embedded, side by side: by its golden queries, which a worker
    asks (ask again until both runs are done), or where it has none by questions taken from it. Managers only."""

    def get_throttles(self) -> list[BaseThrottle]:
        return [Throttle("preview")]

    @extend_schema(responses=ComparisonSerializer)
    def get(self, request: Request, pk: UUID) -> Response:
        managed = Collection.objects.managed_by(request.user)
        found = Reembedding.objects.open().filter(collection__in=managed, collection=pk)
        one = get_object_or_404(found.select_related("collection", "source", "target"))
        measured = comparison.golden(cast(User, request.user), one)
        try:
            compared = None if measured else comparison.compare(request.user, one)
        except EncoderAway as why:
            raise Unserved(str(why)) from why
        return Response(ComparisonSerializer({"golden": measured, "sample": compared}).data)


class Unserved(APIException):
    """A space for which nobody answers just now."""

    status_code = 503
