"""One command with servers of its own, which are gone when it ends: nobody's work is beside it, and nothing is kept."""

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from kb.running import processes, up
from kb.running.folder import REPOSITORY, Folder
from kb.running.journal import open_log
from kb.running.program import Program
from kb.running.refusals import Refusal
from kb.running.supervisor import Supervisor

FLAG = "--own-servers"
"""What a person writes behind the command."""


def run(arguments: Sequence[str]) -> int:
    """Run a command of manage.py; its exit status, or 1 with one sentence where the servers do not start."""
    up.heed_signals()
    try:
        with tempfile.TemporaryDirectory(prefix="concordance-", ignore_cleanup_errors=True) as path:
            return _run([one for one in arguments if one != FLAG], Folder(Path(path).resolve()))
    except Refusal as refusal:
        print(f"{arguments[0]} cannot start: {refusal}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _run(arguments: Sequence[str], folder: Folder) -> int:
    for server in ("DATABASE_URL", "REDIS_URL"):
        os.environ.pop(server, None)
    if "--shape" in arguments:  # no other model is to be fetched
        os.environ["EMBEDDING_MODEL"] = "bundled"
    os.chdir(REPOSITORY)
    folder.make()
    open_log(folder.logs)
    supervisor = Supervisor(folder.logs)
    try:
        up.start_servers(folder, supervisor, host="127.0.0.1")
        up.run_step(*processes.PREPARE, folder=folder, supervisor=supervisor)
        command = Program(arguments[0], processes.command(*arguments)).start()
        supervisor.watch(command)
        return command.returncode
    finally:
        up.stop(folder, supervisor)
