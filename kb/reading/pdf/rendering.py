"""A page of a PDF as a picture."""

from io import BytesIO
from pathlib import Path

from kb.reading.failures import Reason, Unreadable
from kb.reading.pdf import reader as pdf
from kb.reading.sections import PageImage

PIXELS = 16_000_000
"""The most pixels of a picture: 64 MB while it is drawn. A larger one is drawn at a smaller scale."""


def render(path: Path, page: int, *, scale: float) -> PageImage:
    """Page `page`, counted from 1, at `scale` pixels a point. Raises Unreadable, also where there is no such page."""
    document = pdf.open_document(path)
    if not 1 <= page <= len(document):
        raise Unreadable(Reason.MALFORMED, f"This PDF has no page {page:,}.")
    shown = document[page - 1]
    width, height = shown.get_size()
    scale = min(scale, (PIXELS / max(width * height, 1.0)) ** 0.5)
    png = BytesIO()
    shown.render(scale=scale).to_pil().save(png, "PNG")
    return PageImage(png.getvalue(), round(width, 2), round(height, 2))
