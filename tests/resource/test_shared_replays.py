"""Two replicas of one system, each served, with their used proofs in one database."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, event, insert, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.orm import registry
from sqlalchemy.pool import NullPool
from sqlmodel import SQLModel

from placet.resource import BadToken, _feed, shared
from placet.resource._replay import REMEMBERED
from placet.resource.shared import SharedReplayCache, UsedProofs
from placet.tokens import Proof, SigningKey
from tests.authority.throwaway_postgresql import PostgresqlCluster
from tests.harness.databases import KINDS, new_database
from tests.resource.simulator import SYSTEM, Authority, Clock, Library, guarded

KEY = SigningKey.generate().public
ADDRESS = "https://library.example"
"""The balancer's: as callers know the replicas."""


class Base(SQLModel, registry=registry()):
    """The base of a system's own tables."""


class Used(Base, UsedProofs, table=True):
    """The table, as a system declares it among its own."""


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of the system's own, with the table."""
    with new_database(request, request.param, tmp_path) as made:
        with opened(made) as engine:
            Used.metadata.create_all(engine)
        yield made


@contextlib.contextmanager
def opened(url: str) -> Iterator[Engine]:
    """A system's own connections, with bounded waits."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        options = "-c lock_timeout=5000 -c statement_timeout=5000"
        engine = create_engine(
            parsed.set(drivername="postgresql+psycopg"), connect_args={"options": options}
        )
    else:
        engine = create_engine(parsed, connect_args={"timeout": 5}, poolclass=NullPool)
    try:
        yield engine
    finally:
        engine.dispose()


@dataclass
class Replicas:
    """Two of one system."""

    first: Library
    second: Library

    def proof(self, token: str) -> str:
        """A proof that either could accept."""
        return self.first.proof(token, url=f"{ADDRESS}/books/1")


@pytest.fixture
async def replicas(
    url: str, authority: Authority, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Replicas]:
    """Two, with connections of their own."""
    monkeypatch.setattr(_feed, "_PAUSE", 0.01)
    async with contextlib.AsyncExitStack() as stack:
        made = []
        for _ in range(2):
            cache = SharedReplayCache(SYSTEM, stack.enter_context(opened(url)), Used)
            made.append(await stack.enter_async_context(guarded(authority, clock, cache, ADDRESS)))
        made[1].holder = made[0].holder
        yield Replicas(*made)


def rows(url: str) -> list[tuple[str, int]]:
    """What the database remembers."""
    with opened(url) as engine, engine.connect() as connection:
        return [tuple(row) for row in connection.execute(select(Used.proof, Used.until))]  # type: ignore[call-overload]  # columns, on the class


@pytest.mark.parametrize("many", [2, 30])
async def test_of_many_at_two_replicas_at_once_one_is_taken(many: int, replicas: Replicas) -> None:
    """I11: N requests with one proof are one request, whichever replicas they reach."""
    for _ in range(5):
        token = replicas.first.grant()
        proof = replicas.proof(token)
        both = (replicas.first, replicas.second)
        answers = await asyncio.gather(*(both[each % 2].read(token, proof) for each in range(many)))
        assert sorted(each.status_code for each in answers) == [200] + [401] * (many - 1)
        refused = next(each for each in answers if each.status_code == 401)
        assert refused.json()["error"] == "invalid_dpop_proof"
        assert "used before" in refused.json()["error_description"]


async def test_what_is_remembered_is_a_digest(replicas: Replicas, url: str) -> None:
    """I7: neither the proof, nor its id, nor the key's thumbprint is in the database."""
    token = replicas.first.grant()
    chosen = "an-id-of-the-callers-own"
    proof = replicas.first.proof(token, url=f"{ADDRESS}/books/1", jti=chosen)
    assert (await replicas.second.read(token, proof)).status_code == 200
    ((kept, _),) = rows(url)
    assert kept.startswith("sha-256:")
    assert chosen not in kept


