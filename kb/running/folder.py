"""The data folder: where everything of one installation is kept, and who may use it."""

import fcntl
import hashlib
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO

from kb.running.refusals import Refusal

REPOSITORY = Path(__file__).resolve().parents[2]

# sun_path in <linux/un.h> holds 108 bytes, one of them the closing NUL.
_SOCKET_PATH_LIMIT = 107
_LONGEST_SOCKET = "postgres/.s.PGSQL.5432"
_PLAIN_PATH = re.compile(r"[A-Za-z0-9._/-]+")


@dataclass(frozen=True)
class Folder:
    """All paths are absolute; nothing is made before `make` is called."""

    path: Path

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def run(self) -> Path:
        return self.path / "run"

    @property
    def secrets(self) -> Path:
        return self.path / "secrets"

    @property
    def environment_file(self) -> Path:
        """What the settings read when the environment names no servers, so that other commands find them."""
        return self.run / "environment"

    @property
    def mark(self) -> str:
        """A short name for this folder, the same at every start and different for every other folder."""
        return "concordance-" + hashlib.sha256(os.fsencode(self.path)).hexdigest()[:12]

    @cached_property
    def sockets(self) -> Path:
        """Where Unix sockets lie: in the data folder, unless its path is too long for one, or odd.

        Odd is what would have to be quoted in an address: the libraries that read addresses do not agree
        on how.
        """
        path = str(self.run / _LONGEST_SOCKET)
        if len(path) <= _SOCKET_PATH_LIMIT and _PLAIN_PATH.fullmatch(path):
            return self.run
        return Path(os.environ.get("XDG_RUNTIME_DIR") or "/tmp") / self.mark  # noqa: S108 - owner and mode are checked

    def make(self) -> None:
        """Make the folders that are missing. Raises Refusal when this user cannot write there."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            for folder in (self.logs, self.run, self.secrets, self.sockets):
                folder.mkdir(mode=0o700, exist_ok=True)
                _check_private(folder)
            (self.run / "probe").write_text("")
            (self.run / "probe").unlink()
        except OSError as error:
            raise Refusal(f"The data folder {self.path} cannot be written: {error.strerror}.") from error

    def lock(self) -> IO[str]:
        """Claim the folder for as long as the answer is open. Raises Refusal when another process has it."""
        file = (self.path / "lock").open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise Refusal(f"Concordance already runs on {self.path} (process {holder}).") from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        return file

    def secret(self, name: str) -> str:
        """The secret of this name, made up the first time it is asked for and kept in a file of mode 0600."""
        file = self.secrets / name
        if not file.exists():
            write_private(file, secrets.token_urlsafe(48))
        return file.read_text()

    def write_environment(self, variables: Mapping[str, str]) -> None:
        lines = (f"{name}={value}\n" for name, value in variables.items())
        write_private(self.environment_file, "".join(lines))


def write_private(file: Path, text: str) -> None:
    """Write a file only its owner can read, whole or not at all."""
    fresh = file.with_name(file.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())
    fresh.rename(file)


def _check_private(folder: Path) -> None:
    """A folder in /tmp could have been made by somebody else, to listen to what is said over its sockets."""
    status = folder.lstat()
    if folder.is_symlink() or status.st_uid != os.getuid():
        raise Refusal(f"The folder {folder} belongs to somebody else; remove it, or choose another data folder.")
    folder.chmod(0o700)
