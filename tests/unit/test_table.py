"""A table of who may come in is never written so that nobody can read it again."""

from __future__ import annotations

from pathlib import Path

import pytest

from camfleet.errors import LocalProtocolError
from camfleet_hub.table import MOST_TABLE_BYTES, read_rows, write_rows


def test_a_table_that_is_too_large_to_be_read_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "users.json"
    write_rows(path, {"ann": "x" * (MOST_TABLE_BYTES // 2)})
    before = read_rows(path, str)
    with pytest.raises(LocalProtocolError, match=f"bytes, want at most {MOST_TABLE_BYTES}"):
        write_rows(path, {"ann": "x" * MOST_TABLE_BYTES})
    assert read_rows(path, str) == before
