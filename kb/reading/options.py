"""What a collection asks of the readers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """Without any of it a file is read as it is displayed."""

    annotations: bool = False
    """Read the notes and form fields of a PDF too."""

    ocr_languages: tuple[str, ...] = ()
    """Tesseract's names of the languages in which pages without text are recognised; none: they are left out."""
