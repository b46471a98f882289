"""Lists of the API: pages by a cursor that stays right while rows come and go."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import DataError
from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination
from rest_framework.response import Response


class StablePagination(CursorPagination):
    """`{"results", "next", "previous"}`; with `?count=1` also `count`."""

    page_size = 50
    max_page_size = 200
    page_size_query_param = "limit"
    ordering = ("-created_at", "-id")

    def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> list[Any] | None:
        self._count = queryset.count() if request.query_params.get("count") == "1" else None
        try:
            return super().paginate_queryset(queryset, request, view)
        except (ValueError, TypeError, DataError, ValidationError) as error:
            raise NotFound from error

    def get_paginated_response(self, data: Any) -> Response:
        body = {"results": data, "next": self.get_next_link(), "previous": self.get_previous_link()}
        if self._count is not None:
            body["count"] = self._count
        return Response(body)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        count = {"name": "count", "required": False, "in": "query", "description": "Add `count`."}
        return [*super().get_schema_operation_parameters(view), {**count, "schema": {"type": "string", "enum": ["1"]}}]

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        answer = super().get_paginated_response_schema(schema)
        for link in ("next", "previous"):
            described = answer["properties"][link]
            described.pop("nullable")
            described["type"] = ["string", "null"]
        answer["properties"]["count"] = {"type": "integer", "description": "Only with `?count=1`."}
        return answer
