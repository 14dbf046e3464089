"""Operators' sessions: a quarter of an hour of reading, for whoever holds the enrolled key."""

from dataclasses import dataclass
from datetime import UTC, datetime

from placet.authority._core import Core
from placet.authority._errors import Denied, Forbidden, Invalid, Unauthenticated
from placet.authority._identities import keys_of, require_active, use_jti
from placet.authority._requests import use_proof
from placet.authority._store import Tx
from placet.tokens import (
    SESSION_LIFETIME,
    Confirmation,
    Proof,
    SessionClaims,
    TokenError,
    by_kid,
    claimed_issuer,
    numeric_date,
    sign_session,
    verify_sign_in,
)


@dataclass(frozen=True)
class Session:
    """A signed session token."""

    token: str
    expires_in: int


class People:
    """Signs operators in."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def sign_in(self, assertion: str, proof: Proof) -> Session:
        """Trade a sign-in assertion (RFC 7523 section 2.1) for a session bound to the same key.

        Raises:
            Invalid: the assertion does not hold or was used before (``invalid_grant``), or the
                proof is another key's.
            Denied: the operator or the key is not active (I10).
        """
        try:
            operator = claimed_issuer(assertion)
            keys = by_kid(await self._core.store.read(lambda reader: keys_of(reader, operator)))
            claims = verify_sign_in(
                assertion,
                keys,
                operator=operator,
                issuer=self._core.issuer,
                now=self._core.clock(),
            )
        except TokenError as error:
            raise Invalid("invalid_grant", f"sign-in: {error}") from None
        if proof.jkt not in keys:
            raise Invalid("invalid_dpop_proof", "prove the enrolled key itself")

        def admit(tx: Tx) -> None:
            use_jti(tx, operator, claims.jti, datetime.fromtimestamp(claims.exp, UTC))
            use_proof(tx, proof)
            require_active(tx, operator, proof.jkt)

        try:
            await self._core.store.write(admit)
        except Unauthenticated as error:
            raise Invalid("invalid_grant", f"sign-in: {error.problem.error_description}") from None
        except Forbidden as error:
            raise Denied(error.problem.error_description, error.problem.reasons) from None
        now = self._core.clock()
        session = SessionClaims(
            iss=self._core.issuer,
            sub=operator,
            aud=self._core.issuer,
            iat=numeric_date(now),
            exp=numeric_date(now + SESSION_LIFETIME),
            jti=self._core.new_id("session"),
            cnf=Confirmation(jkt=proof.jkt),
        )
        token = sign_session(session, self._core.keys.signer(now))
        return Session(token, int(SESSION_LIFETIME.total_seconds()))
