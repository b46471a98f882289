"""A reranker on a server that is not ours: llama.cpp, with the weights that the local reranker has too."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from embeddings.endpoint import Endpoint
from embeddings.instructions import instruction_for
from embeddings.local_reranker import LocalReranker
from embeddings.remote_reranker import RemoteReranker
from embeddings.reranker import chances
from tests import site
from tests.embeddings import gguf, llama_cpp, rerankers, sentences

QUERY = "When does the tide turn? 潮水几点转向？"
PASSAGES = [text[:80] for texts in sentences.SENTENCES.values() for text in texts]

TEMPLATE = f"""\
<|im_start|>system
Judge whether the Document meets the requirements based on the Query and the Instruct provided. \
Note that the answer can only be "yes" or "no".<|im_end|>
<|im_start|>user
<Instruct>: {instruction_for("general")}
<Query>: {{query}}
<Document>: {{document}}<|im_end|>
<|im_start|>assistant
<think>

</think>

"""
"""As llama.cpp's own converter writes it into the file."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rerankers.write_qwen(tmp_path_factory.mktemp("qwen"))


@pytest.fixture(scope="module")
def server(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    file = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    gguf.write_reranker(folder, file, template=TEMPLATE)
    port = site.free_port()
    process = llama_cpp.start(file, port, use="reranking")
    yield Endpoint(f"http://127.0.0.1:{port}/v1")
    process.kill()
    process.wait()


def test_it_gives_what_the_local_reranker_gives(server, folder):
    local = LocalReranker(folder, device="cpu", dtype="float32")
    found = chances(RemoteReranker(server).score(QUERY, PASSAGES, until=time.monotonic() + 60))
    assert len(set(found.round(6))) == len(set(PASSAGES))
    assert np.ptp(found) > 0.3
    np.testing.assert_allclose(
        found, chances(local.score(QUERY, PASSAGES)), atol=0.01
    )  # theirs keeps attention in half precision
