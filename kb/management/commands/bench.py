"""`manage.py bench`: what this product is worth beside others, measured on this machine in one run."""

import json
import tempfile
from argparse import BooleanOptionalAction
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.test import override_settings

from embeddings import bundled, devices, serving, spaces
from embeddings.encoder import EncoderError
from kb.benchmarks import encode, fidelity, pipeline, registry, shapes, speed, under_load, writing
from kb.benchmarks.pipeline import Occupied
from kb.benchmarks.speed import Measured
from kb.management.commands.demo import CORPUS
from kb.models import Collection
from kb.reading.failures import Unreadable


class _Result(Protocol):
    """What is measured of the encoder's part."""

    def figures(self) -> dict[str, Any]: ...

    def lines(self) -> list[str]: ...


class Command(BaseCommand):
    help = "Measure this product beside others: reading, encoding, writing, queries under load."

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
        self._add_of_encoder(measures)
        parser.epilog = "With --own-servers a measurement starts a database and a Redis for itself, gone when it ends."
        for measure in registry.MEASURES.values():
            measure.add_arguments(measures.add_parser(measure.name, help=measure.help))

    def _add_of_encoder(self, measures: Any) -> None:
        encoding = measures.add_parser("encode", help="Tokens a second beside sentence-transformers.")
        encoding.add_argument(
            "--compiled",
            action=BooleanOptionalAction,
            default=devices.default_device() == "cuda",
            help="Ours with its layers compiled, too (default: on a GPU).",
        )
        whole = measures.add_parser("pipeline", help="From chunks to embeddings, beside the bare encoder.")
        write = measures.add_parser("write", help="Rows a second, beside bare COPY and bulk_create.")
        write.add_argument("--dimensions", type=int, default=writing.DIMENSIONS)
        load = measures.add_parser("query-under-load", help="How long a query waits while passages are encoded.")
        load.add_argument("--asked", type=int, default=40, help="Queries (default: 40).")
        for parser in (encoding, whole, load):
            parser.add_argument("--shape", choices=sorted(shapes.SHAPES), help="A published shape with random weights.")
        for parser in (encoding, whole, write, load):
            parser.add_argument("--count", type=int, help="Texts or rows; by default as the device is fast.")
            parser.add_argument("--rounds", type=int, default=3, help="How often each does it (default: 3).")
            parser.add_argument("--json", action="store_true", help="Print all figures as JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        if measure := registry.MEASURES.get(options["measure"]):
            measure.run(options, self.stdout.write)
            return
        measures = {"read": self._read, "fidelity": self._fidelity}
        try:
            measures.get(options["measure"], self._of_encoder)(options)
        except (Unreadable, spaces.NoSpace, EncoderError, Occupied) as error:
            raise CommandError(str(error)) from error

    def _of_encoder(self, options: dict[str, Any]) -> None:
        result = _MEASURES[options["measure"]](options)
        if options["json"]:
            self.stdout.write(json.dumps(result.figures(), indent=2, ensure_ascii=False))
            return
        for line in result.lines():
            self.stdout.write(line)

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
        floors = ", ".join(f"{_FLOORS[floor]} {share:.0%}" for floor, share in result.whole.floors.items())
        self.stdout.write(f"Of that nobody can spare: {floors}.")
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


def _encode(options: dict[str, Any]) -> _Result:
    with _shaped(options["shape"]):
        return encode.measure(
            spaces.folder(settings.EMBEDDING_MODEL),
            count=options["count"],
            runs=options["rounds"],
            compiler="inductor" if options["compiled"] else "",
        )


def _pipeline(options: dict[str, Any]) -> _Result:
    with _shaped(options["shape"]), _in_its_space(options["shape"]):
        return pipeline.measure(count=_count(options), **_lengths(), runs=options["rounds"])


def _write(options: dict[str, Any]) -> _Result:
    return writing.measure(rows=options["count"] or 2048, dimensions=options["dimensions"], runs=options["rounds"])


def _under_load(options: dict[str, Any]) -> _Result:
    with _shaped(options["shape"]), _in_its_space(options["shape"]):
        return under_load.measure(count=_count(options), **_lengths(), asked=options["asked"])


@contextmanager
def _shaped(shape: str | None) -> Iterator[None]:
    """Where a shape is named, the settings ask for a model of it that is gone afterwards."""
    if shape is None:
        yield
        return
    own = bundled.build(settings.DATA_DIR / "models" / bundled.NAME)
    with tempfile.TemporaryDirectory() as folder:
        built = shapes.build(shape, Path(folder), bundled=own)
        # The rest of the settings is of another model.
        bare = {"EMBEDDING_URL": "", "EMBEDDING_DIMENSIONS": None, "EMBEDDING_TOKENIZER": ""}
        with override_settings(EMBEDDING_MODEL=str(built), **bare):
            yield


@contextmanager
def _in_its_space(shape: str | None) -> Iterator[None]:
    """With the space of that model, which goes with it."""
    if shape is None:
        yield
        return
    _forget()
    space = spaces.ensure()
    try:
        yield
    finally:
        serving.servers([])
        space.delete()
        _forget()


def _forget() -> None:
    """What is kept of the settings' own model."""
    spaces.description.cache_clear()
    spaces.tokenizer.cache_clear()


_MEASURES = {"encode": _encode, "pipeline": _pipeline, "write": _write, "query-under-load": _under_load}


def _count(options: dict[str, Any]) -> int:
    return options["count"] or encode.TEXTS[devices.default_device()]


def _lengths() -> dict[str, int]:
    least, most = encode.LENGTHS[devices.default_device()]
    return {"least": least, "most": most}


_FLOORS = {
    "pdfium": "PDFium's bare text",
    "outline": "pypdf's outline",
    "tokenizer": "the tokenizer over the text once",
    "rows": "COPY of the rows",
}
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
        "floors": one.floors,
    }


def _files(paths: Sequence[Path]) -> list[Path]:
    for path in paths:
        if not path.is_file():
            raise CommandError(f"There is no file {path}.")
    return list(paths)


def _collection() -> Collection:
    """One with the settings that a new collection has, not saved."""
    return Collection(active_space=spaces.current())
