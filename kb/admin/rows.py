"""Rows that the console shows and nobody changes there, rows that are deleted with all that hangs on them, and rows
that not everybody may see or write, with the filters by what is seen of them."""

from typing import Any

from django.contrib import admin
from django.db.models import Field, Model, QuerySet
from django.http import HttpRequest


class ReadOnly:
    """Rows that only the ingestion writes: the console shows them."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class Whole:
    """Rows that are deleted with all that tells of them; nobody is asked for a permission to delete that."""

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        rows = list(objs)
        allowed = all(self.has_delete_permission(request, one) for one in rows)  # type: ignore[attr-defined]
        missing = set() if allowed else {str(self.opts.verbose_name)}  # type: ignore[attr-defined]
        return [str(one) for one in rows], {str(self.opts.verbose_name_plural): len(rows)}, missing, []  # type: ignore[attr-defined]


class Visible:
    """Rows that tell what documents say: a person with permission on the model is shown those of the collections they
    may see, as everywhere. Superusers see all, and are spared the joins."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)  # type: ignore[misc]
        return rows if request.user.is_superuser else rows.visible_to(request.user)  # type: ignore[attr-defined]


class Writable(Visible):
    """Rows that are changed and deleted by who may add to their collection, as on its page and by the API: the
    permission on the model is not enough."""

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and self._may_write(request, obj)  # type: ignore[misc]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and self._may_write(request, obj)  # type: ignore[misc]

    def _may_write(self, request: HttpRequest, row: Any) -> bool:
        rows = self.model._default_manager  # type: ignore[attr-defined]
        return row is None or rows.writable_by(request.user).filter(pk=row.pk).exists()


class ShownValues(admin.AllValuesFieldListFilter):
    """A filter by a field of related rows, which offers the values of those that the person is shown: Django's own
    offers the values of all, and so tells what there is in hidden ones."""

    def __init__(
        self,
        field: "Field[Any, Any]",
        request: HttpRequest,
        params: dict[str, Any],
        model: type[Model],
        model_admin: "admin.ModelAdmin[Any]",
        field_path: str,
    ) -> None:
        super().__init__(field, request, params, model, model_admin, field_path)
        related = model_admin.get_queryset(request).filter(**{self.lookup_kwarg_isnull: False})
        self.lookup_choices = related.order_by(field_path).distinct().values_list(field_path, flat=True)
