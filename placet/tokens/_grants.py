"""What the authority signs for systems of record and for people: grants, inquiries, sessions."""

from datetime import datetime, timedelta

from placet.tokens._claims import GrantClaims, InquiryClaims, SessionClaims
from placet.tokens._keys import Signer
from placet.tokens._kinds import GRANT, INQUIRY, SESSION, SHORT_LIFETIME
from placet.tokens._verify import Keys, sign_jws, verify_jws


def sign_grant(claims: GrantClaims, key: Signer) -> str:
    """Sign a grant with the authority's key.

    Raises:
        KeyRefused: the key is neither ES256 nor RS256.
    """
    return sign_jws(claims, kind=GRANT, key=key)


def verify_grant(
    token: str,
    keys: Keys,
    *,
    issuer: str,
    audience: str,
    now: datetime,
    lifetime: timedelta = SHORT_LIFETIME,
) -> GrantClaims:
    """Verify a grant. It says nothing until :func:`verify_proof` shows who may use it.

    Args:
        token: the grant.
        keys: the authority's keys, by ``kid``.
        issuer: the authority's address.
        audience: this system's URN.
        now: the time of judgement.
        lifetime: the longest that a grant may live.

    Raises:
        TokenError: it is refused; its subclass says why.
    """
    return verify_jws(
        token,
        kind=GRANT,
        keys=keys,
        issuer=issuer,
        audience=audience,
        now=now,
        lifetime=lifetime,
    ).claims


def sign_inquiry(claims: InquiryClaims, key: Signer) -> str:
    """Sign the authority's question for one record's facts.

    Raises:
        KeyRefused: the key is neither ES256 nor RS256.
    """
    return sign_jws(claims, kind=INQUIRY, key=key)


def verify_inquiry(
    token: str, keys: Keys, *, issuer: str, audience: str, now: datetime
) -> InquiryClaims:
    """Verify the authority's question at a system of record.

    Raises:
        TokenError: it is refused; its subclass says why.
    """
    return verify_jws(
        token, kind=INQUIRY, keys=keys, issuer=issuer, audience=audience, now=now
    ).claims


def sign_session(claims: SessionClaims, key: Signer) -> str:
    """Sign a person's session with the authority's key.

    Raises:
        KeyRefused: the key is neither ES256 nor RS256.
    """
    return sign_jws(claims, kind=SESSION, key=key)


def verify_session(token: str, keys: Keys, *, issuer: str, now: datetime) -> SessionClaims:
    """Verify a person's session, at the authority itself: ``aud`` is the issuer.

    Raises:
        TokenError: it is refused; its subclass says why.
    """
    return verify_jws(
        token, kind=SESSION, keys=keys, issuer=issuer, audience=issuer, now=now
    ).claims
