"""An encoder on a server that is not ours: llama.cpp, with the weights that the local encoder has too."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

import numpy as np
import openai
import pytest

from embeddings import endpoint, offer, prompts, remote
from embeddings.encoder import Embeddings, EncoderError, EncoderUnavailable
from embeddings.endpoint import Endpoint, Patience
from embeddings.local import LocalEncoder
from embeddings.remote import RemoteEncoder
from tests import site
from tests.embeddings import gguf, llama_cpp, sentences

TEXTS = [text[:50] for texts in sentences.SENTENCES.values() for text in texts]


@dataclass
class Server:
    file: Path
    port: int
    process: Popen[str]

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(f"http://127.0.0.1:{self.port}/v1")

    def start_again(self) -> None:
        self.process = llama_cpp.start(self.file, self.port)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def server(qwen_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    file = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    gguf.write(qwen_folder, file)
    port = site.free_port()
    server = Server(file, port, llama_cpp.start(file, port))
    yield server
    server.kill()


@pytest.fixture(scope="module")
def local(qwen_folder: Path) -> LocalEncoder:
    return LocalEncoder(qwen_folder, device="cpu", dtype="float32")


def encoder_of(server: Server, local: LocalEncoder, *, dimensions: int | None = None) -> RemoteEncoder:
    about = offer.describe(server.endpoint, "", prompts_of=prompts.of_model, dimensions=dimensions, max_tokens=512)
    known = RemoteEncoder(server.endpoint, about, tokenizer=local.tokenizer).probe()
    return RemoteEncoder(server.endpoint, about, tokenizer=local.tokenizer, known=known)


def least_cosine(one: Embeddings, other: Embeddings) -> float:
    return float(np.einsum("ij,ij->i", one, other).min())


def test_it_is_described(server, local):
    about = encoder_of(server, local).description
    assert (about.name, about.dimensions, about.max_tokens) == (llama_cpp.NAME, 64, llama_cpp.CONTEXT)
    with pytest.raises(EncoderError, match=f"has no model 'other'; it has {llama_cpp.NAME}"):
        offer.describe(server.endpoint, "other", prompts_of=prompts.of_model, dimensions=None, max_tokens=512)


def test_it_gives_what_the_local_encoder_gives(server, local):
    encoder = encoder_of(server, local)
    passages = encoder.encode_passages(TEXTS)
    assert least_cosine(passages, local.encode_passages(TEXTS)) >= 0.9999
    queries = [text[:20] for text in TEXTS]
    legal = "Given a legal question, retrieve rulings"
    for instruction in ("", legal):
        found = encoder.encode_queries(queries, instruction=instruction)
        assert least_cosine(found, local.encode_queries(queries, instruction=instruction)) >= 0.9999
    encoder.verify()


def test_dimensions_that_it_ignores_are_cut_here(server, local, qwen_folder):
    shorter = LocalEncoder(qwen_folder, dimensions=16, device="cpu", dtype="float32")
    found = encoder_of(server, local, dimensions=16).encode_passages(TEXTS)
    assert least_cosine(found, shorter.encode_passages(TEXTS)) >= 0.9999


def test_a_text_too_long_for_it_is_at_fault_alone(server, local):
    encoder = encoder_of(server, local)
    with pytest.raises(EncoderError, match="context size"):
        encoder.encode_passages([*TEXTS[:3], "x" * 300])
    assert encoder.encode_passages(TEXTS[:3]).shape == (3, 64)


def test_it_is_waited_for_while_it_is_gone(server, local, monkeypatch):
    monkeypatch.setattr(remote, "PASSAGES", Patience(attempts=3, answer_seconds=10, total_seconds=10))
    monkeypatch.setattr(endpoint, "_FIRST_PAUSE", 0.001)
    encoder = encoder_of(server, local)
    before = encoder.encode_passages(TEXTS)

    def killing() -> None:
        if server.process.poll() is None:
            server.kill()

    with pytest.raises(EncoderUnavailable, match="cannot be reached"):
        encoder.encode_passages(TEXTS * 20, between=killing)
    server.start_again()
    np.testing.assert_allclose(encoder.encode_passages(TEXTS), before, atol=1e-5)


def test_openai_s_client_reads_what_we_read(server, local):
    client = openai.OpenAI(base_url=str(server.endpoint.url), api_key="none")
    theirs = client.embeddings.create(model=llama_cpp.NAME, input=TEXTS).data
    ours = encoder_of(server, local).encode_passages(TEXTS)
    assert least_cosine(ours, np.array([one.embedding for one in theirs], dtype=np.float32)) >= 0.9999
