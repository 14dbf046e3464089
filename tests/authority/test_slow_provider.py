"""An identity provider so slow that another process asks it about the same session meanwhile."""

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from placet.authority import AuthoritySettings, SigningKeys, Store, create_log
from placet.authority._core import Core
from placet.authority._errors import Unavailable
from placet.authority._provider import Person, Provider, ProviderRefused
from placet.authority._sessions import Renewal, Sessions
from placet.authority._store import GovernanceRow, SessionRow, Tx
from placet.model import Governance, GroupRoles, IdentityProvider, canonical_json
from placet.tokens import SigningKey
from tests.harness.crowd import NOON
from tests.harness.world import PASSPHRASE

RULES = IdentityProvider(
    issuer="https://idp.example",
    client_id="placet",
    roles=(GroupRoles(group="clerks", roles=("clerk",)),),
)


def vouched(token: str, *groups: str) -> Person:
    """The provider's good word, with the token for the next question."""
    return Person(cast("Any", None), "cleo", groups or ("clerks",), token)


@dataclass
class Slow:
    """A provider whose answers come when a test says so."""

    asked: list[str] = field(default_factory=list)
    answers: list["asyncio.Future[Person]"] = field(default_factory=list)

    async def refresh(self, _: IdentityProvider, token: str, nonce: str, subject: str) -> Person:
        assert (nonce, subject) == ("n", "u-1")
        self.asked.append(token)
        self.answers.append(asyncio.get_running_loop().create_future())
        return await self.answers[-1]

    async def was_asked(self, count: int) -> None:
        """Wait until it was asked so often."""
        async with asyncio.timeout(60):
            while len(self.asked) < count:
                await asyncio.sleep(0.01)


@dataclass
class Made:
    """A session of cleo's, and who looks after it by a clock that a test sets forward."""

    slow: Slow = field(default_factory=Slow)
    now: datetime = NOON
    core: Core = field(init=False)
    row: SessionRow = field(init=False)

    async def ask(self) -> bool:
        """Ask about the session as it was at first, as a process of its own does."""
        return await Sessions(self.core, cast(Provider, self.slow)).recheck_one(self.row)

    async def session(self) -> SessionRow:
        """The session as it is."""
        found = await self.core.store.read(lambda reader: reader.get(SessionRow, self.row.id))
        assert found is not None
        return found


@contextlib.asynccontextmanager
async def asked(folder: Path) -> AsyncIterator[Made]:
    """A session that is due to be asked about."""
    made = Made()
    settings = AuthoritySettings(
        issuer="http://127.0.0.1:1",
        database_url=f"sqlite:///{folder / 'authority.db'}",
        key_passphrase=PASSPHRASE,
    )
    keys, origin = SigningKeys(PASSPHRASE), settings.origin
    store = await Store.open(settings.database_url, origin=origin, clock=lambda: made.now)
    async with store:
        await create_log(store, keys, [("ada", SigningKey.generate().public)])
        made.core = Core(settings, store, cast("Any", None), keys, lambda: made.now, os.urandom)
        made.row = SessionRow(
            id="session-1",
            principal="operator:cleo",
            thumbprint="t",
            issuer=RULES.issuer,
            subject_digest="d",
            roles_json=json.dumps(["clerk"]),
            sealed=Renewal(token="old", nonce="n", sub="u-1").sealed(made.core),
            started_at=NOON,
            ends_at=NOON + timedelta(hours=8),
            next_check_at=NOON,
            vouched_at=NOON,
            status="active",
        )

        def begin(tx: Tx) -> None:
            rules = Governance(version=1, identity_provider=RULES)
            body = canonical_json(rules).decode()
            tx.add(GovernanceRow(version=1, body_json=body, published_at=NOON))
            tx.add(made.row)

        await store.write(begin)
        yield made


@pytest.mark.parametrize(
    "late",
    [
        ProviderRefused("invalid_grant"),
        Unavailable("it is away"),
        vouched("first"),
        vouched("first", "canteen"),
    ],
    ids=["refused", "away", "vouched", "other-groups"],
)
async def test_what_it_says_too_late_undoes_no_newer_answer(
    tmp_path: Path, late: Person | Exception
) -> None:
    """I10: a refresh token is asked with once; what is said of an old one is of no session now."""
    async with asked(tmp_path) as made:
        first = asyncio.create_task(made.ask())
        await made.slow.was_asked(1)
        made.now += timedelta(seconds=31)
        second = asyncio.create_task(made.ask())
        await made.slow.was_asked(2)
        made.slow.answers[1].set_result(vouched("newer"))
        await second
        answered = await made.session()
        if isinstance(late, Exception):
            made.slow.answers[0].set_exception(late)
        else:
            made.slow.answers[0].set_result(late)
        await first
        found = await made.session()
        assert found == answered
        assert Renewal.opened(made.core, found.sealed or "").token == "newer"


async def test_who_gives_up_leaves_the_asking_to_who_asks_now(tmp_path: Path) -> None:
    """I10: else a third would send the refresh token once more, and end the session with it."""
    async with asked(tmp_path) as made:
        first = asyncio.create_task(made.ask())
        await made.slow.was_asked(1)
        made.now += timedelta(seconds=31)
        second = asyncio.create_task(made.ask())
        await made.slow.was_asked(2)
        asking = await made.session()
        made.slow.answers[0].set_exception(Unavailable("it is away"))
        await first
        assert await made.session() == asking
        made.slow.answers[1].set_result(vouched("newer"))
        await second
