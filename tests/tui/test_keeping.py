"""A file that the console keeps for its person is whole, or is not there (I12)."""

import resource
from pathlib import Path

import pytest
from textual.app import App

from tui.keeping import keep


def test_half_of_a_file_is_not_left(tmp_path: Path) -> None:
    """I12: the disk is full before the last of it is written."""
    path, (soft, hard) = tmp_path / "case.zip", resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(ValueError, match=r"case\.zip: File too large"):
            keep(App(), path, bytes(20_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not path.exists()
    assert keep(App(), path, b"whole").endswith("case.zip")
    with pytest.raises(ValueError, match="there already"):
        keep(App(), path, b"another")
    assert path.read_bytes() == b"whole"
