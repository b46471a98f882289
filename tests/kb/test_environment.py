"""Settings of an encoder on a server, and the sentence with which one that makes no sense stops the start."""

import environs
import pytest

from kb.config import environment
from kb.config.environment import BadSetting

ENV = environs.Env()
URL = "http://gpu:8000/v1"


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("", ""),
        ("http://gpu:8000/v1", URL),
        ("http://gpu:8000/v1/", URL),
        ("http://gpu:8000", URL),
        ("http://gpu:8000/", URL),
        ("https://example.org/openai/v1", "https://example.org/openai/v1"),
        ("http://[::1]:8000", "http://[::1]:8000/v1"),
    ],
)
def test_an_address_is_as_clients_take_it(monkeypatch, given, url):
    monkeypatch.setenv("EMBEDDING_URL", given)
    assert environment.embeddings_url(ENV) == url


@pytest.mark.parametrize(
    "given", ["gpu:8000", "ftp://gpu/v1", "http://", "http://gpu:port/v1", "http://gpu:99999/v1", "http://gpu/v1?key=x"]
)
def test_what_is_no_address_is_refused(monkeypatch, given):
    monkeypatch.setenv("EMBEDDING_URL", given)
    with pytest.raises(BadSetting, match="it must be an address such as"):
        environment.embeddings_url(ENV)


def test_a_password_in_the_address_is_refused_and_not_repeated(monkeypatch):
    monkeypatch.setenv("EMBEDDING_URL", "http://me:my-secret@gpu/v1")
    with pytest.raises(BadSetting, match="a key belongs in EMBEDDING_API_KEY") as refused:
        environment.embeddings_url(ENV)
    assert "my-secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("", ""),
        ("http://gpu:8001", "http://gpu:8001"),
        ("http://gpu:8001/rerank", "http://gpu:8001"),
        ("https://api.jina.ai/v1/rerank/", "https://api.jina.ai/v1"),
    ],
)
def test_a_reranker_s_address_may_end_where_it_is_asked(monkeypatch, given, url):
    monkeypatch.setenv("RERANKER_URL", given)
    assert environment.reranker_url(ENV) == url


def test_a_key_needs_a_server(monkeypatch):
    monkeypatch.setenv("EMBEDDING_API_KEY", "my-secret")
    assert environment.key_of(ENV, "EMBEDDING", URL) == "my-secret"
    with pytest.raises(BadSetting, match="EMBEDDING_API_KEY is set, and EMBEDDING_URL is not") as refused:
        environment.key_of(ENV, "EMBEDDING", "")
    assert "my-secret" not in str(refused.value)


@pytest.mark.parametrize("key", ["my secret", "my-secret\n", "my-sécret"])
def test_a_key_that_no_header_carries_is_refused_and_not_repeated(monkeypatch, key):
    monkeypatch.setenv("EMBEDDING_API_KEY", key)
    with pytest.raises(BadSetting, match="characters that no key has") as refused:
        environment.key_of(ENV, "EMBEDDING", URL)
    assert key not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "prompt"),
    [("", None), ("none", ""), ("query: ", "query: "), (r"Instruct: Find\nQuery:", "Instruct: Find\nQuery:")],
)
def test_a_prompt_is_one_line(monkeypatch, given, prompt):
    monkeypatch.setenv("EMBEDDING_QUERY_PROMPT", given)
    assert environment.prompt(ENV, "EMBEDDING_QUERY_PROMPT", URL) == prompt


@pytest.mark.parametrize(
    ("given", "url", "sentence"),
    [
        ("Instruct: Find\nQuery:", URL, r"EMBEDDING_QUERY_PROMPT must be one line: write a line break as \\n\."),
        ("query: ", "", "EMBEDDING_QUERY_PROMPT is for a model on a server: EMBEDDING_URL is not set"),
    ],
)
def test_a_prompt_that_cannot_be_is_refused(monkeypatch, given, url, sentence):
    monkeypatch.setenv("EMBEDDING_QUERY_PROMPT", given)
    with pytest.raises(BadSetting, match=sentence):
        environment.prompt(ENV, "EMBEDDING_QUERY_PROMPT", url)
