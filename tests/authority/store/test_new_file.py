"""A SQLite file that others are just making."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from placet.sqlite import make_durable


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "new.db"


@pytest.fixture
def held(file: Path) -> Iterator[sqlite3.Connection]:
    """The file, as another process has it that is about to bring it to WAL mode."""
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    yield other
    other.close()


def test_whoever_opens_it_waits_until_the_other_is_done(
    file: Path, held: sqlite3.Connection
) -> None:
    """Replicas may start at the same instant; SQLite alone says at once that it is locked."""
    mine = sqlite3.connect(file, timeout=60)
    threading.Timer(0.2, held.execute, ("COMMIT",)).start()
    make_durable(mine)
    assert mine.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert mine.execute("PRAGMA synchronous").fetchone() == (2,)
    mine.close()


@pytest.mark.usefixtures("held")
def test_it_does_not_wait_for_ever(file: Path) -> None:
    mine = sqlite3.connect(file, timeout=0.1)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        make_durable(mine)
    mine.close()
