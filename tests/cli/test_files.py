"""Files that commands write, where there is no room: whole, or as it was before."""

import contextlib
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from placet.cli._output import CommandFailed, write_bytes
from placet.cli._papers import _keep

DATA = b"x" * 100_000


@contextlib.contextmanager
def _room(size: int) -> Iterator[None]:
    """No file grows beyond a size: what a full disk does, at a place that a test can choose."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("room", [0, 50_000])
def test_no_half_of_a_new_file_is_left(tmp_path: Path, room: int) -> None:
    """I12: half a letter would pass for the whole, and the next run would find a file there."""
    path = tmp_path / "letter.txt"
    with _room(room), pytest.raises(OSError, match="File too large: '.*letter.txt'"):
        _keep(path, DATA, as_json=False)
    assert [*tmp_path.iterdir()] == []
    _keep(path, DATA, as_json=False)
    with pytest.raises(CommandFailed, match="is there already"):
        _keep(path, b"another", as_json=False)
    assert path.read_bytes() == DATA


@pytest.mark.parametrize("room", [0, 50_000])
def test_what_is_written_over_stays_until_the_new_one_is_whole(tmp_path: Path, room: int) -> None:
    """I12: as what an administrator is to sign, or who signed in with a key."""
    path = tmp_path / "case.zip"
    write_bytes(path, b"before")
    with _room(room), pytest.raises(OSError, match="File too large: '.*case.zip'"):
        write_bytes(path, DATA)
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [b"before"]
    write_bytes(path, DATA)
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [DATA]
