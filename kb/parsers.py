"""JSON as programs send it: nested so far and no further."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import parsers
from rest_framework.exceptions import ParseError

DEPTH = 64
"""Lists and objects within each other. Python gives up at some 1,000, wherever in the code that happens to be."""


class JSONParser(parsers.JSONParser):
    """The parser of the API. What is nested too deeply is a 400 with a sentence, as is all else that is no JSON."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        try:
            found = super().parse(stream, media_type, parser_context)
        except RecursionError:
            deep = True
        else:
            deep = is_too_deep(found)
        if deep:
            raise ParseError(_("The JSON is nested more than %(levels)s levels deep.") % {"levels": DEPTH})
        return found


def is_too_deep(value: Any) -> bool:
    """Whether lists and objects stand within each other more than DEPTH times."""
    level = [value]
    for _level in range(DEPTH):
        level = [inner for outer in level for inner in _inside(outer)]
    return any(isinstance(one, dict | list) for one in level)


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
