"""The whole product in a folder of its own, as a person starts it with `manage.py up`."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from kb.running import health
from kb.running.folder import REPOSITORY, Folder
from tests.kb.running import waiting

STARTING_SECONDS = 90.0
STOPPING_SECONDS = 15.0


@dataclass(frozen=True)
class Site:
    folder: Folder
    port: int
    process: subprocess.Popen[bytes]
    printed: Path

    def children(self) -> dict[str, psutil.Process]:
        """Its own processes that live, by the name each has in the log."""
        words = {"granian": "web", "read@%h": "read", "embed@%h": "embed", "beat": "beat"}
        found: dict[str, psutil.Process] = {}
        for child in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.Error):
                arguments = child.cmdline()
                found |= {name: child for word, name in words.items() if word in arguments}
        return found

    def is_ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", "/readyz")
            return b'"database": "ok"' in connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def answers(self) -> bool:
        return health.answers("127.0.0.1", self.port)

    @property
    def token(self) -> str:
        """The administrator's token, as it was printed."""
        return self.printed.read_text().partition("API token")[2].split()[0]

    def call(self, method: str, path: str, body: object = None) -> Any:
        """The JSON answer of the REST API."""
        data = None if body is None else json.dumps(body).encode()
        return self._send(method, path, data, "application/json")

    def upload(self, collection: str, name: str, content: bytes) -> Any:
        """The document a file becomes."""
        boundary = "a-boundary-of-the-tests"
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        body = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
        return self._send(
            "POST", f"/collections/{collection}/documents/", body, f"multipart/form-data; boundary={boundary}"
        )

    def _send(self, method: str, path: str, body: bytes | None, media_type: str) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": media_type}
        connection.request(method, f"/api/v1{path}", body, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        assert answer.status < 300, content.decode()
        return json.loads(content) if content else None

    def stop(self) -> float:
        """Stop it as Ctrl-C does; the seconds that took."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(2 * STOPPING_SECONDS) == 0
        return time.monotonic() - started


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def environment_of(**more: str) -> dict[str, str]:
    """Ours without what the tests have set, so that it starts servers of its own."""
    ours = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "ALLOWED_HOSTS", "KB_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | {"EMBEDDING_MODEL": "hashing", "KB_READ_WORKERS": "1", "PYTHONUNBUFFERED": "1"} | more


def _command(folder: Path, port: int, *options: str) -> list[str]:
    command = [sys.executable, str(REPOSITORY / "manage.py"), "up", "--data-dir", str(folder), "--port", str(port)]
    return [*command, *options]


def start(folder: Path, port: int, *options: str, **environment: str) -> Site:
    """Start it, and return when it answers."""
    printed = folder.with_name(f"{folder.name}.{time.monotonic_ns()}.txt")
    with printed.open("wb") as output:
        process = subprocess.Popen(
            _command(folder, port, *options), env=environment_of(**environment), stdout=output, stderr=output, cwd="/"
        )
    site = Site(Folder(folder), port, process, printed)
    waiting.until(lambda: "answers at" in printed.read_text() or process.poll() is not None, seconds=STARTING_SECONDS)
    assert process.poll() is None, printed.read_text()
    return site


def refused(folder: Path, port: int) -> str:
    """What it says when it does not start."""
    ended = subprocess.run(
        _command(folder, port), env=environment_of(), capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    return ended.stderr.strip()
