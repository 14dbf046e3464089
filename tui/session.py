"""Who is signed in: the key in memory only, and the passphrase asked again for what is signed."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import httpx

from placet.client import OperatorClient
from placet.model import SignInAnswer, Verdict
from placet.tokens import KeyFileError, PassphraseNeeded, SigningKey, read_key_file
from tui.answers import Me
from tui.gateway import Gateway

_TELLING = 6
"""Characters from which on a passphrase does not stand in other words by chance."""


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
    federated: bool = False

    async def prove(
        self,
        passphrase: str,
        typed: Sequence[str],
        decision: tuple[Verdict, Decimal | None],
        tell: Callable[[str], None],
    ) -> None:
        """Prove before a decision that it is me: the passphrase, and where the rules want it anew.

        With a key alone, the passphrase signs in again; with an identity provider, the person does
        so there. ``tell`` is told where, and what to enter.

        Raises:
            WrongKey: as of :meth:`confirm`.
            Away: the authority does not answer.
            Refused: the person did not sign in.
        """
        await self.confirm(passphrase, typed)
        verdict, amount = decision
        rule = (await self.gateway.governance()).step_up
        if rule is None or verdict is not Verdict.APPROVE:
            return
        if amount is not None and amount <= rule.above:
            return
        if self.federated:
            await await_person(self.gateway, tell, fresh=True)
        else:
            await self.gateway.sign_in_again()

    async def confirm(self, passphrase: str, typed: Sequence[str]) -> None:
        """Hold a passphrase against the key file that was signed in with.

        ``typed`` is what else was typed: it is signed and kept, and shown to others (I7).

        Raises:
            WrongKey: it does not open it, or the file holds another key now; or the passphrase
                stands in what else was typed.
        """
        if not self.protected:
            return
        key = await _read(self.given.key_file, passphrase)
        if key.thumbprint != self.thumbprint:
            raise WrongKey(f"{self.given.key_file.name} holds another key than you signed in with")
        if len(passphrase) >= _TELLING and any(passphrase in each for each in typed):
            raise WrongKey(
                "Your passphrase stands in another field, which others will read: take it out there"
            )


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


async def sign_in_with_provider(
    given: Given, passphrase: str, tell: Callable[[str], None], transport: Transport = lambda: None
) -> Session:
    """Sign in at the lender's identity provider, with this device's key.

    Raises:
        WrongKey: the key can't be read.
        Away: the authority does not answer.
        Refused: the lender has no provider, or the person did not sign in.
    """
    key = await _read(given.key_file, passphrase)
    client = OperatorClient(given.issuer, "operator:signing-in", key, transport=transport())
    gateway = Gateway(client)
    try:
        who = await await_person(gateway, tell, fresh=False)
        me = await gateway.me()
    except BaseException:
        await gateway.close()
        raise
    named = replace(given, operator=who.operator.partition(":")[2])
    thumbprint = key.thumbprint
    return Session(gateway, me, named, thumbprint, protected=bool(passphrase), federated=True)


async def await_person(
    gateway: Gateway, tell: Callable[[str], None], *, fresh: bool
) -> SignInAnswer:
    """Wait until the person has signed in at the provider, whose address and code are told.

    Raises:
        Away: the authority does not answer.
        Refused: they did not, in time.
    """
    begun = await gateway.begin_sign_in(fresh=fresh)
    address = begun.verification_uri_complete or begun.verification_uri
    tell(f"Open {address} and enter {begun.user_code}")
    while True:
        await asyncio.sleep(begun.interval)
        done = await gateway.finish_sign_in(begun)
        if done is not None:
            return done


async def _read(path: Path, passphrase: str) -> SigningKey:
    try:
        return await asyncio.to_thread(read_key_file, path, passphrase or None)
    except PassphraseNeeded:
        raise WrongKey(f"{path.name} is protected: type its passphrase") from None
    except KeyFileError as error:
        raise WrongKey(str(error)) from None
