"""Names of languages, as the reader of the page calls them."""

from babel import Locale
from django import template
from django.utils.translation import get_language, to_locale
from django.utils.translation import gettext as _

register = template.Library()


@register.filter
def language_name(code: str) -> str:
    """`de` is "German" to an English reader and “德语” to a Chinese one; a language not identified says so."""
    if code in ("", "und"):
        return _("Unknown language")
    reader = Locale.parse(to_locale(get_language() or "en"))
    return str(reader.languages.get(code, code))


@register.filter
def language_tag(code: str) -> str:
    """For the attribute `lang`: empty, which means unknown, where the language was not identified."""
    return "" if code == "und" else code
