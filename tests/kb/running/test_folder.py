"""The data folder: what it makes, whom it keeps out, where it puts sockets."""

import os
from pathlib import Path

import pytest

from kb.running.folder import Folder
from kb.running.refusals import Refusal


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    folder = Folder(tmp_path / "data")
    folder.make()
    return folder


def test_it_makes_private_folders(folder: Folder) -> None:
    for path in (folder.logs, folder.run, folder.secrets, folder.sockets):
        assert path.stat().st_mode & 0o777 == 0o700


def test_a_secret_is_made_once_and_only_its_owner_reads_it(folder: Folder) -> None:
    secret = folder.secret("some")
    assert len(secret) >= 40
    assert Folder(folder.path).secret("some") == secret
    assert folder.secret("other") != secret
    assert (folder.secrets / "some").stat().st_mode & 0o777 == 0o600


def test_the_environment_is_written_for_other_commands(folder: Folder) -> None:
    folder.write_environment({"A": "1", "B": "two words"})
    assert folder.environment_file.read_text() == "A=1\nB=two words\n"
    assert folder.environment_file.stat().st_mode & 0o777 == 0o600


def test_a_second_lock_is_refused_with_the_number_of_the_first_process(folder: Folder) -> None:
    with folder.lock(), pytest.raises(Refusal, match=rf"already runs on .* \(process {os.getpid()}\)"):
        folder.lock()
    folder.lock().close()


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Refusal, match="cannot be written: Not a directory"):
        Folder(tmp_path / "file" / "data").make()


@pytest.mark.parametrize("name", ["x" * 100, "with space", "数据"])
def test_sockets_lie_in_a_short_plain_path(tmp_path: Path, name: str) -> None:
    folder = Folder(tmp_path / name)
    folder.make()
    assert not folder.sockets.is_relative_to(folder.path)
    assert folder.sockets.stat().st_mode & 0o777 == 0o700
    folder.sockets.rmdir()


def test_a_folder_for_sockets_that_is_a_link_is_refused(tmp_path: Path) -> None:
    folder = Folder(tmp_path / ("x" * 100))
    folder.sockets.symlink_to(tmp_path)
    try:
        with pytest.raises(Refusal, match="belongs to somebody else"):
            folder.make()
    finally:
        folder.sockets.unlink()
