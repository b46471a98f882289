"""A thread for what takes as long as it takes: indexes of a million passages, models that have to be fetched first.
Celery's tasks have limits on time, and nothing would be embedded meanwhile."""

import logging
import threading

from django.db import close_old_connections, connections

from embeddings import registry
from kb import spaces

log = logging.getLogger(__name__)

LOOK_SECONDS = 15


class Indexing:
    """Tends the indexes of all spaces and reads models that are to be registered, as long as the process lives. Any
    number of processes may have one."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="indexing", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Begin no other index. One that is being built goes with the process, and is built again by the next."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            close_old_connections()
            for step in (registry.work_out_next, spaces.tend):
                try:
                    step()
                except Exception:
                    log.exception("Models and indexes could not be tended; trying again.")
        connections.close_all()
