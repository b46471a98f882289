"""`manage.py bench`: what this product is worth beside others, measured on this machine in one run."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from embeddings import spaces
from kb.benchmarks import fidelity, registry, speed
from kb.benchmarks.speed import Measured
from kb.management.commands.demo import CORPUS
from kb.models import Collection
from kb.reading.failures import Unreadable


class Command(BaseCommand):
    help = "Measure reading: its speed beside pypdf and PDFium, or its fidelity to the same manual in HTML."

    def add_arguments(self, parser: Any) -> None:
        measures = parser.add_subparsers(dest="measure", required=True)
        read = measures.add_parser("read", help="Pages a second, from PDF to stored chunks.")
        read.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="PDFs; the demonstration's, if left out.")
        read.add_argument("--rounds", type=int, default=3, help="How often each file is read by each (default: 3).")
        read.add_argument("--json", action="store_true", help="Print all figures as JSON.")
        against = measures.add_parser("fidelity", help="What of a manual in HTML is found in its PDF.")
        against.add_argument("pdf", type=Path, metavar="PDF")
        against.add_argument("html", nargs="+", type=Path, metavar="HTML", help="Its files, in the order of the book.")
        against.add_argument("--missing", action="store_true", help="Print what was not found, too.")
        against.add_argument("--json", action="store_true", help="Print all figures as JSON.")
        for measure in registry.MEASURES.values():
            measure.add_arguments(measures.add_parser(measure.name, help=measure.help))

    def handle(self, *args: Any, **options: Any) -> None:
        if measure := registry.MEASURES.get(options["measure"]):
            measure.run(options, self.stdout.write)
            return
        try:
            self._read(options) if options["measure"] == "read" else self._fidelity(options)
        except (Unreadable, spaces.NoSpace) as error:
            raise CommandError(str(error)) from error

    def _read(self, options: dict[str, Any]) -> None:
        paths = _files(options["paths"]) or sorted(CORPUS.glob("*.pdf"))
        result = speed.measure(paths, _collection(), rounds=max(1, options["rounds"]))
        if options["json"]:
            figures = {
                "rounds": result.rounds,
                "held_up": result.held_up,
                "busy": result.busy,
                "files": [_figures(one) for one in result.files],
                "all": _figures(result.whole),
            }
            self.stdout.write(json.dumps(figures, indent=2, ensure_ascii=False))
            return
        self.stdout.write(f"{'pages a second of processor time':40} {_COLUMNS}")
        for one in [*result.files, result.whole]:
            self.stdout.write(_row(one))
        steps = ", ".join(f"{step} {share:.0%}" for step, share in result.whole.steps.items())
        self.stdout.write(f"Ours: {steps}. Rounds: {result.rounds}.")
        if result.busy:
            self.stdout.write(f"The machine was busy: bare PDFium was held up {result.held_up:.2f} times.")

    def _fidelity(self, options: dict[str, Any]) -> None:
        [pdf] = _files([options["pdf"]])
        result = fidelity.measure(pdf, _files(options["html"]), _collection())
        if options["json"]:
            self.stdout.write(json.dumps(asdict(result), indent=2, ensure_ascii=False))
            return
        for line in result.lines():
            self.stdout.write(line)
        if options["missing"]:
            for line in result.missing:
                self.stdout.write(f"  {line}")


_COLUMNS = f"{'pages':>6} {'chunks':>6} {'pypdf':>8} {'PDFium':>8} {'ours':>8} {'x pypdf':>8} {'of PDFium':>9}"


def _row(one: Measured) -> str:
    rates = " ".join(f"{rate:8.1f}" for rate in one.pages_a_second.values())
    return f"{one.name[:40]:40} {one.pages:6} {one.chunks:6} {rates} {one.times_pypdf:8.2f} {one.of_pdfium:9.3f}"


def _figures(one: Measured) -> dict[str, Any]:
    return {
        "name": one.name,
        "pages": one.pages,
        "chunks": one.chunks,
        "pages_a_second": one.pages_a_second,
        "times_pypdf": one.times_pypdf,
        "of_pdfium": one.of_pdfium,
        "steps": one.steps,
    }


def _files(paths: Sequence[Path]) -> list[Path]:
    for path in paths:
        if not path.is_file():
            raise CommandError(f"There is no file {path}.")
    return list(paths)


def _collection() -> Collection:
    """One with the settings that a new collection has, not saved."""
    return Collection(active_space=spaces.current())
