"""People's sessions through the lender's identity provider.

1. (I6) A session's key counts for its person, in the roles that their groups give, while the
   session lasts.
2. (I10) The provider is asked again and again whether that still holds. Who left, or whose groups
   give other roles now, is out; unanswered for too long, the key stops counting until it answers.
3. (I4, I7) The end is on the ledger; the refresh token rests encrypted.
"""

import asyncio
import json
import logging
from collections.abc import Mapping
from datetime import datetime, timedelta

from pydantic import Field, JsonValue

from placet.authority._core import Core
from placet.authority._errors import Unavailable
from placet.authority._governance import governance
from placet.authority._identities import ACTIVE, ENDED, LOST
from placet.authority._provider import Person, Provider, ProviderRefused
from placet.authority._revocations import revoke_resting_on
from placet.authority._sealing import seal, unseal
from placet.authority._store import IdentityKey, SessionRow, Tx
from placet.model import AUTHORITY, IdentityProvider, Model, canonical_json
from placet.tokens import TokenError

_PURPOSE = "refresh"
LEFT = "left"
"""Why a session has ended whose person the provider knows no more, or says so."""

_LOST = {LEFT, "groups_changed"}
"""Ends that take back what their person approved, too: they may not decide any more."""

_RETRY = timedelta(seconds=5)
_LEASE = timedelta(seconds=30)
"""For how long one process asks about a session; it may have died since."""

_LOOK_AGAIN = 0.05
"""Seconds between two looks for the answer that another process gets."""

_log = logging.getLogger("placet.authority.sessions")


class Renewal(Model):
    """What the provider is asked again with: for a token of this person, with this nonce."""

    token: str = Field(repr=False)
    nonce: str
    sub: str

    def sealed(self, core: Core) -> str:
        """As it rests in the store."""
        return seal(core, _PURPOSE, canonical_json(self))

    @classmethod
    def opened(cls, core: Core, sealed: str) -> "Renewal":
        """As it rested.

        Raises:
            NotSealed: it was sealed otherwise.
        """
        return cls.model_validate_json(unseal(core, _PURPOSE, sealed))


