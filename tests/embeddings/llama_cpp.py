"""llama.cpp's own server as a process, from the wheel `xllamacpp`."""

import subprocess
import sys
from pathlib import Path

from kb.running.folder import REPOSITORY

NAME = "tiny-qwen3-embedding"
CONTEXT = 256
SLOTS = 4


def start(file: Path, port: int) -> subprocess.Popen[str]:
    """Start it, and return when it answers. It ends when its standard input does."""
    command = [sys.executable, "-m", "tests.embeddings.llama_cpp", str(file), str(port)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=REPOSITORY
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "ready"
    return process


def _serve(file: str, port: int) -> None:
    import xllamacpp  # here alone: the tests' own process has no use for 100 MB of it

    parameters = xllamacpp.CommonParams()
    parameters.model.path = file
    parameters.model_alias = {NAME}
    parameters.port = port
    parameters.embedding = True
    parameters.n_parallel = SLOTS
    parameters.n_ctx = CONTEXT * SLOTS
    parameters.n_batch = parameters.n_ubatch = CONTEXT
    parameters.cpuparams.n_threads = 1
    server = xllamacpp.Server(parameters)
    print("ready", flush=True)
    sys.stdin.read()
    del server


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]))
