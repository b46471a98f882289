"""A measurement with a database and a Redis of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from kb.running.folder import REPOSITORY
from tests import site as site_of
from tests.kb.running import waiting

pytestmark = pytest.mark.slow


def start(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    """With addresses of servers that nobody must ask."""
    environment = site_of.environment_of(
        TMPDIR=str(folder), DATABASE_URL="postgresql://nobody@127.0.0.1:1/x", REDIS_URL="redis://127.0.0.1:1"
    )
    return subprocess.Popen(
        [sys.executable, "manage.py", "bench", *arguments, "--own-servers"],
        cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_it_measures_and_leaves_nothing(tmp_path):
    process = start(tmp_path, "write", "--count", "16", "--dimensions", "64", "--rounds", "1", "--json")
    printed, complaints = process.communicate(timeout=300)
    assert process.returncode == 0, complaints
    figures = json.loads(printed)
    assert (figures["rows"], figures["goals"]) == (16, {"of_copy": 0.8, "times_bulk_create": 30})
    assert list(tmp_path.iterdir()) == []


def test_what_is_wrong_with_the_command_is_said(tmp_path):
    process = start(tmp_path, "write", "--count", "many")
    _printed, complaints = process.communicate(timeout=300)
    assert process.returncode == 2
    assert "invalid int value: 'many'" in complaints
    assert list(tmp_path.iterdir()) == []


def test_told_to_stop_it_leaves_nothing_either(tmp_path):
    process = start(tmp_path, "write")
    waiting.until(lambda: list(tmp_path.glob("*/postgres")), seconds=60)
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert list(tmp_path.iterdir()) == []
