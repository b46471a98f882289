"""A chart of evaluation runs over time: lines of measures from 0 to 1, as a template draws them in SVG."""

from collections.abc import Sequence
from dataclasses import dataclass

from search.models import EvaluationRun

WIDTH, HEIGHT = 640, 180
"""Of the field in which the lines are drawn, in the units of the drawing."""

MEASURES = {"ndcg@10": "nDCG@10", "recall@10": "recall@10", "mrr": "MRR"}
"""The measures drawn, with what they are called."""


@dataclass(frozen=True)
class Point:
    x: float
    y: float
    value: float
    run: EvaluationRun


@dataclass(frozen=True)
class Line:
    """One measure. `number` tells its look."""

    number: int
    name: str
    points: list[Point]

    @property
    def path(self) -> str:
        """For `points` of an SVG polyline."""
        return " ".join(f"{one.x},{one.y}" for one in self.points)


@dataclass(frozen=True)
class Chart:
    lines: list[Line]
    first: EvaluationRun
    last: EvaluationRun
    width: int = WIDTH
    height: int = HEIGHT


def of(runs: Sequence[EvaluationRun]) -> Chart | None:
    """The chart of runs of one way that are done, oldest first; None when there are fewer than two."""
    if len(runs) < 2:
        return None
    lines = [Line(number, name, _points(runs, key)) for number, (key, name) in enumerate(MEASURES.items(), start=1)]
    return Chart(lines, runs[0], runs[-1])


def _points(runs: Sequence[EvaluationRun], key: str) -> list[Point]:
    """As far from each other as the runs are in their order: days without a run say nothing."""
    step = WIDTH / (len(runs) - 1)
    values = [float(run.figures["all"][key]) for run in runs]
    return [
        Point(round(n * step, 1), round(HEIGHT * (1 - value), 1), value, run)
        for n, (run, value) in enumerate(zip(runs, values, strict=True))
    ]
