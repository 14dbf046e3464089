"""Who is signed in: the key in memory only, and the passphrase asked again for what is signed."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

from placet.client import OperatorClient
from placet.tokens import KeyFileError, PassphraseNeeded, SigningKey, read_key_file
from tui.answers import Me
from tui.gateway import Gateway


class WrongKey(Exception):
    """The key file or its passphrase is not right; the message says which, and what to do."""


@dataclass(frozen=True)
class Given:
    """What someone signs in with."""

    issuer: str
    operator: str
    key_file: Path


@dataclass(frozen=True)
class Session:
    """One signed-in operator."""

    gateway: Gateway
    me: Me
    given: Given
    thumbprint: str
    protected: bool

    async def confirm(self, passphrase: str) -> None:
        """Hold a passphrase against the key file that was signed in with.

        Raises:
            WrongKey: it does not open it, or the file holds another key now.
        """
        if not self.protected:
            return
        key = await _read(self.given.key_file, passphrase)
        if key.thumbprint != self.thumbprint:
            raise WrongKey(f"{self.given.key_file.name} holds another key than you signed in with")


Transport = Callable[[], httpx.AsyncBaseTransport | None]


async def sign_in(given: Given, passphrase: str, transport: Transport = lambda: None) -> Session:
    """Read the key, and ask the authority who that is.

    Raises:
        WrongKey: the key can't be read.
        Away: the authority does not answer.
        Refused: it does not know this person, or no longer.
    """
    key = await _read(given.key_file, passphrase)
    client = OperatorClient(given.issuer, f"operator:{given.operator}", key, transport=transport())
    gateway = Gateway(client)
    try:
        me = await gateway.me()
    except BaseException:
        await gateway.close()
        raise
    return Session(gateway, me, given, key.thumbprint, protected=bool(passphrase))


async def _read(path: Path, passphrase: str) -> SigningKey:
    try:
        return await asyncio.to_thread(read_key_file, path, passphrase or None)
    except PassphraseNeeded:
        raise WrongKey(f"{path.name} is protected: type its passphrase") from None
    except KeyFileError as error:
        raise WrongKey(str(error)) from None
