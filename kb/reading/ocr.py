"""The scans among the pages of a PDF: Tesseract reads them where it is installed, and what it could not read is said.

Runs in the reader, which may start no process: its parent has Tesseract read the pictures (see `scans`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pypdfium2

from kb.reading import ocr_page
from kb.reading.ocr_page import Ask, Recognised, Upright
from kb.reading.pdf_lines import Line
from kb.reading.scans import Outcome
from kb.reading.sections import Mark, Section, Warned

_NAMED = 10
_TIMES_MORE = 3
"""A page that holds a little text is a scan when so many times as much can be read on it."""

_SAID = {
    Outcome.NOTHING: ("ocr_nothing", "Text recognition found nothing on {}."),
    Outcome.RUBBISH: ("ocr_rubbish", "What text recognition found makes no sense and was left out on {}."),
    Outcome.FAILED: ("ocr_failed", "Text recognition failed on {}."),
    Outcome.PAGE_TIMEOUT: ("ocr_timeout", "Text recognition took too long on {}."),
    Outcome.FILE_TIMEOUT: ("ocr_timeout", "The time for text recognition was used up, which left out {}."),
}


@dataclass(frozen=True, slots=True)
class Tesseract:
    """What there is of what was wanted: languages, and whether Tesseract can tell which way up a page is."""

    languages: tuple[str, ...]
    turns: bool


class Scans:
    """Those of one file. Where no languages are wanted, or Tesseract has none of them, none is recognised."""

    def __init__(
        self, wanted: Sequence[str] = (), *, tesseract: Tesseract | None = None, ask: Ask | None = None
    ) -> None:
        self.outcomes: dict[int, Outcome] = {}
        """What became of each page that was taken for a scan, by its number."""
        self._wanted = wanted
        self._tesseract = tesseract
        self._ask = ask
        self._uprights: dict[int, Upright] = {}

    def lines(self, page: pypdfium2.PdfPage, number: int, embedded: list[Line]) -> list[Line]:
        """The lines of a page: those that it holds, unless it is a scan and recognition reads more on it.

        Where the page was scanned sideways or upside down they stand as on the page turned upright, so that paragraphs
        can be made of them: `as_displayed` puts their boxes back.
        """
        if not ocr_page.may_be_scan(page, embedded):
            return embedded
        found = self._recognised(page)
        if found is None or ocr_page.letters(found.lines) < _TIMES_MORE * ocr_page.letters(embedded):
            return embedded
        self.outcomes[number] = found.outcome
        if found.upright:
            self._uprights[number] = found.upright
        return list(found.lines)

    def as_displayed(self, section: Section) -> Section:
        """The same section, its boxes on the pages as displayed."""
        if all(mark.unit not in self._uprights for mark in section.marks):
            return section
        return replace(section, marks=tuple(self._displayed(mark) for mark in section.marks))

    def warnings(self) -> Iterator[Warned]:
        """What who reads the document has to know of its scans. To be asked after the last page."""
        if recognised := self._pages(Outcome.RECOGNISED):
            languages = "+".join(self._languages)
            yield Warned(
                "ocr_used",
                f"The text of {_named(recognised)} was recognised by OCR ({languages}): check quotations.",
            )
        for outcome, (code, sentence) in _SAID.items():
            if pages := self._pages(outcome):
                yield Warned(code, sentence.format(_named(pages)))
        if self.outcomes and (missing := self._missing()):
            yield Warned("ocr_languages_missing", missing)

    def remedy(self) -> str:
        """What was tried with a file that has no text, else what can be done."""
        tried = " ".join(warned.detail for warned in self.warnings())
        return tried or f"Run text recognition (OCR) on it and upload the result. {self.lacking()}".strip()

    def lacking(self) -> str:
        """What has to be installed for scans to be recognised; empty where it is, or is not wanted."""
        if self._wanted and self._tesseract is None:
            return "Tesseract is not installed on the server: with it, scans are recognised."
        return "" if self._languages else self._missing()

    @property
    def _languages(self) -> tuple[str, ...]:
        return self._tesseract.languages if self._tesseract else ()

    def _recognised(self, page: pypdfium2.PdfPage) -> Recognised | None:
        if self._tesseract is None or self._ask is None or not self._languages:
            return None
        if Outcome.FILE_TIMEOUT in self.outcomes.values():
            return Recognised(Outcome.FILE_TIMEOUT)
        return ocr_page.recognise(page, self._ask, turns=self._tesseract.turns)

    def _displayed(self, mark: Mark) -> Mark:
        upright = self._uprights.get(mark.unit)
        return replace(mark, box=upright.displayed(mark.box)) if upright and mark.box else mark

    def _pages(self, outcome: Outcome) -> list[int]:
        return [number for number, became in self.outcomes.items() if became == outcome]

    def _missing(self) -> str:
        missing = [language for language in self._wanted if language not in self._languages]
        if not missing:
            return ""
        # Debian's names for them, and those of the systems made from it.
        packages = " ".join(f"tesseract-ocr-{language.replace('_', '-').lower()}" for language in missing)
        return f"Tesseract has no data for {', '.join(missing)}: install {packages}."


def numbers(pages: Sequence[int]) -> str:
    """The first of them, for people."""
    return ", ".join(map(str, pages[:_NAMED])) + (", …" if len(pages) > _NAMED else "")


def _named(pages: Sequence[int]) -> str:
    return f"page {pages[0]}" if len(pages) == 1 else f"{len(pages):,} pages ({numbers(pages)})"
