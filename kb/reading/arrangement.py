"""Frames on a page or a slide in the order in which people read them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from lxml import etree

_MARGIN = 8
"""One part in so many of a frame's width and height may overlap its neighbour's: frames are larger than their text."""

_CUTS = 8
"""How often a slide is cut into rows and columns: what is arranged more deeply is a picture."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A shape and the part of the slide that it takes up, in the units of what it is in."""

    shape: etree._Element
    left: float = 0
    top: float = 0
    right: float = 0
    bottom: float = 0


def frame(shape: etree._Element, *, left: float, top: float, width: float, height: float) -> Frame:
    """The frame of a shape, without the margin that it may share with others."""
    across, down = width / _MARGIN, height / _MARGIN
    return Frame(shape, left + across, top + down, left + width - across, top + height - down)


def in_reading_order(frames: Sequence[Frame], cuts: int = _CUTS) -> list[Frame]:
    """From top to bottom, what stands side by side from left to right: each row that a line across the slide sets
    apart is read column by column."""
    if cuts and len(frames) > 1:
        for span in (_upright, _level):
            groups = _apart(frames, span)
            if len(groups) > 1:
                return [frame for group in groups for frame in in_reading_order(group, cuts - 1)]
    return sorted(frames, key=lambda frame: (frame.top, frame.left))


def _upright(frame: Frame) -> tuple[float, float]:
    return frame.top, frame.bottom


def _level(frame: Frame) -> tuple[float, float]:
    return frame.left, frame.right


def _apart(frames: Iterable[Frame], span: Callable[[Frame], tuple[float, float]]) -> list[list[Frame]]:
    """The frames in groups, between which there is room."""
    groups: list[list[Frame]] = []
    reach = 0.0
    for frame in sorted(frames, key=span):
        begin, end = span(frame)
        if groups and begin < reach:
            groups[-1].append(frame)
        else:
            groups.append([frame])
            reach = end
        reach = max(reach, end)
    return groups
