"""Operators' sessions: a quarter of an hour of reading, for whoever holds the enrolled key."""

from dataclasses import dataclass
from datetime import UTC, datetime

from placet.authority._core import Core
from placet.authority._errors import Denied, Forbidden, Invalid, Unauthenticated
from placet.authority._identities import keys_of, note_sign_in, require_active, use_jti
from placet.authority._requests import use_proof
from placet.authority._store import IdentityKey, Tx
from placet.tokens import (
    SESSION_LIFETIME,
    Confirmation,
    Proof,
    SessionClaims,
    TokenError,
    UnknownKey,
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
        except TokenError as error:
            raise _refused(error) from None
        try:
            keys = by_kid(await self._core.store.read(lambda reader: keys_of(reader, operator)))
            claims = verify_sign_in(
                assertion,
                keys,
                operator=operator,
                issuer=self._core.issuer,
                now=self._core.clock(),
            )
        except UnknownKey:
            raise Invalid(
                "invalid_grant",
                f"this key is not enrolled for {operator}: check the name and the key file, "
                "or have an administrator enrol it",
            ) from None
        except TokenError as error:
            raise _refused(error) from None
        if proof.jkt not in keys:
            raise Invalid("invalid_dpop_proof", "prove the enrolled key itself")

        def admit(tx: Tx) -> None:
            use_jti(tx, operator, claims.jti, datetime.fromtimestamp(claims.exp, UTC))
            use_proof(tx, proof)
            require_active(tx, operator, proof.jkt, tx.now)
            key = tx.get(IdentityKey, proof.jkt)
            if key is not None and key.session_id is None:
                note_sign_in(tx, proof.jkt, tx.now)

        try:
            await self._core.store.write(admit)
        except Unauthenticated as error:
            raise Invalid("invalid_grant", f"sign-in: {error.problem.error_description}") from None
        except Forbidden as error:
            raise Denied(error.problem.error_description, error.problem.reasons) from None
        return await issue_session(self._core, operator, proof.jkt)


def _refused(error: TokenError) -> Invalid:
    return Invalid("invalid_grant", f"sign-in: {error}")


async def issue_session(core: Core, operator: str, jkt: str) -> Session:
    """A session token for whoever was just found to hold this key."""
    now = core.clock()
    claims = SessionClaims(
        iss=core.issuer,
        sub=operator,
        aud=core.issuer,
        iat=numeric_date(now),
        exp=numeric_date(now + SESSION_LIFETIME),
        jti=core.new_id("session"),
        cnf=Confirmation(jkt=jkt),
    )
    token = await core.keys.sign(now, lambda signer: sign_session(claims, signer))
    return Session(token, int(SESSION_LIFETIME.total_seconds()))
