"""Fields of what programs send, beside the forms of what people fill in."""

from typing import Any

from rest_framework import serializers

from search.forms import LanguageField


class CodeField(serializers.CharField):
    """The code of a language, without its region."""

    def to_internal_value(self, data: Any) -> str:
        written = LanguageField().to_python(super().to_internal_value(data))
        for check in LanguageField.default_validators:
            check(written)
        return written
