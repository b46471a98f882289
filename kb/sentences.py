"""The sentences that readers and workers write, in the language of whoever looks at them.

They are stored in English: when a file is read nobody is there to have a language, and the readers know nothing of
Django. The log has them as they are, and so has the API where it tells of a document: programs compare them. Pages,
imports and the errors of the API recognise a sentence by its words, and say it again with the same values.
"""

import re
from functools import cache

from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_noop as _

_SENTENCES = (
    # Failures
    _("The file is empty."),
    _("There is no text in this file."),
    _("This PDF has no pages."),
    _("This PDF has no page %(page)s."),
    _("This PDF has no text: it is probably a scan. Run text recognition (OCR) on it and upload the result."),
    _(
        "This PDF has no text: it is probably a scan. Run text recognition (OCR) on it and upload the result, or have "
        "Tesseract installed on the server."
    ),
    _("This PDF has no text: it is probably a scan. %(why)s"),
    _("This PDF has no text, and text recognition (OCR) found none. %(why)s"),
    _("This PDF is protected by a password. Save it without one."),
    _("This file is protected by a password. Save it without one."),
    _("This PDF cannot be opened: it is damaged. Save or print it to PDF again and upload that."),
    _("This Word file cannot be opened: %(why)s. Save it again in Word and upload that."),
    _("This file cannot be opened: %(why)s. Save it again and upload that."),
    _("This file cannot be opened: %(why)s. Save it again in the program that made it and upload that."),
    _("This book is locked to the devices of who bought it. Upload an open copy."),
    _("This file was not opened: %(why)s."),
    _("This PDF has %(total)s pages; the limit is %(limit)s. Split it into parts."),
    _("This file has more than %(size)s MB of text. Split it into parts."),
    _("A sheet has more than %(size)s million characters. Split it into parts."),
    _("This file has more passages than the limit; split it into parts."),
    _("Reading this file gives more than %(size)s MiB. Split it into parts."),
    _("Reading this file takes more memory than the limit. Split it into parts."),
    _("Reading this file takes too long: %(why)s. Split it into parts, or simplify it."),
    _("By its name this is %(wanted)s, but its content is not. It may be damaged, or of another kind."),
    _(
        "By its name this is %(wanted)s, but it seems to be %(seems)s. Give it the right extension, or save it as "
        "%(again)s and upload it again."
    ),
    _("By its name this is %(wanted)s, but it is %(seems)s. Save it as .docx in Word or LibreOffice and upload that."),
    _(
        "This is not a text file in UTF-8: byte %(byte)s is %(why)s. If it is text in another encoding, save it as "
        "UTF-8 and upload it again."
    ),
    _(
        "This file says that it is text in %(encoding)s, but byte %(byte)s is %(why)s. Save it as UTF-8 and upload it "
        "again."
    ),
    _("The reader broke off on this file: it may be damaged. Save it again and upload that."),
    _("The reader failed on this file: it may be damaged. Save it again and upload that."),
    _("The reader was stopped %(n)s times while it read this file; it may be too heavy."),
    _("The encoder was stopped %(n)s times at this text."),
    _("The stored file is gone. Upload it again."),
    _("Reading failed %(n)s times: %(error)s"),
    # Warnings
    _("Page %(page)s is damaged and was left out."),
    _("%(count)s of %(total)s pages have no text: %(pages)s."),
    _("The letters of these pages cannot be told: %(pages)s."),
    _("%(count)s of %(total)s pages were recognised by OCR (%(languages)s): check quotations from %(pages)s."),
    _("On %(count)s of %(total)s pages text recognition found nothing: %(pages)s."),
    _("On %(count)s of %(total)s pages text recognition found nothing that makes sense: %(pages)s."),
    _("On %(count)s of %(total)s pages text recognition failed: %(pages)s."),
    _("On %(count)s of %(total)s pages text recognition took too long: %(pages)s."),
    _("The time for text recognition was used up before %(count)s of %(total)s pages: %(pages)s."),
    _("Tesseract is not installed on the server: scans are not recognised."),
    _("Tesseract has no data for %(languages)s: install %(packages)s."),
    _("Hidden sheets are left out: %(names)s."),
    _("Formulas without a stored result: %(count)s."),
    _("Chapters that the book names are not in the file: %(count)s."),
    _("Files embedded in the document were not read: %(count)s."),
    _("What is nested deeper than 50 lists or quotations was left out."),
    # What stands within them
    _("it is damaged"),
    _("its compressed data is damaged"),
    _("its parts overlap"),
    _("two of its parts have one name"),
    _("a part is named as if it lay outside the file"),
    _("a part is compressed in a way that such files do not use"),
    _("a part of it is missing"),
    _("a part of it is no XML"),
    _("it declares a document type or entities of its own"),
    _("it declares a document type, which Word never does"),
    _("there is no document in it"),
    _("what it should hold is not in it"),
    _("a cell is where no sheet has one"),
    _("a cell refers to a text that is not there"),
    _("a place in a sheet is written wrongly"),
    _("it has %(count)s parts; the limit is %(limit)s"),
    _("it unpacks to more than %(size)s MiB"),
    _("a part unpacks to more than %(size)s MiB"),
    _("in all it took more than %(seconds)s s"),
    _("one page took more than %(seconds)s s"),
    _("it used up its processor time"),
    _("not UTF-8"),
    _("not in that encoding"),
    _("a NUL, which no text contains"),
    _("a PDF"),
    _("a Word document (.docx)"),
    _("a PowerPoint presentation (.pptx)"),
    _("an Excel workbook (.xlsx)"),
    _("an OpenDocument text (.odt)"),
    _("an OpenDocument spreadsheet (.ods)"),
    _("an OpenDocument presentation (.odp)"),
    _("an EPUB book (.epub)"),
    _("a Markdown file (.md)"),
    _("plain text"),
    _("an HTML page (.html)"),
    _("a table in CSV"),
    _("a table in TSV"),
    _("source code in %(language)s"),
    _("a Rich Text file (.rtf)"),
    _("a JPEG image"),
    _("a PNG image"),
    _("a GIF image"),
    _("a TIFF image"),
    _("an old Word document (.doc)"),
    _("an old Excel workbook (.xls)"),
    _("an old PowerPoint presentation (.ppt)"),
    _("an old Office file (.doc, .xls, .ppt)"),
    _("a gzip archive"),
    _("a 7-Zip archive"),
    _("a RAR archive"),
    _("a ZIP archive"),
    _("a program"),
    _("a Windows program"),
)

