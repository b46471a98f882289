"""A server of embeddings that does what a test tells it: well by default, else whatever the next step of its script is.

Its embeddings are the deterministic encoder's, so that what comes back can be told right or wrong.
"""

import json
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from embeddings import openai
from embeddings.endpoint import Endpoint
from embeddings.hashing import HashingEncoder

MODEL = "words"
DIMENSIONS = 64

Body = dict[str, Any]
Step = Callable[["Call", Body], None]


class Call(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    scripted: "Server"

    def handle_one_request(self) -> None:
        """Also what is connected already is answered no more once the server has gone away."""
        super().handle_one_request()
        self.close_connection |= self.scripted.released.is_set()

    def do_GET(self) -> None:
        if self.scripted.released.is_set():
            return
        status, body = self.scripted.pages.get(self.path, (404, {"detail": "Not Found"}))
        self.answer(status, body)

    def do_POST(self) -> None:
        if self.scripted.released.is_set():
            return
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        step = self.scripted.note(self.path, dict(self.headers), body)
        step(self, body)

    def answer(self, status: int, body: Any, **headers: str) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(raw)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the tests read what was asked from `Server.asked`."""


class Server:
    """The server, its script, and what it was asked."""

    served = "/v1/embeddings"

    def __init__(self) -> None:
        self.pages: dict[str, tuple[int, Any]] = {"/v1/models": (200, models({"id": MODEL, "max_model_len": 500}))}
        self.usually: Step = well
        self.script: deque[Step] = deque()
        self.asked: list[tuple[Mapping[str, str], Body]] = []
        self.released = threading.Event()
        """Set when the test is over: steps that wait need not wait any longer."""
        self._writing = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Call,), {"scripted": self}))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def note(self, path: str, headers: Mapping[str, str], body: Body) -> Step:
        """Remember a request, and say what to do with it."""
        with self._writing:
            self.asked.append((headers, body))
            if path != self.served:
                return refusing(404)
            return self.script.popleft() if self.script else self.usually

    @property
    def texts(self) -> list[list[str]]:
        """The texts of each request."""
        return [body["input"] for _, body in self.asked]

    def endpoint(self, key: str = "") -> Endpoint:
        return Endpoint(self.url, key)

    @contextmanager
    def running(self) -> Iterator[Self]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.stop()
            thread.join()

    def stop(self) -> None:
        """Go away: what connects from now on is refused."""
        self.released.set()
        self._server.shutdown()
        self._server.server_close()


def models(*listed: Any) -> Body:
    return {"object": "list", "data": list(listed)}


def answer_of(body: Body) -> Body:
    """What a server answers that does all it is asked."""
    embeddings = HashingEncoder(body.get("dimensions", DIMENSIONS)).encode_passages(body["input"])
    in_base64 = body.get("encoding_format") == "base64"
    return openai.embeddings_body(embeddings, model=body["model"], tokens=1, in_base64=in_base64)


# --- Steps ---


def well(call: Call, body: Body) -> None:
    call.answer(200, answer_of(body))


def another_model(call: Call, body: Body) -> None:
    call.answer(200, answer_of({**body, "input": [text[: len(text) // 2] + " other" for text in body["input"]]}))


def refusing(status: int, message: str = "no", **headers: str) -> Step:
    return lambda call, body: call.answer(status, {"error": {"message": message}}, **headers)


def refusing_fields(*names: str) -> Step:
    """400 to a request with one of these fields."""

    def step(call: Call, body: Body) -> None:
        (refusing(400, f"{names} are not supported") if set(names) & set(body) else well)(call, body)

    return step


def changed(change: Callable[[Body], object]) -> Step:
    """A good answer of floats, changed."""

    def step(call: Call, body: Body) -> None:
        answer = answer_of({**body, "encoding_format": "float"})
        change(answer)
        call.answer(200, answer)

    return step


def dying(call: Call, body: Body) -> None:
    """The connection breaks in the middle of the answer."""
    raw = json.dumps(answer_of(body)).encode()
    call.send_response(200)
    call.send_header("Content-Length", str(len(raw)))
    call.end_headers()
    call.wfile.write(raw[: len(raw) // 2])
    call.wfile.flush()
    call.close_connection = True


def hanging(call: Call, body: Body) -> None:
    """No answer for as long as the test runs."""
    call.scripted.released.wait()
    call.close_connection = True


def speaking_html(call: Call, body: Body) -> None:
    call.answer(200, b"<html>Welcome to nginx!</html>", Content_Type="text/html")
