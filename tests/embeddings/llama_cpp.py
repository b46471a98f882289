"""llama.cpp's own server as a process, from the wheel `xllamacpp`."""

import subprocess
import sys
from pathlib import Path

from kb.running.folder import REPOSITORY

NAME = "tiny-qwen3-embedding"
CONTEXT = 256
CONTEXTS = {"embedding": CONTEXT, "reranking": 1024}
"""A reranker's template alone has 400 bytes."""

SLOTS = 4


def start(file: Path, port: int, *, use: str = "embedding") -> subprocess.Popen[str]:
    """Start it for embeddings or for "reranking", and return when it answers. It ends when its standard input does."""
    command = [sys.executable, "-m", "tests.embeddings.llama_cpp", str(file), str(port), use]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=REPOSITORY
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "ready"
    return process


def _serve(file: str, port: int, use: str) -> None:
    import xllamacpp  # here alone: the tests' own process has no use for 100 MB of it

    parameters = xllamacpp.CommonParams()
    parameters.model.path = file
    parameters.model_alias = {NAME}
    parameters.port = port
    parameters.embedding = True
    if use == "reranking":
        parameters.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_RANK
    parameters.n_parallel = SLOTS
    parameters.n_ctx = CONTEXTS[use] * SLOTS
    parameters.n_batch = parameters.n_ubatch = CONTEXTS[use]
    parameters.cpuparams.n_threads = 1
    server = xllamacpp.Server(parameters)
    print("ready", flush=True)
    sys.stdin.read()
    del server


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]), sys.argv[3])
