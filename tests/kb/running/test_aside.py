"""A measurement with a database and a Redis of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from kb.running.folder import REPOSITORY
from tests import site as site_of

pytestmark = pytest.mark.slow


def run(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """With addresses of servers that nobody must ask."""
    environment = site_of.environment_of(
        TMPDIR=str(folder), DATABASE_URL="postgresql://nobody@127.0.0.1:1/x", REDIS_URL="redis://127.0.0.1:1"
    )
    return subprocess.run(
        [sys.executable, "manage.py", "bench", *arguments, "--own-servers"],
        cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


def test_it_measures_and_leaves_nothing(tmp_path):
    ended = run(tmp_path, "write", "--count", "16", "--dimensions", "64", "--rounds", "1", "--json")
    assert ended.returncode == 0, ended.stderr
    figures = json.loads(ended.stdout)
    assert (figures["rows"], figures["goals"]) == (16, {"of_copy": 0.8, "times_bulk_create": 30})
    assert list(tmp_path.iterdir()) == []


def test_what_is_wrong_with_the_command_is_said(tmp_path):
    ended = run(tmp_path, "write", "--count", "many")
    assert ended.returncode == 2
    assert "invalid int value: 'many'" in ended.stderr
    assert list(tmp_path.iterdir()) == []
