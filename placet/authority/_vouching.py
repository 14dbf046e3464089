"""Asking the identity provider just before a decision counts (I10).

1. A session decides on a word of the provider that is a few seconds old at most: who left, or whose
   groups have changed, decides nothing more, whenever the next regular look is due.
2. The provider delays nobody for long, and stops nobody by being away: what it said last is trusted
   meanwhile, for as long as the lender's rules say.
3. Only a decision signed with the session's own key makes us ask, and all that come at once wait
   for one answer.
"""

import asyncio
import json
import logging
from datetime import datetime, timedelta

from placet.authority._core import Core
from placet.authority._governance import governance
from placet.authority._identities import ACTIVE
from placet.authority._sessions import Sessions
from placet.authority._store import IdentityKey, Reader, SessionRow
from placet.model import IdentityProvider
from placet.tokens import PublicKey, TokenError, claimed_issuer, verify_decision

_PATIENCE = 3.0
"""Seconds that a decision waits for the provider."""

_PAUSE = timedelta(seconds=10)
"""For how long a provider that did not answer in time is not waited for again."""

_MOST_KEPT = 10_000
_log = logging.getLogger("placet.authority.sessions")


class Vouching:
    """Has the provider say whether the session behind a decision still holds."""

    def __init__(self, core: Core, sessions: Sessions) -> None:
        self._core = core
        self._sessions = sessions
        self._vouched: dict[str, datetime] = {}
        """When the provider last vouched for a session, by the session's id."""
        self._asking: dict[str, asyncio.Task[bool]] = {}
        self._away_until: datetime | None = None

    async def ask(self, jws: str) -> None:
        """Ask about the session that signed a decision, if its last answer is not fresh.

        Whatever comes of it stands in the store before this is back, unless the provider is slow.
        """
        try:
            operator = claimed_issuer(jws)
        except TokenError:
            return  # whoever takes the decision says so
        now = self._core.clock()
        rules, row = await self._core.store.read(
            lambda reader: (
                governance(reader).identity_provider,
                self._signed_by(reader, operator, jws),
            )
        )
        if rules is None or row is None or row.sealed is None or not self._is_due(rules, row, now):
            return
        task = self._asking.get(row.id)
        if task is None:
            task = self._asking[row.id] = asyncio.create_task(self._sessions.recheck_one(row))
            task.add_done_callback(lambda done: self._answered(row.id, done))
        await asyncio.wait({task}, timeout=_PATIENCE)
        if not task.done():
            self._away_until = self._core.clock() + _PAUSE

    def _is_due(self, rules: IdentityProvider, row: SessionRow, now: datetime) -> bool:
        if self._away_until is not None and now < self._away_until:
            return False
        last = self._vouched.get(row.id, row.started_at)
        return now - last >= timedelta(seconds=rules.decision_seconds)

    def _signed_by(self, reader: Reader, operator: str, jws: str) -> SessionRow | None:
        """The live session whose own key verifies the decision."""
        for row in reader.all(
            SessionRow, SessionRow.principal == operator, SessionRow.status == ACTIVE
        ):
            key = reader.get(IdentityKey, row.thumbprint)
            try:
                verify_decision(
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
        if len(self._vouched) >= _MOST_KEPT:
            self._vouched.clear()  # each is asked for once more
        trouble = task.exception()
        if trouble is not None:
            _log.warning("session %s could not be looked at: %s", session, trouble)
        elif task.result():
            self._vouched[session] = self._core.clock()
        else:
            self._away_until = self._core.clock() + _PAUSE
