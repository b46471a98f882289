"""What people call the kinds of files and the places in them, and what they can do about what was not read."""

from collections.abc import Sequence
from typing import Any

from django.contrib.humanize.templatetags.humanize import intcomma
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from embeddings.models import Storage
from kb.reading import sniffing, syntaxes
from kb.reading.failures import Reason

_KINDS: dict[str, str | Promise] = {
    sniffing.PDF: "PDF",
    sniffing.WORD: "Word",
    sniffing.POWERPOINT: "PowerPoint",
    sniffing.EXCEL: "Excel",
    sniffing.OPEN_TEXT: "OpenDocument",
    sniffing.OPEN_SHEETS: "OpenDocument",
    sniffing.OPEN_SLIDES: "OpenDocument",
    sniffing.EPUB: "EPUB",
    sniffing.MARKDOWN: "Markdown",
    sniffing.HTML: "HTML",
    sniffing.PLAIN: _("Text"),
    sniffing.CSV: "CSV",
    sniffing.TSV: "TSV",
    **{syntax.media_type: syntax.title for syntax in syntaxes.SYNTAXES},
}

_STORAGES: dict[str, str | Promise] = {
    Storage.HALFVEC: _("Half precision"),
    Storage.LEADING: _("First numbers"),
    Storage.BINARY: _("One bit a number"),
}

_ACTS: dict[str, str | Promise] = {
    "pause": _("Pause"),
    "resume": _("Resume"),
    "cancel": _("Cancel the re-embedding"),
    "switch": _("Switch"),
    "roll-back": _("Roll back"),
    "drop": _("Drop the space before"),
}

