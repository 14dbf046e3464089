"""Invitations: what is handed over is a key, and goes nowhere but to whom it invites.

Whoever invites signs the public half. Whoever was invited makes a key of their own and lets the
invitation's name it, so that nobody on the way, the authority included, can put another there.
"""

from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from placet.tokens._claims import Confirmation, EnrolmentClaims
from placet.tokens._errors import WrongIssuer
from placet.tokens._keys import PublicKey, SigningKey
from placet.tokens._kinds import ENROLMENT
from placet.tokens._verify import Verified, numeric_date, sign_jws, verify_jws
from placet.tokens._words import FRESH

_COST = 2**14
"""Of scrypt (RFC 7914): some 35 ms, and 16 MiB, for each guess at a code that people type."""


def invitation_key(principal: str, code: str) -> SigningKey:
    """The key (Ed25519) that is in a one-time code or token for someone. Hyphens don't count.

    It is derived with scrypt (RFC 7914; N = 2^14, r = 8, p = 1), the principal being the salt.
    """
    salt = f"placet invitation {principal}".encode()
    seed = Scrypt(salt=salt, length=32, n=_COST, r=8, p=1).derive(code.replace("-", "").encode())
    return SigningKey.of(Ed25519PrivateKey.from_private_bytes(seed))


def sign_enrolment(
    invitation: SigningKey, principal: str, key: PublicKey, *, audience: str, now: datetime
) -> str:
    """Let an invitation's key name the key of whom it invites."""
    claims = EnrolmentClaims(
        aud=audience,
        iat=numeric_date(now),
        sub=principal,
        cnf=Confirmation(jkt=key.thumbprint),
    )
    return sign_jws(claims, kind=ENROLMENT, key=invitation)


def verify_enrolment(
    token: str,
    *,
    principal: str,
    audience: str,
    now: datetime,
    max_age: timedelta | None = FRESH,
) -> Verified[EnrolmentClaims]:
    """Verify an enrolment; the caller compares its key with the invitation's (invariant I6).

    Args:
        token: the enrolment, which brings the invitation's key.
        principal: for whom it must be.
        audience: the authority's address.
        now: when it came in; an auditor gives the time of its ledger entry.
        max_age: how old it may be then; ``None``: any age.

    Raises:
        TokenError: it is refused; its subclass says why.
    """
    verified = verify_jws(
        token, kind=ENROLMENT, keys={}, issuer=None, audience=audience, now=now, max_age=max_age
    )
    if verified.claims.sub != principal:
        raise WrongIssuer(f"the enrolment is not for {principal}")
    return verified
