"""Pages of PDFs as pictures, drawn in the sandbox and kept on disk for a while."""

import os
import re
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.storage import default_storage

from kb.models import Revision
from kb.reading.confined import sandbox

MEDIA_TYPE = "application/pdf"

SCALE = 2.0
"""Pixels a point: 144 dots an inch, sharp on ordinary and good enough on fine screens."""

KEPT_SECONDS = 3_600
"""A picture older than this is deleted by whoever draws the next one: nothing of a deleted document stays."""

_NAME = re.compile(r"\d+_([\d.]+)x([\d.]+)\.png")


@dataclass(frozen=True)
class Picture:
    """A PNG of a page; width and height of the page in points."""

    path: Path
    width: float
    height: float


@dataclass(frozen=True)
class Frame:
    """A rectangle on a page, in points from its top left corner."""

    x: float
    y: float
    width: float
    height: float


def of_page(revision: Revision, page: int) -> Picture:
    """The picture of a page, counted from 1, of a revision that is a PDF. Raises Unreadable."""
    folder = settings.DATA_DIR / "cache" / "pages" / revision.pk.hex
    for known in folder.glob(f"{page}_*.png"):
        return _picture(known)
    _delete_old(folder.parent)
    drawn = sandbox.render_page(Path(default_storage.path(revision.stored_name)), page, SCALE)
    folder.mkdir(parents=True, exist_ok=True)
    path: Path = folder / f"{page}_{drawn.width_pt}x{drawn.height_pt}.png"
    # Whoever reads the folder meanwhile must not find half a picture.
    fresh = folder / f"{uuid.uuid4().hex}.new"
    fresh.write_bytes(drawn.png)
    fresh.rename(path)
    return _picture(path)


def frames(anchor: dict[str, Any], page: int) -> list[Frame]:
    """The rectangles on a page of a passage with this anchor."""
    return [_frame(box["box"]) for box in anchor.get("boxes") or () if box["page"] == page]


def _frame(box: tuple[float, float, float, float]) -> Frame:
    x0, y0, x1, y1 = box
    return Frame(x0, y0, round(x1 - x0, 2), round(y1 - y0, 2))


def _picture(path: Path) -> Picture:
    size = _NAME.fullmatch(path.name)
    if size is None:
        raise ValueError(f"{path} is not the picture of a page.")
    return Picture(path, float(size[1]), float(size[2]))


def _delete_old(pages: Path) -> None:
    limit = time.time() - KEPT_SECONDS
    for picture in pages.glob("*/*"):
        try:
            if picture.stat().st_mtime < limit:
                picture.unlink()
                os.rmdir(picture.parent)
        except OSError:
            continue  # deleted by someone else meanwhile, or not the last in its folder