_DELETES: dict[str, str | Promise] = {
    "cancel": _("What was embedded into the new space is deleted. To begin again is to embed everything again."),
    "drop": _("Its embeddings of this collection are deleted. There is no way back but to embed everything again."),
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

_SPLIT = _("Split the file into parts and upload those.")
_LIGHTEN = _("Split the file into parts, or save it again without large pictures, and upload that.")
_SAVE_AGAIN = _("Open the file in the program it was made with, save it again, and upload that as the newer file.")
_TELL = _("Try again. If that does not help, tell the people who run this server.")
_RECOGNISE = _(
    "If it is a scan, name its languages in the settings of the collection and read it again, or upload a copy with "
    "recognised text (OCR)."
)

_REASON_REMEDIES: dict[Reason, str | Promise] = {
    Reason.TOO_LARGE: _SPLIT,
    Reason.UNSUPPORTED_TYPE: _(
        "Save it as one of the kinds that can be read, PDF or Word (.docx) for example, and upload that."
    ),
    Reason.TYPE_MISMATCH: _(
        "Rename the file to what it is, or save it as what its name says, and upload that as the newer file."
    ),
    Reason.TOO_MANY_PAGES: _SPLIT,
    Reason.TIMEOUT: _LIGHTEN,
    Reason.OUT_OF_MEMORY: _LIGHTEN,
    Reason.OUTPUT_TOO_LARGE: _LIGHTEN,
    Reason.ZIP_BOMB: _SAVE_AGAIN,
    Reason.MALFORMED: _SAVE_AGAIN,
    Reason.TOO_MUCH_TEXT: _SPLIT,
    Reason.NO_TEXT: _RECOGNISE,
    Reason.ENCRYPTED: _("Save a copy without a password and upload that as the newer file."),
    Reason.STORAGE_FULL: _TELL,
    Reason.READER_CRASHED: _SAVE_AGAIN,
    Reason.FILE_MISSING: _("Upload the file again as the newer file."),
    Reason.ENCODER_FAILED: _TELL,
    Reason.ENCODER_OUT_OF_MEMORY: _TELL,
    Reason.INTERNAL: _TELL,
}

_WARNING_REMEDIES: dict[str, str | Promise] = {
    "pages_without_text": _RECOGNISE,
    "page_unreadable": _SAVE_AGAIN,
    "garbled_text": _(
        "Upload the file that the PDF was made from. Or name its languages in the settings of the collection and read "
        "it again: its pages are then recognised like scans."
    ),
    "ocr_used": _(
        "If many words are wrong, see whether the collection's settings name the languages of the document, or upload "
        "a sharper scan."
    ),
    "ocr_nothing": _("If there is text on these pages, scan them again with 300 dots an inch, and upload that."),
    "ocr_rubbish": _(
        "See whether the collection's settings name the languages of the document, or scan these pages again, sharper "
        "and upright."
    ),
    "ocr_failed": _TELL,
    "ocr_timeout": _("Split the file into parts, or scan these pages again, clean and with 300 dots an inch."),
    "ocr_unavailable": _(
        "Upload a copy with recognised text (OCR), or ask the people who run this server to install Tesseract."
    ),
    "ocr_languages_missing": _("Ask the people who run this server to install it, then read the document again."),
    "hidden_sheets": _("If they belong to the document, show them, save the file, and upload that as the newer file."),
    "uncalculated": _("Open the file in a spreadsheet program, save it, and upload that as the newer file."),
    "missing_chapters": _("Upload a whole copy of the book as the newer file."),
    "embedded_files": _(
        "Open the file in Word and save it again, which makes them part of it, or upload them as documents of their "
        "own."
    ),
    "nested_too_deep": _("Take what is nested deepest out of its lists or quotations, and upload the newer file."),
}


def kind(media_type: str) -> str | Promise:
    """A media type in a word: `PDF`."""
    return _KINDS.get(media_type, media_type)


def is_kind(media_type: str) -> bool:
    """Whether files of this media type are read here."""
    return media_type in _KINDS


def alike(media_type: str) -> list[str]:
    """The media types that people call the same as this one."""
    name = kind(media_type)
    return [media_type, *(other for other, known in _KINDS.items() if known == name and other != media_type)]


def reason_name(reason: str) -> str | Promise:
    """Why a revision failed, in the reader's language; what exactly happened stands in its `detail`."""
    return _REASONS[Reason(reason)] if reason else ""


def reason_remedy(reason: str) -> str | Promise:
    """What a person can do about a revision that failed."""
    return _REASON_REMEDIES[Reason(reason)] if reason else ""


def warning_remedy(code: str) -> str | Promise:
    """What a person can do about what was not read; empty where nothing is known to help."""
    return _WARNING_REMEDIES.get(code, "")


def place(anchor: dict[str, Any]) -> str:
    """Where a passage stands in its file: `p. 12`, `lines 4–9`; empty where the file knows no such places."""
    for unit in ("pages", "lines", "paragraphs", "slides", "sheets", "chapters"):
        if anchor.get(unit):
            return _span(unit, anchor[unit])
    return ""


def in_sheet(name: str, rows: Sequence[int] | None) -> str:
    """Where a passage stands in a sheet that has a name: `sheet Budget, rows 2–9`."""
    sheet = gettext("sheet %(name)s") % {"name": name}
    return f"{sheet}, {_span('rows', rows)}" if rows else sheet


def _span(unit: str, span: Sequence[int]) -> str:
    first, last = span[0], span[-1]
    names = {
        "pages": ngettext("p. %(at)s", "pp. %(at)s", 1 + last - first),
        "lines": ngettext("line %(at)s", "lines %(at)s", 1 + last - first),
        "paragraphs": ngettext("paragraph %(at)s", "paragraphs %(at)s", 1 + last - first),
        "slides": ngettext("slide %(at)s", "slides %(at)s", 1 + last - first),
        "rows": ngettext("row %(at)s", "rows %(at)s", 1 + last - first),
        "sheets": ngettext("sheet %(at)s", "sheets %(at)s", 1 + last - first),
        "chapters": ngettext("chapter %(at)s", "chapters %(at)s", 1 + last - first),
    }
    at = intcomma(first) if first == last else f"{intcomma(first)}–{intcomma(last)}"
    return names[unit] % {"at": at}


def storage(kind: str) -> str | Promise:
    """What the index of a space holds, in short."""
    return _STORAGES[kind]


def act(name: str) -> str | Promise:
    """What can be done with a re-embedding."""
    return _ACTS[name]


def deletes(name: str) -> str | Promise:
    """What is deleted when it is done."""
    return _DELETES[name]


def duration(seconds: int) -> str:
    """About how long something takes."""
    minutes, hours = round(seconds / 60), round(seconds / 3600)
    if minutes < 1:
        return gettext("less than a minute")
    if minutes < 100:
        return ngettext("about %(n)s minute", "about %(n)s minutes", minutes) % {"n": minutes}
    return ngettext("about %(n)s hour", "about %(n)s hours", hours) % {"n": intcomma(hours)}
