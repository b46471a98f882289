"""What people wrote on a PDF page beside its text: notes, and the fields of a form."""

import ctypes
from collections.abc import Iterator

import pypdfium2
import pypdfium2.raw as pdfium

from kb.reading import text
from kb.reading.pdf.lines import displayed
from kb.reading.sections import Box, Mark, Section

_MOST = 2_000
"""Annotations of a page; drawings are made of thousands."""

_KEYS = (b"Contents", b"V")
"""The words of a note, and the value of a field (ISO 32000-1, tables 164 and 220)."""

_SILENT = (pdfium.FPDF_ANNOT_LINK, pdfium.FPDF_ANNOT_POPUP)


def sections(page: pypdfium2.PdfPage, number: int) -> Iterator[Section]:
    """Each annotation with words, marked with its box on the page."""
    for index in range(min(pdfium.FPDFPage_GetAnnotCount(page), _MOST)):
        annotation = pdfium.FPDFPage_GetAnnot(page, index)
        if not annotation:
            continue
        words = _words(annotation)
        if words:
            yield Section(words, "prose", (), (Mark(0, len(words), number, _box(page, annotation)),))
        pdfium.FPDFPage_CloseAnnot(annotation)


def _words(annotation: pdfium.FPDF_ANNOTATION) -> str:
    if pdfium.FPDFAnnot_GetSubtype(annotation) in _SILENT:
        return ""
    said = (text.clean(_value(annotation, key)).strip() for key in _KEYS)
    return "\n".join(words for words in said if words)


def _value(annotation: pdfium.FPDF_ANNOTATION, key: bytes) -> str:
    size = pdfium.FPDFAnnot_GetStringValue(annotation, key, None, 0)
    buffer = (ctypes.c_ushort * (size // 2 + 1))()
    pdfium.FPDFAnnot_GetStringValue(annotation, key, buffer, size)
    return bytes(buffer)[: max(0, size - 2)].decode("utf-16-le", "ignore")


def _box(page: pypdfium2.PdfPage, annotation: pdfium.FPDF_ANNOTATION) -> Box | None:
    bounds = pdfium.FS_RECTF()
    if not pdfium.FPDFAnnot_GetRect(annotation, bounds):
        return None
    place = displayed(page)
    (x0, y0), (x1, y1) = place(bounds.left, bounds.bottom), place(bounds.right, bounds.top)
    return round(min(x0, x1), 2), round(min(y0, y1), 2), round(max(x0, x1), 2), round(max(y0, y1), 2)
