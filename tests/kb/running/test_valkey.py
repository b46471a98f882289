"""The embedded Valkey keeps what it was given, also when it is killed."""

import signal
import subprocess
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from kb.running import valkey
from kb.running.folder import Folder
from kb.running.refusals import Refusal


@pytest.fixture
def store(tmp_path: Path) -> valkey.Store:
    folder = Folder(tmp_path / 'a "quoted" folder')
    folder.make()
    store = valkey.Store(folder)
    store.prepare()
    return store


def _start(store: valkey.Store) -> subprocess.Popen[bytes]:
    server = store.program().start(subprocess.DEVNULL, subprocess.DEVNULL)
    store.await_answer(server)
    return server


def test_a_message_survives_a_kill(store: valkey.Store) -> None:
    server = _start(store)
    with redis.Redis.from_url(store.url) as client:
        client.lpush("queue", "message")
        # The file is written once a second; this is answered when that has happened.
        client.execute_command("WAITAOF", 1, 0, 5000)
    server.kill()
    server.wait()
    again = _start(store)
    with redis.Redis.from_url(store.url) as client:
        assert client.lrange("queue", 0, -1) == [b"message"]
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    again.send_signal(signal.SIGTERM)
    assert again.wait(10) == 0


def test_it_wants_a_password_and_listens_on_no_port(store: valkey.Store) -> None:
    server = _start(store)
    stranger = redis.Redis(unix_socket_path=str(store.socket), retry=Retry(NoBackoff(), 0))
    with stranger as client, pytest.raises(redis.AuthenticationError):
        client.ping()
    with redis.Redis.from_url(store.url) as client:
        assert client.config_get("port") == {"port": "0"}
    server.terminate()
    server.wait(10)


def test_a_server_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(Refusal, match="The server at REDIS_URL does not answer"):
        valkey.check("redis://127.0.0.1:9/0")
