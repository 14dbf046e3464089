"""RFC 7009 revocation, by the agent that holds the grant, also after the grant's time."""

from placet.authority._core import Core
from placet.authority._identities import require_active
from placet.authority._requests import Sender, use_sender
from placet.authority._revocations import revoke
from placet.authority._store import Grant, Tx
from placet.model import system_urn
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

        def write(tx: Tx) -> None:
            use_sender(tx, sender)
            require_active(tx, sender.principal, sender.thumbprint, tx.now)
            live = tx.all(
                Grant,
                Grant.agent == sender.principal,
                Grant.jkt == sender.jkt,
                Grant.status == "issued",
            )
            for grant in live:
                if self._is(token, grant):
                    revoke(tx, grant, "by_agent", sender.principal)

        await self._core.store.write(write)

    def _is(self, token: str, grant: Grant) -> bool:
        """Whether a token is this grant: judged as of its issue, so that an expired one is too."""
        try:
            verified = verify_jws(
                token,
                kind=GRANT,
                keys=by_kid(self._core.keys.published(self._core.clock())),
                issuer=self._core.issuer,
                audience=system_urn(grant.system),
                now=grant.issued_at,
            )
        except TokenError:
            return False
        return verified.claims.jti == grant.id
