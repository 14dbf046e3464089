"""An authority alone: no Temporal, no agents, and a clock that a test sets forward."""

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from temporalio.client import Client

from placet.authority import AuthoritySettings, SigningKeys, Store, create_log
from placet.authority._store import Tx
from placet.client import OperatorClient
from placet.tokens import SigningKey
from tests.harness.world import PASSPHRASE, free_port, serving


@dataclass
class Alone:
    """An authority whose clock a test sets forward."""

    settings: AuthoritySettings
    admin: SigningKey
    second: SigningKey
    ahead: timedelta = timedelta(0)

    def now(self) -> datetime:
        """The clock of the authority and of its clients."""
        return datetime.now(UTC) + self.ahead

    def ada(self) -> OperatorClient:
        """A client without a session yet."""
        return OperatorClient(self.settings.issuer, "operator:ada", self.admin, clock=self.now)

    def bea(self) -> OperatorClient:
        """The second administrator, where the log was made with two."""
        return OperatorClient(self.settings.issuer, "operator:bea", self.second, clock=self.now)

    async def core_write(self, run: Callable[[Tx], Any]) -> Any:
        """Write beside the authority, as another replica of it would."""
        store = await Store.open(self.settings.database_url, origin=self.settings.origin)
        async with store:
            return await store.write(run)

    async def jwks(self) -> list[dict[str, str]]:
        """The keys that it publishes."""
        async with httpx.AsyncClient() as http:
            found = await http.get(f"{self.settings.issuer}/.well-known/jwks.json")
        keys: list[dict[str, str]] = found.json()["keys"]
        return keys

    async def published(self) -> set[str]:
        """Their ids."""
        return {each["kid"] for each in await self.jwks()}


@contextlib.asynccontextmanager
async def alone(database_url: str, *, signatures: int = 1, **more: Any) -> AsyncIterator[Alone]:
    """Serve it on a new database; Temporal is away, and nobody asks for it.

    With two ``signatures``, ada and bea are its administrators; ``more`` are further settings.
    """
    port = free_port()
    settings = AuthoritySettings(
        issuer=f"http://127.0.0.1:{port}",
        port=port,
        database_url=database_url,
        key_passphrase=PASSPHRASE,
        **{"rate_strangers": 0, **more},  # tests are rude, all from one address
    )
    made = Alone(settings, SigningKey.generate(), SigningKey.generate())
    first = [("ada", made.admin.public), ("bea", made.second.public)][:signatures]
    async with await Store.open(settings.database_url, origin=settings.origin) as store:
        await create_log(store, SigningKeys(PASSPHRASE), first, signatures=signatures)
    temporal = await Client.connect(f"127.0.0.1:{free_port()}", lazy=True)
    async with serving(settings, temporal, clock=made.now):
        yield made
