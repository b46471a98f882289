"""Rows that the console shows and nobody changes there, and rows that are deleted with all that hangs on them."""

from typing import Any

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
