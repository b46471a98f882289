"""What `manage.py bench` measures beside reading: packages above this one add theirs when they are loaded."""

from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Measure:
    """One word behind `bench`: its arguments, and what runs; that prints to the function it is given."""

    name: str
    help: str
    add_arguments: Callable[[ArgumentParser], None]
    run: Callable[[Mapping[str, Any], Callable[[str], object]], None]


MEASURES: dict[str, Measure] = {}


def add(measure: Measure) -> None:
    MEASURES[measure.name] = measure
