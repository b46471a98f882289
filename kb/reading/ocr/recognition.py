"""The scans among the pages of a PDF: Tesseract reads them where it is installed, and what it could not read is said.

Runs in the reader, which may start no process: its parent has Tesseract read the pictures (see `scans`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import pypdfium2
import pypdfium2.raw as pdfium
from msgspec.structs import replace

from kb.reading.failures import Reason, Unreadable
from kb.reading.ocr import page as ocr_page
from kb.reading.ocr.scans import Ask, Outcome
from kb.reading.pdf.lines import Line, Sheet
from kb.reading.sections import Warned

_NAMED = 10
_STAMP = 200
"""Characters. A page with no more over a picture as large as itself may be a scan with a stamp or a header."""

_COVERED = 0.8
_PICTURES = 1_000

_TIMES_MORE = 3
"""A page that holds a little text is a scan when so many times as much can be read on it."""


@dataclass(frozen=True, slots=True)
class Tesseract:
    """What there is of what was wanted: languages, and whether Tesseract can tell which way up a page is."""

    languages: tuple[str, ...]
    turns: bool


class Scans:
    """Those of one file. Where no languages are wanted, or Tesseract has none of them, none is recognised."""

    def __init__(
        self,
        wanted: Sequence[str] = (),
        *,
        tesseract: Tesseract | None = None,
        ask: Ask | None = None,
        before: Mapping[int, Outcome] | None = None,
    ) -> None:
        self.outcomes: dict[int, Outcome] = dict(before or {})
        """What became of each page that was taken for a scan, by its number."""
        self._wanted = wanted
        self._tesseract = tesseract
        self._ask = ask

    def recognised(self, page: pypdfium2.PdfPage, sheet: Sheet) -> Sheet:
        """The page with the lines that it holds, unless it is a scan and recognition reads more on it."""
        if not _may_be_scan(page, sheet.lines):
            return sheet
        found = self._found(page, sheet.number)
        if found is None or _letters(found.lines) < _TIMES_MORE * _letters(sheet.lines):
            return sheet
        self.outcomes[sheet.number] = found.outcome
        return replace(sheet, lines=list(found.lines), length=found.length)

    def warnings(self, without_text: Sequence[int], total: int) -> Iterator[Warned]:
        """What who reads the document has to know of its scans. `without_text` are the pages that stayed so."""
        for outcome in Outcome:
            if pages := self._pages(outcome):
                yield self._warned(outcome, pages, total)
        if self._wanted and (self.outcomes or without_text):
            yield from self._lacking()

    def no_text(self, total: int) -> Unreadable:
        """Why a file has no text at all, and what can be done."""
        if self.outcomes:
            most = max(self.outcomes.values(), key=lambda outcome: len(self._pages(outcome)))
            why = self._warned(most, self._pages(most), total).detail
            return Unreadable(Reason.NO_TEXT, f"This PDF has no text, and text recognition (OCR) found none. {why}")
        if self._wanted and self._tesseract is None:
            return Unreadable(
                Reason.NO_TEXT,
                "This PDF has no text: it is probably a scan. Run text recognition (OCR) on it and upload the result, "
                "or have Tesseract installed on the server.",
            )
        if self._wanted and not self._languages:
            return Unreadable(
                Reason.NO_TEXT, f"This PDF has no text: it is probably a scan. {self._missing_languages()}"
            )
        return Unreadable(
            Reason.NO_TEXT,
            "This PDF has no text: it is probably a scan. Run text recognition (OCR) on it and upload the result.",
        )

    @property
    def _languages(self) -> tuple[str, ...]:
        return self._tesseract.languages if self._tesseract else ()

    def _found(self, page: pypdfium2.PdfPage, number: int) -> ocr_page.Recognised | None:
        if self._tesseract is None or self._ask is None or not self._languages:
            return None
        if Outcome.FILE_TIMEOUT in self.outcomes.values():
            return ocr_page.Recognised(Outcome.FILE_TIMEOUT)
        return ocr_page.recognise(page, number, self._ask, self._languages, turns=self._tesseract.turns)

    def by_outcome(self) -> dict[Outcome, list[int]]:
        """The pages of each outcome that there was."""
        return {outcome: pages for outcome in Outcome if (pages := self._pages(outcome))}

    def _pages(self, outcome: Outcome) -> list[int]:
        return [number for number, became in self.outcomes.items() if became == outcome]

    def _warned(self, outcome: Outcome, pages: Sequence[int], total: int) -> Warned:
        count, which = f"{len(pages):,}", numbers(pages)
        match outcome:
            case Outcome.RECOGNISED:
                by = "+".join(self._languages)
                return Warned(
                    "ocr_used",
                    f"{count} of {total:,} pages were recognised by OCR ({by}): check quotations from {which}.",
                )
            case Outcome.NOTHING:
                return Warned("ocr_nothing", f"On {count} of {total:,} pages text recognition found nothing: {which}.")
            case Outcome.RUBBISH:
                return Warned(
                    "ocr_rubbish",
                    f"On {count} of {total:,} pages text recognition found nothing that makes sense: {which}.",
                )
            case Outcome.FAILED:
                return Warned("ocr_failed", f"On {count} of {total:,} pages text recognition failed: {which}.")
            case Outcome.PAGE_TIMEOUT:
                return Warned("ocr_timeout", f"On {count} of {total:,} pages text recognition took too long: {which}.")
            case Outcome.FILE_TIMEOUT:
                return Warned(
                    "ocr_timeout",
                    f"The time for text recognition was used up before {count} of {total:,} pages: {which}.",
                )

    def _lacking(self) -> Iterator[Warned]:
        if self._tesseract is None:
            yield Warned("ocr_unavailable", "Tesseract is not installed on the server: scans are not recognised.")
        elif set(self._wanted) - set(self._languages):
            yield Warned("ocr_languages_missing", self._missing_languages())

    def _missing_languages(self) -> str:
        missing = [language for language in self._wanted if language not in self._languages]
        # Debian's names for them, and those of the systems made from it.
        packages = " ".join(f"tesseract-ocr-{language.replace('_', '-').lower()}" for language in missing)
        return f"Tesseract has no data for {', '.join(missing)}: install {packages}."


def _may_be_scan(page: pypdfium2.PdfPage, embedded: Sequence[Line]) -> bool:
    """Whether there may be text on a page that it does not hold as such."""
    if not embedded:
        return bool(pdfium.FPDFPage_CountObjects(page) > 0)
    return _letters(embedded) <= _STAMP and _covered(page) >= _COVERED


def _letters(lines: Sequence[Line]) -> int:
    return sum(len(line.text) for line in lines)


def _covered(page: pypdfium2.PdfPage) -> float:
    """The share of the page below pictures. Some scanners cut a page into strips."""
    left, bottom, right, top = page.get_bbox()
    pictures = page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE], max_depth=1)
    area = 0.0
    for x0, y0, x1, y1 in (picture.get_bounds() for picture in islice(pictures, _PICTURES)):
        area += max(0.0, min(x1, right) - max(x0, left)) * max(0.0, min(y1, top) - max(y0, bottom))
    return area / max(float((right - left) * (top - bottom)), 1.0)


def numbers(pages: Sequence[int]) -> str:
    """The first of them, for people."""
    return ", ".join(map(str, pages[:_NAMED])) + (", …" if len(pages) > _NAMED else "")