_HOLE = re.compile(r"%\((\w+)\)s")


def said(sentence: str) -> str:
    """A stored sentence in the reader's language; one that is not known stays as it is."""
    if (get_language() or "en").startswith("en"):
        return sentence
    known = _recognised(sentence)
    if known is None:
        return sentence
    template, values = known
    return gettext(template) % {name: said(value) for name, value in values.items()}


def is_known(sentence: str) -> bool:
    """Whether it can be said in other languages."""
    return _recognised(sentence) is not None


def _recognised(sentence: str) -> tuple[str, dict[str, str]] | None:
    for template, pattern in _patterns():
        found = pattern.fullmatch(sentence)
        if found:
            return template, found.groupdict()
    return None


@cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    """Each sentence with what recognises it, the ones with most words of their own first."""
    ordered = sorted(_SENTENCES, key=lambda one: len(_HOLE.sub("", one)), reverse=True)
    return [(one, _pattern(one)) for one in ordered]


def _pattern(template: str) -> re.Pattern[str]:
    words, names = _HOLE.split(template)[::2], _HOLE.findall(template)
    holes = [*(f"(?P<{name}>.+?)" for name in names), ""]
    return re.compile("".join(re.escape(word) + hole for word, hole in zip(words, holes, strict=True)), re.DOTALL)
