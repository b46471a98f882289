"""Ends this process when its device hangs or is of no use to it any more: its supervisor starts another.

After some errors every call to a GPU fails for as long as the process lives, so that it would give back for ever
whatever it took up. CUDA says of them that the process must be terminated:
https://docs.nvidia.com/cuda/cuda-runtime-api/group__CUDART__TYPES.html
"""

import faulthandler
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from embeddings.encoder import EncoderBroken

log = logging.getLogger(__name__)

HANG_SECONDS = 900
"""A run that takes longer hangs: the process writes down where and ends. On a slow CPU 32,768 tokens of a large model
take some minutes."""

_LASTING = ("CUDA error:", "device-side assert", "illegal memory access", "unspecified launch failure")

_AT_ONCE_SECONDS = 0.001
"""For a deadline that is over: the timer refuses zero."""

_farewell: Callable[[], None] | None = None

_deadlines: list[float] = []
"""One for each run under way: when it hangs."""
_deadlines_lock = threading.Lock()


def arm(farewell: Callable[[], None]) -> None:
    """From now on a broken device ends this process, after `farewell`. Others hear of it by EncoderBroken alone."""
    global _farewell
    _farewell = farewell


@contextmanager
def ending() -> Iterator[None]:
    """Ends the process where what is done here finds the device broken."""
    try:
        yield
    except EncoderBroken as error:
        if _farewell is not None:
            _end(error, _farewell)
        raise


@contextmanager
def watching() -> Iterator[None]:
    """Around each run of the device; several threads may be inside. Ends the process when any of them takes too long:
    by a timer below Python, since a device that hangs may hold the interpreter's lock. Raises EncoderBroken."""
    until = time.monotonic() + HANG_SECONDS
    with _deadlines_lock:
        _deadlines.append(until)
        _set_timer()
    try:
        with naming():
            yield
    finally:
        with _deadlines_lock:
            _deadlines.remove(until)
            _set_timer()


def _set_timer() -> None:
    """There is one timer in a process: it is set to the earliest deadline that is left."""
    if not _deadlines:
        faulthandler.cancel_dump_traceback_later()
        return
    left = max(min(_deadlines) - time.monotonic(), _AT_ONCE_SECONDS)
    faulthandler.dump_traceback_later(left, exit=True, file=sys.__stderr__ or sys.stderr)


@contextmanager
def naming() -> Iterator[None]:
    """Raises EncoderBroken for what says that the device is."""
    try:
        yield
    except RuntimeError as error:
        if _is_lasting(error):
            raise EncoderBroken(str(error).partition("\n")[0]) from error
        raise


def _is_lasting(error: RuntimeError) -> bool:
    said = str(error)
    return any(part in said for part in _LASTING) and "out of memory" not in said


def _end(error: EncoderBroken, farewell: Callable[[], None]) -> None:
    """At once: other threads may be waiting for the device, and the driver's own way out may hang."""
    log.critical("The device is of no use to this process any more, which ends; another is to be started. (%s)", error)
    try:
        farewell()
    except Exception:
        log.exception("What was in hand is free again when its lease runs out.")
    os._exit(os.EX_SOFTWARE)
