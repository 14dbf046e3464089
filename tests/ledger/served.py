"""A real authority that serves a real log, grown by another process's kind of writer."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from placet.authority import SigningKeys, Store
from placet.authority._bootstrap import load_keys
from placet.authority._store import TreeState, Tx
from placet.ledger import NoteSigner, NoteVerifier, open_checkpoint
from tests.harness.alone import alone
from tests.harness.world import PASSPHRASE, until


@dataclass
class ServedLog:
    """A log under its prefix; ``origin`` and ``vkey`` are what its readers are configured with."""

    prefix: str
    origin: str
    vkey: str
    store: Store
    http: httpx.AsyncClient

    async def get(self, path: str) -> bytes:
        """What is served at a path under the prefix."""
        answer = await self.http.get(f"{self.prefix}/{path}")
        answer.raise_for_status()
        return answer.content

    async def signed_size(self) -> int:
        """The size of the newest signed head."""
        answer = await self.http.get(f"{self.prefix}/checkpoint")
        if answer.status_code == 503:
            return 0
        return open_checkpoint(answer.text, [NoteVerifier.from_vkey(self.vkey)]).size

    async def grow_to(self, size: int) -> None:
        """Append entries until there are ``size``, and wait until a head of them is signed."""

        def append(tx: Tx) -> None:
            state = tx.first(TreeState)
            assert state is not None
            for number in range(state.size, size):
                tx.append("case.opened", "operator:ada", {"number": number})

        await self.store.write(append)

        async def signed() -> bool:
            return await self.signed_size() == size

        await until(signed)


@contextlib.asynccontextmanager
async def served_log(folder: Path) -> AsyncIterator[ServedLog]:
    """Serve a new log, with the few entries that creating it writes."""
    async with alone(f"sqlite:///{folder / 'authority.db'}") as running:
        settings = running.settings
        async with (
            await Store.open(settings.database_url, origin=settings.origin) as store,
            httpx.AsyncClient() as http,
        ):
            keys = SigningKeys(PASSPHRASE)
            await load_keys(store, keys)
            vkey = NoteSigner(settings.origin, keys.head_key()).verifier.vkey
            yield ServedLog(settings.issuer + "/ledger", settings.origin, vkey, store, http)
