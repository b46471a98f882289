"""What people call the kinds of files and the reasons for which one failed."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from kb.reading import syntaxes
from kb.reading.failures import Reason

_KINDS: dict[str, str | Promise] = {
    "application/pdf": "PDF",
    "text/markdown": "Markdown",
    "text/html": "HTML",
    "text/plain": _("Text"),
    "text/csv": "CSV",
    "text/tab-separated-values": "TSV",
    **{syntax.media_type: syntax.title for syntax in syntaxes.SYNTAXES},
}

_REASONS: dict[Reason, str | Promise] = {
    Reason.TOO_LARGE: _("The file is too large"),
    Reason.UNSUPPORTED_TYPE: _("This kind of file cannot be read"),
    Reason.TYPE_MISMATCH: _("The file is not what its name says"),
    Reason.TOO_MANY_PAGES: _("The file has too many pages"),
    Reason.TIMEOUT: _("Reading took too long"),
    Reason.OUT_OF_MEMORY: _("Reading took too much memory"),
    Reason.OUTPUT_TOO_LARGE: _("Too much came out of the file"),
    Reason.ZIP_BOMB: _("The file unpacks to too much"),
    Reason.MALFORMED: _("The file is damaged"),
    Reason.TOO_MUCH_TEXT: _("The file has too much text"),
    Reason.NO_TEXT: _("There is no text in the file"),
    Reason.ENCRYPTED: _("The file is locked with a password"),
    Reason.STORAGE_FULL: _("The server has no room left"),
    Reason.READER_CRASHED: _("Reading broke off"),
    Reason.FILE_MISSING: _("The stored file is gone"),
    Reason.ENCODER_FAILED: _("The text could not be embedded"),
    Reason.ENCODER_OUT_OF_MEMORY: _("Embedding took too much memory"),
    Reason.INTERNAL: _("Something went wrong on the server"),
}


def kind(media_type: str) -> str | Promise:
    """A media type in a word: `PDF`."""
    return _KINDS.get(media_type, "Word")


def reason_name(reason: str) -> str | Promise:
    """Why a revision failed, in the reader's language; what exactly happened stands in its `detail`."""
    return _REASONS[Reason(reason)] if reason else ""