class Sessions:
    """Looks after people's sessions."""

    def __init__(self, core: Core, provider: Provider) -> None:
        self._core = core
        self._provider = provider

    async def recheck(self) -> None:
        """End what is over, and ask the provider about those who are due."""
        now = self._core.clock()
        due = await self._core.store.read(
            lambda reader: reader.all(
                SessionRow,
                SessionRow.status == ACTIVE,
                SessionRow.next_check_at <= now,
                order_by=[SessionRow.next_check_at],
                limit=100,
            )
        )
        for row in due:
            await self.recheck_one(row)

    async def recheck_one(self, row: SessionRow) -> bool:
        """End a session that is over, or ask the provider about it; whether that was answered.

        Who is asked about already, here or by another process, is waited for: nothing passes on an
        answer that is still on its way.
        """
        provider = (await self._core.store.read(governance)).identity_provider
        if self._core.clock() >= row.ends_at:
            await self._end(row, "over")
        elif provider is None or provider.issuer != row.issuer:
            await self._end(row, "provider_changed")
        elif row.sealed is not None:
            while (until := await self._core.store.write(lambda tx: _claim(tx, row))) is None:
                answered = await self._answered(row)
                if answered is not None:
                    return answered
            return await self._ask(provider, row, row.sealed, until)
        return True  # it is over

    async def _answered(self, row: SessionRow) -> bool | None:
        """Wait for whoever asks about it: whether they were answered, or None if they are gone."""
        while True:
            current = await self._core.store.read(lambda reader: reader.get(SessionRow, row.id))
            if current is None or current.status != ACTIVE or current.vouched_at != row.vouched_at:
                return True
            if current.asking_until is None:
                return None if current.next_check_at == row.next_check_at else False
            if current.asking_until <= self._core.clock():
                return None
            await asyncio.sleep(_LOOK_AGAIN)

    async def _ask(
        self, provider: IdentityProvider, row: SessionRow, sealed: str, until: datetime
    ) -> bool:
        kept = Renewal.opened(self._core, sealed)
        asked_at = self._core.clock()
        try:
            person = await self._provider.refresh(provider, kept.token, kept.nonce, kept.sub)
        except ProviderRefused as error:
            if error.error == "invalid_grant":
                await self._end(row, LEFT, sealed)
            else:
                _log.warning("session %s: %s", row.id, error)
                await self._retry(row, until)
                return False
        except (Unavailable, TokenError) as error:
            _log.warning("session %s is looked at again later: %s", row.id, error)
            await self._retry(row, until)
            return False
        else:
            if provider.roles_of(person.groups) != tuple(json.loads(row.roles_json)):
                await self._end(row, "groups_changed", sealed)
            else:
                await self._trust(provider, row, person, kept, asked_at)
        return True

    async def _trust(
        self,
        provider: IdentityProvider,
        row: SessionRow,
        person: Person,
        kept: Renewal,
        asked_at: datetime,
    ) -> None:
        """The provider vouches for it once more, as of when it was asked."""
        newer = person.refresh_token or kept.token
        sealed = Renewal(token=newer, nonce=kept.nonce, sub=kept.sub).sealed(self._core)

        def keep(tx: Tx) -> None:
            current, key = tx.get(SessionRow, row.id), tx.get(IdentityKey, row.thumbprint)
            if current is None or current.status != ACTIVE or current.sealed != row.sealed:
                return  # it is over, or has a newer answer
            again = tx.now + timedelta(seconds=provider.recheck_seconds)
            tx.change(
                SessionRow,
                row.id,
                sealed=sealed,
                next_check_at=min(again, row.ends_at),
                vouched_at=asked_at,
                asking_until=None,
            )
            if key is not None and key.session_id == row.id:
                trusted = tx.now + timedelta(seconds=provider.trust_seconds)
                tx.change(IdentityKey, row.thumbprint, expires_at=min(trusted, row.ends_at))

        await self._core.store.write(keep)

    async def _retry(self, row: SessionRow, until: datetime) -> None:
        """Let it be asked about again soon, unless another process asks by now."""

        def release(tx: Tx) -> None:
            current = tx.get(SessionRow, row.id)
            if current is not None and current.asking_until == until:
                tx.change(SessionRow, row.id, next_check_at=tx.now + _RETRY, asking_until=None)

        await self._core.store.write(release)

    async def _end(self, row: SessionRow, reason: str, asked_with: str | None = None) -> None:
        """End it; what the provider says of a token counts while that is the session's newest."""

        def end(tx: Tx) -> None:
            current = tx.get(SessionRow, row.id)
            if current is None or current.status != ACTIVE:
                return
            if asked_with in (None, current.sealed):
                end_session(tx, current, reason)

        await self._core.store.write(end)


def _claim(tx: Tx, row: SessionRow) -> datetime | None:
    """Until when this process asks, if it does: a refresh token sent twice ends the session."""
    current = tx.get(SessionRow, row.id)
    if current is None or current.status != ACTIVE or current.sealed != row.sealed:
        return None
    if current.asking_until is not None and current.asking_until > tx.now:
        return None
    until = tx.now + _LEASE
    tx.change(SessionRow, row.id, next_check_at=until, asking_until=until)
    return until


def end_session(
    tx: Tx,
    row: SessionRow,
    reason: str,
    *,
    by: str = AUTHORITY,
    signed: Mapping[str, JsonValue] | None = None,
) -> int:
    """End a session and its key; on the ledger."""
    tx.change(SessionRow, row.id, status=ENDED, ended_for=reason, sealed=None)
    key = tx.get(IdentityKey, row.thumbprint)
    if key is not None and key.session_id == row.id and key.status == ACTIVE:
        tx.change(IdentityKey, row.thumbprint, status=LOST if reason in _LOST else ENDED)
    if reason in _LOST:
        revoke_resting_on(tx, row.principal)
    return tx.append(
        "session.ended",
        by,
        {
            **(signed or {}),
            "session": row.id,
            "principal": row.principal,
            "key": row.thumbprint,
            "reason": reason,
        },
    )
