"""What every test stands on."""

import contextlib
import functools
import gc
import importlib
import os
import shutil
import sqlite3
import sqlite3.dbapi2
import ssl
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from sqlalchemy import Dialect
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from placet.authority import _payload_keys
from placet.authority._store import _prepared
from tests.authority.throwaway_postgresql import PostgresqlCluster, find_binaries

_IN_MEMORY = Path("/dev/shm")  # noqa: S108 - pytest makes its own folder there
_ROOM = 4 * 2**30  # bytes: what the tests need at once, several times over
if "TMPDIR" not in os.environ and _IN_MEMORY.is_dir():
    # Nobody cuts a test's power: what it writes need not wait for the disk.
    if shutil.disk_usage(_IN_MEMORY).free >= _ROOM:
        os.environ["TMPDIR"] = tempfile.tempdir = str(_IN_MEMORY)

# Temporal's servers look for garbage seldom: that is a tenth of their work.
os.environ.setdefault("GOGC", "400")

gc.disable()  # until the tests are collected, which leaves no garbage: looking takes two fifths

# A busy machine is no failure; pytest's own limit finds what hangs.
settings.register_profile("placet", deadline=None)
settings.load_profile("placet")

# Every client of a test's own would read the certificates anew, 45 ms each.
ssl.create_default_context = functools.cache(ssl.create_default_context)

# It is not installed, and httpcore looks for it on all paths at every request.
sys.modules.setdefault("sniffio", None)  # type: ignore[arg-type]  # how Python says: not there

# Each log has a salt of its own, but is opened again and again: 50 ms each.
_payload_keys._stretched = functools.cache(_payload_keys._stretched)

# Each store has engines of its own, and compiles for each what it says, 5 ms a statement.
_dialects: dict[type[Dialect], Dialect] = {}
_prepare = _prepared._prepare
_prepared._prepare = lambda statement, dialect, keys: _prepare(
    statement, _dialects.setdefault(type(dialect), dialect), keys
)

if sys.version_info < (3, 13):  # which say nothing of a connection that nobody closed

    class _Connection(sqlite3.Connection):
        def __del__(self) -> None:
            with contextlib.suppress(sqlite3.ProgrammingError):  # it is closed
                _ = self.total_changes
                warnings.warn(f"unclosed database in {self!r}", ResourceWarning, stacklevel=1)

    sqlite3.connect = functools.partial(sqlite3.connect, factory=_Connection)
    sqlite3.dbapi2.connect = sqlite3.connect

LONGEST = ("kill", "deploy", "workflows", "audit", "tui", "cli")
SHARING = ("workflows", "audit")
"""Folders whose modules share what takes long to make: one process has the whole folder."""


class Sharing(LoadScopeScheduling):
    """Files are given to processes as a whole, and some folders."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        folder = file.split("/")[1]
        return folder if folder in SHARING else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Sharing:
    """How the tests are shared out when there is more than one process."""
    return Sharing(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no process is left alone with it at the end."""
    order = {name: place for place, name in enumerate(LONGEST)}
    folders = {item: item.path.relative_to(Path(__file__).parent).parts[0] for item in items}
    items.sort(key=lambda item: order.get(folders[item], len(order)))


def pytest_sessionstart(session: pytest.Session) -> None:
    """Each process loads another share of the tests first.

    It rewrites their asserts, which takes longer than all else until the first test of a new clone;
    what the others have rewritten meanwhile is read from their files.
    """
    given = getattr(session.config, "workerinput", None)
    if given is None or session.config.args != ["tests"]:
        return
    here = Path(__file__).parent
    files = sorted(here.rglob("test_*.py"))
    for file in files[int(given["workerid"].removeprefix("gw")) :: given["workercount"]]:
        importlib.import_module(".".join(file.relative_to(here.parent).with_suffix("").parts))


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    """Look for garbage from now on, and never again at what has been loaded.

    And seldom: as often as Python does by itself, it takes a twentieth of all time.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    gc.enable()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlCluster]:
    """One throw-away cluster for each test process."""
    binaries = find_binaries()
    if binaries is None:
        if os.environ.get("PLACET_REQUIRE_POSTGRESQL") == "1":
            pytest.fail("PLACET_REQUIRE_POSTGRESQL=1, but initdb and postgres are not installed")
        pytest.skip("NOT TESTED ON POSTGRESQL: initdb and postgres are not installed")
    cluster = PostgresqlCluster(binaries)
    yield cluster
    cluster.remove()
