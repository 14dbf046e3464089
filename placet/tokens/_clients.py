"""Authentication with a key of one's own: clients (RFC 7523, 2.2) and people (2.1)."""

from datetime import datetime, timedelta

from placet.tokens._claims import ClientAssertionClaims, SignInClaims
from placet.tokens._errors import WrongIssuer
from placet.tokens._keys import SigningKey
from placet.tokens._kinds import CLIENT_ASSERTION, SHORT_LIFETIME, SIGN_IN
from placet.tokens._verify import Keys, numeric_date, sign_jws, verify_jws


def make_client_assertion(
    key: SigningKey,
    client_id: str,
    *,
    issuer: str,
    now: datetime,
    jti: str,
    lifetime: timedelta = SHORT_LIFETIME,
) -> str:
    """Make the assertion with which a client authenticates (``private_key_jwt``).

    Args:
        key: the client's key, ES256 or Ed25519.
        client_id: the client, as a principal: ``agent:draw-analyst``, ``system:loan-servicing``.
        issuer: the authority's address, which is the audience.
        now: the time of signing.
        jti: an id that is used once.
        lifetime: at most a minute.

    Raises:
        KeyRefused: the key is neither ES256 nor Ed25519.
        pydantic.ValidationError: an argument is not of its form.
    """
    issued = numeric_date(now)
    claims = ClientAssertionClaims(
        iss=client_id,
        sub=client_id,
        aud=issuer,
        iat=issued,
        exp=issued + int(lifetime.total_seconds()),
        jti=jti,
    )
    return sign_jws(claims, kind=CLIENT_ASSERTION, key=key)


def verify_client_assertion(
    token: str, keys: Keys, *, client_id: str, issuer: str, now: datetime
) -> ClientAssertionClaims:
    """Verify a client's assertion; that its ``jti`` was never used is the caller's to check.

    Args:
        token: the assertion.
        keys: the client's keys, by ``kid``.
        client_id: who it must be, found with :func:`claimed_issuer`.
        issuer: the authority's address.
        now: the time of judgement.

    Raises:
        TokenError: it is refused; its subclass says why.
    """
    claims = verify_jws(
        token, kind=CLIENT_ASSERTION, keys=keys, issuer=client_id, audience=issuer, now=now
    ).claims
    if claims.sub != client_id:
        raise WrongIssuer(f"the client assertion's sub is not {client_id}")
    return claims


def make_sign_in(
    key: SigningKey,
    operator: str,
    *,
    issuer: str,
    now: datetime,
    jti: str,
    lifetime: timedelta = SHORT_LIFETIME,
) -> str:
    """Make a person's authorization grant, to be exchanged for a session.

    Args:
        key: the person's key, ES256 or Ed25519.
        operator: the person, as a principal: ``operator:<id>``.
        issuer: the authority's address, which is the audience.
        now: the time of signing.
        jti: an id that is used once.
        lifetime: at most a minute.

    Raises:
        KeyRefused: the key is neither ES256 nor Ed25519.
        pydantic.ValidationError: an argument is not of its form.
    """
    issued = numeric_date(now)
    claims = SignInClaims(
        iss=operator,
        sub=operator,
        aud=issuer,
        iat=issued,
        exp=issued + int(lifetime.total_seconds()),
        jti=jti,
    )
    return sign_jws(claims, kind=SIGN_IN, key=key)


def verify_sign_in(
    token: str, keys: Keys, *, operator: str, issuer: str, now: datetime
) -> SignInClaims:
    """Verify a person's authorization grant; that its ``jti`` is new is the caller's to check.

    Raises:
        TokenError: it is refused; its subclass says why.
    """
    claims = verify_jws(
        token, kind=SIGN_IN, keys=keys, issuer=operator, audience=issuer, now=now
    ).claims
    if claims.sub != operator:
        raise WrongIssuer(f"the sign-in's sub is not {operator}")
    return claims
