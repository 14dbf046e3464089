"""RFC 7009 revocation, by the agent that holds the grant, also after the grant's time."""

from datetime import timedelta

from placet.authority._core import Core
from placet.authority._identities import require_active
from placet.authority._requests import Sender, use_sender
from placet.authority._revocations import revoke
from placet.authority._store import Grant, Tx
from placet.tokens import GRANT, TokenError, by_kid, verify_jws


class Revoking:
    """Takes revocations."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def revoke(self, sender: Sender, token: str) -> None:
        """Revoke the sender's grant; a token that is none of its live grants is no error.

        RFC 7009 section 2.2: an invalid token gets the same answer.

        Raises:
            Unauthenticated: the assertion or proof was used before.
            Forbidden: the agent or its key is not active.
        """
        grant_id = self._grant_id(token)

        def write(tx: Tx) -> None:
            use_sender(tx, sender)
            require_active(tx, sender.principal, sender.thumbprint)
            grant = None if grant_id is None else tx.get(Grant, grant_id)
            if grant is None or grant.status != "issued":
                return
            if (grant.agent, grant.jkt) == (sender.principal, sender.jkt):
                revoke(tx, grant, "by_agent", sender.principal)

        await self._core.store.write(write)

    def _grant_id(self, token: str) -> str | None:
        now = self._core.clock()
        # Judged as of its issue, at most a few minutes back: an expired grant is revoked as well.
        for back in (timedelta(0), timedelta(seconds=60), timedelta(minutes=5)):
            try:
                verified = verify_jws(
                    token,
                    kind=GRANT,
                    keys=by_kid(self._core.keys.published(now)),
                    issuer=self._core.issuer,
                    audience=None,
                    now=now - back,
                )
            except TokenError:
                continue
            return verified.claims.jti
        return None
