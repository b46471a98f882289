"""The picture of a page on its way from the reader to Tesseract, and what comes back.

Both stand on the sheet: memory that the reader and its parent share, so that neither goes through the lines of `wire`.
The reader puts the picture there and says so with a `Scan`; its parent has Tesseract read it, puts what Tesseract wrote
in its place, and answers with one line on the reader's standard input.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal, Self

from msgspec import Meta, Struct

Job = Literal["words", "orientation"]
"""Words with their places, as hOCR; or which way up the page is, in Tesseract's own words."""

SHEET_BYTES = 24 * 1024 * 1024
"""Room for a picture of `page.PIXELS` shades of grey. Only what is used of it takes memory."""


class Outcome(StrEnum):
    """What became of a scan."""

    RECOGNISED = "recognised"
    NOTHING = "nothing"
    RUBBISH = "rubbish"
    FAILED = "failed"
    PAGE_TIMEOUT = "page_timeout"
    FILE_TIMEOUT = "file_timeout"


class Scan(Struct, frozen=True, array_like=True, tag=True):
    """A picture (PGM) stands on the sheet, to be read in this way; the languages are Tesseract's names for them."""

    job: Job
    dots_per_inch: Annotated[int, Meta(ge=0, le=2_400)]
    languages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """With RECOGNISED, `size` bytes that Tesseract wrote stand on the sheet."""

    outcome: Outcome
    size: int = 0

    def line(self) -> bytes:
        """For the reader's standard input."""
        return json.dumps([self.outcome, self.size]).encode() + b"\n"

    @classmethod
    def of(cls, line: bytes) -> Self:
        """What the reader finds there."""
        outcome, size = json.loads(line)
        return cls(Outcome(outcome), size)


Ask = Callable[[Scan, bytes], tuple[Outcome, bytes]]
"""Have a picture (PGM) read. What Tesseract wrote comes with RECOGNISED, nothing with the others."""
