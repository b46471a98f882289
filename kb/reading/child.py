"""The process that reads one file: `python -m kb.reading.child`, started by `sandbox` and by nobody else.

Its order is one JSON argument; what it reads goes to standard output as lines of `wire`.
"""

import json
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kb.reading import readers, wire
from kb.reading.confinement import Ceiling, confine
from kb.reading.failures import Reason, Unreadable
from kb.reading.options import Options

_RESERVE = 2 * 1024 * 1024


def main() -> None:
    order = json.loads(sys.argv[1])
    confine(Ceiling(**order["ceiling"]), parent=order["parent"])
    reserve: bytearray | None = bytearray(_RESERVE)  # given back, it leaves memory to say that there was none
    failure = None
    try:
        for message in _messages(order):
            sys.stdout.buffer.write(wire.encode(message))
            sys.stdout.buffer.flush()
    except Unreadable as error:
        failure = wire.failed(error)
    except MemoryError:
        failure = _out_of_memory()
    except Exception as error:
        failure = _crashed(error)
    del reserve
    sys.stdout.buffer.write(wire.encode(failure or wire.Finished()))
    sys.stdout.buffer.flush()
    os._exit(0)  # no finalizers: PDFium's may crash on a damaged file after all was said


def _messages(order: dict[str, Any]) -> Iterator[wire.Message]:
    path = Path(order["path"])
    if "page" in order:
        from kb.reading import rendering  # brings PDFium: a Word file is read without

        yield rendering.render(path, order["page"], scale=order["scale"])
        return
    yield from readers.read(path, order["media_type"], _options(order["options"]))


def _options(said: dict[str, Any]) -> Options:
    return Options(annotations=said["annotations"], ocr_languages=tuple(said["ocr_languages"]))


def _out_of_memory() -> wire.Failed:
    return wire.Failed(Reason.OUT_OF_MEMORY, "Reading this file takes more memory than the limit. Split it into parts.")


def _crashed(error: Exception) -> wire.Failed:
    detail = "The reader failed on this file: it may be damaged. Save it again and upload that."
    return wire.Failed(Reason.READER_CRASHED, detail, trace=" ".join(traceback.format_exception(error)[-4:]))


if __name__ == "__main__":
    main()
