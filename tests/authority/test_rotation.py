"""The authority's keys change while it runs: what was signed stays good until it ends."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from temporalio.client import Client

from placet.authority import AuthoritySettings, SigningKeys, Store, create_log, rotate_keys
from placet.client import OperatorClient
from placet.tokens import SigningKey
from placet.tokens._jws import parse_jws
from tests.harness.world import PASSPHRASE, free_port, serving, until


def kid_of(client: OperatorClient) -> str:
    """The id of the key that signed the client's session."""
    assert client._session is not None
    return parse_jws(client._session[0]).kid or ""


@dataclass
class Running:
    """An authority whose clock a test sets forward."""

    settings: AuthoritySettings
    admin: SigningKey
    ahead: timedelta = timedelta(0)

    def now(self) -> datetime:
        """The clock of the authority and of its clients."""
        return datetime.now(UTC) + self.ahead

    def ada(self) -> OperatorClient:
        """A client without a session yet."""
        return OperatorClient(self.settings.issuer, "operator:ada", self.admin, clock=self.now)

    async def published(self) -> set[str]:
        """The ids of the keys in the JWKS."""
        async with httpx.AsyncClient() as http:
            found = (await http.get(f"{self.settings.issuer}/.well-known/jwks.json")).json()
        return {each["kid"] for each in found["keys"]}


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    """An authority alone; Temporal is away, and nobody asks for it."""
    port = free_port()
    settings = AuthoritySettings(
        issuer=f"http://127.0.0.1:{port}",
        port=port,
        database_url=f"sqlite:///{tmp_path / 'authority.db'}",
        key_passphrase=PASSPHRASE,
    )
    made = Running(settings, SigningKey.generate())
    async with await Store.open(settings.database_url, origin=settings.origin) as store:
        await create_log(store, SigningKeys(PASSPHRASE), [("ada", made.admin.public)])
    temporal = await Client.connect(f"127.0.0.1:{free_port()}", lazy=True)
    async with serving(settings, temporal, clock=made.now):
        yield made


async def test_old_tokens_verify_until_they_end(running: Running) -> None:
    """RFC 7517 rotation with overlap: published first, signing later, gone when nothing needs it."""
    (old,) = await running.published()
    async with running.ada() as first, running.ada() as late, running.ada() as new:
        await first.cases()
        assert kid_of(first) == old
        async with await Store.open(
            running.settings.database_url, origin=running.settings.origin
        ) as store:
            key, signs_from = await rotate_keys(store, SigningKeys(PASSPHRASE))
        assert timedelta(minutes=9) < signs_from - running.now() <= timedelta(minutes=10)

        async def both() -> bool:
            return await running.published() == {old, key}

        await until(both)  # the running authority looks every few seconds
        running.ahead = timedelta(minutes=9)
        await late.cases()
        assert kid_of(late) == old, "signed before everyone can have seen the new key"
        running.ahead = timedelta(minutes=11)
        await new.cases()
        assert kid_of(new) == key
        await first.cases()
        running.ahead = timedelta(minutes=16)
        await late.cases()
        assert kid_of(late) == old, "it asked for another session though its own was good"
        await first.cases()
        assert kid_of(first) == key, "its session has ended"
        running.ahead = timedelta(minutes=26)
        assert await running.published() == {key}
        await late.cases()
        assert kid_of(late) == key
