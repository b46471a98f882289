"""The catalogues of translations: what the source says, what that is in each language, and what is missing.

Babel reads and writes them, so that nobody needs the programs of GNU gettext.
"""

from collections.abc import Iterator
from io import SEEK_END, BytesIO
from pathlib import Path
from typing import Any

from babel.messages import Catalog, extract, mofile, pofile
from django.conf import settings
from django.utils.translation import template, to_locale

_CODE = ("kb", "embeddings", "search")
_KEYWORDS = {
    **extract.DEFAULT_KEYWORDS,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext_lazy": (1, 2),
    "pgettext_lazy": ((1, "c"), 2),
}
# Written here and not by Babel, which would add dates and addresses that nobody keeps.
_HEADER = """\
# Concordance in another language. `manage.py translations update` brings this file up to the source.
msgid ""
msgstr ""
"Language: {locale}\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: {plural_forms}\\n"

"""


def locales() -> list[str]:
    """Every locale that is translated to: the languages of the settings but the one the source is written in."""
    return [to_locale(code) for code, _name in settings.LANGUAGES if code != settings.LANGUAGE_CODE]


def update(locale: str) -> Catalog:
    """Bring a catalogue up to what the source says, keeping every translation that still has its message."""
    catalog = _load(locale)
    catalog.update(_source(), no_fuzzy_matching=True, update_creation_date=False)
    written = BytesIO(_HEADER.format(locale=locale, plural_forms=catalog.plural_forms).encode())
    written.seek(0, SEEK_END)
    # Without numbers of lines: a file that changes with every edit of the source makes reviews unreadable.
    pofile.write_po(
        written,
        catalog,
        width=110,
        omit_header=True,
        sort_by_file=True,
        include_lineno=False,
        ignore_obsolete=True,
    )
    _path(locale).parent.mkdir(parents=True, exist_ok=True)
    _path(locale).write_bytes(written.getvalue())
    return catalog


def compile_to_binary(locale: str) -> Path:
    """Write the file that Django reads, beside the catalogue. Returns it."""
    binary = _path(locale).with_suffix(".mo")
    written = BytesIO()
    mofile.write_mo(written, _load(locale))
    binary.write_bytes(written.getvalue())
    return binary


def missing(locale: str) -> list[str]:
    """What the source says and the catalogue lacks, leaves empty, or has only as a guess."""
    catalog = _load(locale)
    found = ((message, catalog.get(message.id, message.context)) for message in _source() if message.id)
    return [str(message.id) for message, known in found if known is None or known.fuzzy or not _filled(known.string)]


def _filled(translation: Any) -> bool:
    forms = translation if isinstance(translation, tuple | list) else (translation,)
    return all(forms) and bool(forms)


def _load(locale: str) -> Catalog:
    if not _path(locale).exists():
        return Catalog(locale=locale, project="Concordance", fuzzy=False)
    with _path(locale).open("rb") as file:
        return pofile.read_po(file, locale=locale)


def _path(locale: str) -> Path:
    return Path(settings.LOCALE_PATHS[0], locale, "LC_MESSAGES", "django.po")


def _source() -> Catalog:
    catalog = Catalog(project="Concordance", fuzzy=False)
    for file, code in _files():
        for line, message, _comments, context in extract.extract("python", BytesIO(code.encode()), _KEYWORDS):
            catalog.add(message, locations=[(file, line)], context=context)
    return catalog


def _files() -> Iterator[tuple[str, str]]:
    """Every source file that may hold words for people, by name, as Python."""
    root = Path(settings.BASE_DIR)
    for folder in _CODE:
        for path in sorted((root / folder).rglob("*.py")):
            yield path.relative_to(root).as_posix(), path.read_text("utf-8")
    for path in sorted((root / "templates").rglob("*.html")):
        yield path.relative_to(root).as_posix(), _as_python(path.read_text("utf-8"))


def _as_python(source: str) -> str:
    """A template as calls of gettext. Its indentation means nothing, and would be an error in Python."""
    return "\n".join(line.lstrip() for line in template.templatize(source).splitlines())