@pytest.mark.parametrize("lost", ["table", "database"])
async def test_without_the_memory_nothing_passes(
    lost: str,
    replicas: Replicas,
    url: str,
    request: pytest.FixtureRequest,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """I12: whether a proof was used can't be told: 503, and why is logged; then it goes on."""
    token = replicas.first.grant()
    assert (await replicas.first.read(token, replicas.proof(token))).status_code == 200
    with caplog.at_level(logging.WARNING, "placet.resource"), away(lost, url, request):
        for each in (replicas.first, replicas.second):
            refused = await each.read(token, replicas.proof(token))
            assert refused.status_code == 503
            assert refused.headers["Retry-After"] == "1"
            assert refused.json()["error"] == "temporarily_unavailable"
            assert "used before can't be told" in refused.json()["error_description"]
    assert "library: used proofs can't be told" in caplog.text

    async def again() -> bool:
        # A connection that was cut is found to be when it is used the next time.
        return (await replicas.second.read(token, replicas.proof(token))).status_code == 200

    async with asyncio.timeout(60):
        while not await again():
            await asyncio.sleep(0.02)


@contextlib.contextmanager
def away(lost: str, url: str, request: pytest.FixtureRequest) -> Iterator[None]:
    """The table has another name, or no connection to the database can be made."""
    parsed = make_url(url)
    if lost == "table":
        with opened(url) as engine:
            for old, new in (("used", "elsewhere"), ("elsewhere", "used")):
                with engine.begin() as connection:
                    connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))
                if new == "elsewhere":
                    yield
        return
    assert parsed.database is not None
    if parsed.get_backend_name() == "postgresql":
        cluster: PostgresqlCluster = request.getfixturevalue("postgresql")
        with cluster.outage(parsed.database):
            yield
        return
    file = Path(parsed.database)
    kept = file.rename(file.with_suffix(".kept"))
    file.mkdir()
    yield
    file.rmdir()
    kept.rename(file)


async def test_a_proof_is_swept_when_no_replica_could_accept_it(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not before, by a clock that is minutes ahead; and no sweep is of all at once."""
    monkeypatch.setattr(shared, "_MOST", 3)
    clock = Clock()
    with opened(url) as engine:
        ahead, behind = (SharedReplayCache(SYSTEM, engine, Used) for _ in range(2))
        for number in range(5):
            await behind.use(Proof(f"old-{number}", KEY.thumbprint, 0, KEY), clock.now)
        far = clock.now + REMEMBERED + timedelta(minutes=4)
        await ahead.use(Proof("another", KEY.thumbprint, 0, KEY), far)
        for number in range(5):
            with pytest.raises(BadToken):
                await behind.use(Proof(f"old-{number}", KEY.thumbprint, 0, KEY), clock.now)
        over = clock.now + REMEMBERED + timedelta(minutes=5, seconds=1)
        left = []
        for number in range(3):
            # Within a second of the last, nobody sweeps again.
            for more in range(2):
                proof = Proof(f"new-{number}-{more}", KEY.thumbprint, 0, KEY)
                await ahead.use(proof, over + timedelta(seconds=number))
            left.append(len(rows(url)))
    assert left == [6 - 3 + 2, 5 - 2 + 2, 5 + 2]


async def test_systems_may_share_a_table(url: str) -> None:
    """One system's proofs are none of another's: each is for one address."""
    clock = Clock()
    proof = Proof("the-same", KEY.thumbprint, 0, KEY)
    with opened(url) as engine:
        for system in ("library", "archive"):
            await SharedReplayCache(system, engine, Used).use(proof, clock.now)
        with pytest.raises(BadToken):
            await SharedReplayCache("archive", engine, Used).use(proof, clock.now)


async def test_a_request_that_is_cancelled_waits_for_its_transaction(url: str) -> None:
    """I12: its proof is used up, and nothing goes on behind whoever stops the process."""
    clock = Clock()
    proof = Proof("cut-off", KEY.thumbprint, 0, KEY)
    with opened(url) as engine, opened(url) as other:
        cache = SharedReplayCache(SYSTEM, engine, Used)
        await cache.use(Proof("first", KEY.thumbprint, 0, KEY), clock.now)
        open_at: list[object] = []
        event.listen(engine, "checkout", lambda connection, *_: open_at.append(connection))
        event.listen(engine, "checkin", lambda connection, *_: open_at.remove(connection))
        with other.connect() as held:
            held.execute(insert(Used), [{"proof": "held", "until": 2**40}])
            if held.dialect.name == "postgresql":
                held.execute(text("LOCK TABLE used IN EXCLUSIVE MODE"))
            using = asyncio.create_task(cache.use(proof, clock.now))
            while not open_at:
                await asyncio.sleep(0.005)
            using.cancel()
            await asyncio.sleep(0)
            assert not using.done()
            held.rollback()
        with pytest.raises(asyncio.CancelledError):
            await using
        assert not open_at
        with pytest.raises(BadToken):
            await cache.use(proof, clock.now)
