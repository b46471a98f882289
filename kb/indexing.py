"""A thread that builds indexes. Celery's workers have limits on time, and an index of a million passages has none."""

import logging
import threading

from django.db import Error, close_old_connections, connections

from kb import spaces

log = logging.getLogger(__name__)

LOOK_SECONDS = 15


class Indexing:
    """Tends the indexes of all spaces, as long as the process lives. Any number of processes may have one."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="indexing", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Begin no other index. One that is being built goes with the process, and is built again by the next."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            close_old_connections()
            try:
                spaces.tend()
            except Error:
                log.exception("The indexes could not be tended; trying again.")
        connections.close_all()
