"""Two whole products: the one encodes for the other, goes away and comes back."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import numpy as np
import openai
import pytest

from embeddings.hashing import HashingEncoder
from tests import site as site_of
from tests.kb.running import waiting
from tests.site import Site

pytestmark = pytest.mark.slow

TIDES = b"# Tides\n\nThe tide turns twice a day.\n\n## Moon\n\nThe moon pulls the sea.\n"
PASSAGE = "Moon\n\nThe moon pulls the sea."
DAYS = b"# Days\n\nA day has a night.\n"


def client_of(site: Site) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"http://127.0.0.1:{site.port}/v1", api_key=site.token, max_retries=0)


def encodes(site: Site) -> bool:
    try:
        return bool(client_of(site).embeddings.create(model="hashing", input="tide").data)
    except openai.InternalServerError:
        return False


@pytest.fixture(scope="module")
def encoding(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = site_of.start(tmp_path_factory.mktemp("encoding") / "data", site_of.free_port())
    waiting.until(lambda: encodes(site), seconds=60)
    yield site
    if site.process.poll() is None:
        site.stop()


@pytest.fixture(scope="module")
def asking(encoding: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A product whose encoder is chosen by the address alone; the other asks for a key."""
    site = site_of.start(
        tmp_path_factory.mktemp("asking") / "data",
        site_of.free_port(),
        EMBEDDING_MODEL="",
        EMBEDDING_URL=f"http://127.0.0.1:{encoding.port}",
        EMBEDDING_API_KEY=encoding.token,
    )
    yield site
    site.stop()


def await_state(site: Site, document: Any, state: str) -> None:
    def reached() -> bool:
        return bool(site.call("GET", f"/documents/{document['id']}/")["state"] == state)

    waiting.until(reached, seconds=90)


def found(site: Site, query: str) -> tuple[str, str]:
    """No query is asked twice: the embedding of one that was asked before is remembered."""
    answer = site.call("POST", "/search/", {"query": query})
    return answer["mode"], answer["hits"][0]["text"]


def test_openai_s_client_is_answered_by_the_embed_process(encoding):
    answer = client_of(encoding).embeddings.create(model="hashing", input=["the tide turns", "twice a day"])
    found = np.array([one.embedding for one in answer.data], dtype=np.float32)
    np.testing.assert_allclose(found, HashingEncoder().encode_passages(["the tide turns", "twice a day"]), atol=1e-6)
    assert answer.usage.prompt_tokens == 6


def test_one_product_encodes_for_another_that_outlives_it(encoding, asking):
    collection = asking.call("POST", "/collections/", {"name": "Field notes"})["id"]
    await_state(asking, asking.upload(collection, "tides.md", TIDES), "ready")
    assert found(asking, "what pulls the sea") == ("hybrid", PASSAGE)

    secret = encoding.token
    encoding.stop()
    assert found(asking, "who pulls the sea") == ("lexical", PASSAGE)
    waits = asking.upload(collection, "days.md", DAYS)
    await_state(asking, waits, "embedding")

    again = site_of.start(encoding.folder.path, encoding.port)
    try:
        await_state(asking, waits, "ready")
        numbers = count()
        waiting.until(lambda: found(asking, f"does it pull the sea {next(numbers)}")[0] == "hybrid", seconds=60)
    finally:
        again.stop()
    logs = "".join(log.read_text("utf-8", "replace") for log in asking.folder.logs.glob("*.log"))
    assert secret not in logs
