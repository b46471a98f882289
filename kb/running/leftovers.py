"""What an earlier start left running on a data folder after its supervisor was killed."""

import contextlib

import psutil

from kb.running import program
from kb.running.refusals import Refusal

# How long the kernel may take to be done with a process that has been killed.
_KILL_SECONDS = 5


def end(mark: str, *, grace: float) -> None:
    """End every process of the data folder with this mark. Only for whoever holds the folder's lock.

    They are asked first and killed after `grace` seconds. Raises Refusal when one of them does not end.
    """
    asked = find(mark)
    for process in asked:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    psutil.wait_procs(asked, timeout=grace)
    # Looked for again: some may have started others while they ended.
    killed = find(mark)
    for process in killed:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    _, left = psutil.wait_procs(killed, timeout=_KILL_SECONDS)
    if left:
        numbers = ", ".join(str(process.pid) for process in left)
        raise Refusal(f"Processes of an earlier start do not end: {numbers}.")


def find(mark: str) -> list[psutil.Process]:
    """The processes started for the data folder with this mark, this one and those it stems from excepted."""
    ours = {psutil.Process().pid, *(parent.pid for parent in psutil.Process().parents())}
    return [process for process in psutil.process_iter() if process.pid not in ours and _bears(process, mark)]


def _bears(process: psutil.Process, mark: str) -> bool:
    with contextlib.suppress(psutil.Error):
        # PostgreSQL may run as another user, whose environment is closed to us; it has the mark in its title.
        if process.name() == "postgres" and mark in " ".join(process.cmdline()):
            return True
        return process.environ().get(program.MARK) == mark
    return False
