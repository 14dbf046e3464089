"""Asking the identity provider just before a person decides, acts or reads (I10).

1. A session decides, acts and reads on a word of the provider that is a few seconds old at most:
   who left, or whose groups have changed, does nothing more, however far the next look may be.
2. The provider delays nobody for long, and stops nobody by being away: what it said last is trusted
   meanwhile, for as long as the lender's rules say. A reader waits once in those seconds.
3. Only what is signed with the session's own key makes us ask, and all that come at once wait for
   one answer.
"""

import asyncio
import json
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from placet.authority._core import Core
from placet.authority._governance import governance
from placet.authority._identities import ACTIVE
from placet.authority._sessions import Sessions
from placet.authority._store import IdentityKey, Reader, SessionRow
from placet.tokens import PublicKey, TokenError, claimed_issuer

_PATIENCE = 3.0
"""Seconds that anything waits for the provider."""

_PAUSE = timedelta(seconds=10)
"""For how long a provider that did not answer in time is not waited for again."""

_UNKNOWN = timedelta(seconds=5)
"""For how long a reader is not looked up again: who has no session, or was just vouched for."""

_MOST_KEPT = 10_000
_log = logging.getLogger("placet.authority.sessions")


class Verify(Protocol):
    """What holds a signed thing against a key: of a decision, or of an act."""

    def __call__(
        self, token: str, key: PublicKey, *, operator: str, audience: str, now: datetime
    ) -> object:
        """Raise ``TokenError`` if it does not hold."""
        ...


class Vouching:
    """Has the provider say whether the session behind a request still holds."""

    def __init__(self, core: Core, sessions: Sessions) -> None:
        self._core = core
        self._sessions = sessions
        self._quiet: dict[str, datetime] = {}
        """Until when nobody is asked about who reads with a key, by the key's thumbprint."""
        self._asking: dict[str, asyncio.Task[bool]] = {}
        self._away_until: datetime | None = None

    async def ask(self, jws: str, verify: Verify) -> None:
        """Ask about the session that signed a decision or an act, if its last answer is not fresh.

        Whatever comes of it stands in the store before this is back, unless the provider is slow.
        """
        try:
            operator = claimed_issuer(jws)
        except TokenError:
            return  # whoever takes it says so
        await self._ask(lambda reader: self._signed_by(reader, operator, jws, verify))

    async def ask_of(self, operator: str, thumbprint: str) -> None:
        """The same about who reads with this key; most reads cost no look at all."""
        now = self._core.clock()
        if now < self._quiet.get(thumbprint, now):
            return
        fresh = await self._ask(
            lambda reader: reader.first(
                SessionRow,
                SessionRow.thumbprint == thumbprint,
                SessionRow.principal == operator,
                SessionRow.status == ACTIVE,
            )
        )
        if len(self._quiet) >= _MOST_KEPT:
            self._quiet.clear()
        self._quiet[thumbprint] = now + min(fresh, _UNKNOWN)

    async def _ask(self, find: Callable[[Reader], SessionRow | None]) -> timedelta:
        """Ask about a session if it is due; for how long that need not be looked at again."""
        now = self._core.clock()
        rules, row = await self._core.store.read(
            lambda reader: (governance(reader).identity_provider, find(reader))
        )
        if rules is None or row is None or row.sealed is None:
            return _UNKNOWN
        left = row.vouched_at + timedelta(seconds=rules.decision_seconds) - now
        if left > timedelta(0) or (self._away_until is not None and now < self._away_until):
            return max(left, timedelta(0))
        task = self._asking.get(row.id)
        if task is None:
            task = self._asking[row.id] = asyncio.create_task(self._sessions.recheck_one(row))
            task.add_done_callback(lambda done: self._answered(row.id, done))
        await asyncio.wait({task}, timeout=_PATIENCE)
        if not task.done():
            self._away_until = self._core.clock() + _PAUSE
        return timedelta(0)

    def _signed_by(
        self, reader: Reader, operator: str, jws: str, verify: Verify
    ) -> SessionRow | None:
        """The live session whose own key verifies what was signed."""
        for row in reader.all(
            SessionRow, SessionRow.principal == operator, SessionRow.status == ACTIVE
        ):
            key = reader.get(IdentityKey, row.thumbprint)
            try:
                verify(
                    jws,
                    PublicKey.from_jwk(json.loads(key.jwk_json if key else "{}")),
                    operator=operator,
                    audience=self._core.issuer,
                    now=self._core.clock(),
                )
            except TokenError:
                continue
            return row
        return None

    def _answered(self, session: str, task: asyncio.Task[bool]) -> None:
        self._asking.pop(session, None)
        trouble = task.exception()
        if trouble is not None:
            _log.warning("session %s could not be looked at: %s", session, trouble)
        elif not task.result():
            self._away_until = self._core.clock() + _PAUSE
