"""A file with secrets is read only where nobody else can have read or changed it."""

from __future__ import annotations

from pathlib import Path

import pytest

from camfleet.errors import LocalProtocolError
from camfleet.private_file import read_private


def write(path: Path, mode: int) -> Path:
    path.write_bytes(b"secret")
    path.chmod(mode)
    return path


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_file_of_its_owner_alone_is_read(tmp_path: Path, mode: int) -> None:
    assert read_private(write(tmp_path / "key", mode), 100) == b"secret"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = write(tmp_path / "key", mode)
    with pytest.raises(LocalProtocolError, match=f"found mode {mode:04o}, want 0600"):
        read_private(path, 100)


def test_a_secret_of_a_container_is_read_though_its_mode_is_open(tmp_path: Path) -> None:
    path = write(tmp_path / "bundle.json", 0o444)
    assert read_private(path, 100, secrets_folder=tmp_path) == b"secret"


@pytest.mark.parametrize("mode", [0o646, 0o664])
def test_a_secret_of_a_container_that_others_may_write_is_refused(
    tmp_path: Path, mode: int
) -> None:
    path = write(tmp_path / "bundle.json", mode)
    with pytest.raises(LocalProtocolError, match=f"found mode {mode:04o}"):
        read_private(path, 100, secrets_folder=tmp_path)


def test_a_file_in_a_folder_of_a_container_s_secrets_is_no_secret_of_it(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    path = write(tmp_path / "mine" / "key", 0o444)
    with pytest.raises(LocalProtocolError, match="found mode 0444"):
        read_private(path, 100, secrets_folder=tmp_path)
