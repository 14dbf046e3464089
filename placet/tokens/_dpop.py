"""Proof of possession: DPoP (RFC 9449). One request, one proof, one key."""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from placet.tokens._claims import ProofClaims
from placet.tokens._encoding import encode_base64url
from placet.tokens._errors import Malformed, NonceMismatch, ProofMismatch
from placet.tokens._keys import PublicKey, SigningKey
from placet.tokens._kinds import PROOF
from placet.tokens._verify import numeric_date, sign_jws, verify_jws

PROOF_MAX_AGE = timedelta(seconds=60)
"""How far back a proof's ``iat`` may lie; keep its ``jti`` for this and twice the skew."""

_DEFAULT_PORTS = {"http": 80, "https": 443}
_PLAIN_URL = re.compile(r"[!-~]{1,2048}\Z")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]\Z")


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof that was verified: its id, its key and the key's thumbprint, when it was made."""

    jti: str
    jkt: str
    iat: int
    key: PublicKey


def make_proof(
    key: SigningKey,
    method: str,
    url: str,
    *,
    now: datetime,
    jti: str,
    access_token: str | None = None,
    nonce: str | None = None,
) -> str:
    """Make a proof for one request.

    Args:
        key: the sender's key, ES256 or Ed25519.
        method: the HTTP method, as it is sent.
        url: where the request goes; query and fragment are left out.
        now: the time of signing.
        jti: an id that is used once.
        access_token: the token that goes with the request, if one does.
        nonce: what the server asked for, if it did.

    Raises:
        KeyRefused: the key is neither ES256 nor Ed25519.
        Malformed: not an HTTP address.
        pydantic.ValidationError: an argument is not of its form.
    """
    claims = ProofClaims(
        jti=jti,
        htm=method,
        htu=normalise_url(url),
        iat=numeric_date(now),
        ath=None if access_token is None else token_hash(access_token),
        nonce=nonce,
    )
    return sign_jws(claims, kind=PROOF, key=key)


def verify_proof(
    proof: str,
    *,
    method: str,
    url: str,
    now: datetime,
    access_token: str | None = None,
    expected_jkt: str | None = None,
    nonce: str | None = None,
) -> Proof:
    """Verify a proof against the request that it came with (RFC 9449 section 4.3).

    That the request had exactly one ``DPoP`` header, and that the ``jti`` is new, is the caller's
    to check.

    Args:
        proof: the header's value.
        method: the request's method.
        url: the address it was sent to, as its sender sees it.
        now: the time of judgement.
        access_token: the token that came with it; ``ath`` must be its hash.
        expected_jkt: the thumbprint that the token is bound to (``cnf.jkt``).
        nonce: what this server asked for; then the proof must carry it.

    Raises:
        TokenError: it is refused; its subclass says why.
    """
    verified = verify_jws(
        proof, kind=PROOF, keys={}, issuer=None, audience=None, now=now, max_age=PROOF_MAX_AGE
    )
    claims, key = verified.claims, verified.key
    if claims.htm != method:
        raise ProofMismatch("the proof's htm is not the request's method")
    if normalise_url(claims.htu) != normalise_url(url):
        raise ProofMismatch("the proof's htu is not the request's address")
    if access_token is not None and claims.ath != token_hash(access_token):
        raise ProofMismatch("the proof's ath is not the hash of the token that came with it")
    if expected_jkt is not None and key.thumbprint != expected_jkt:
        raise ProofMismatch("the proof's key is not the one that the token is bound to")
    if nonce is not None and claims.nonce != nonce:
        raise NonceMismatch("the proof does not carry the nonce that was asked for")
    return Proof(claims.jti, key.thumbprint, claims.iat, key)


def token_hash(access_token: str) -> str:
    """``ath``: SHA-256 of the token's ASCII, base64url (RFC 9449 section 4.2).

    Raises:
        Malformed: the token is not ASCII.
    """
    if not access_token.isascii():
        raise Malformed("the access token is not ASCII")
    return encode_base64url(hashlib.sha256(access_token.encode("ascii")).digest())


def normalise_url(url: str) -> str:
    """An HTTP address without query and fragment, in one spelling (RFC 3986 section 6.2.2, 6.2.3).

    Scheme and host in lower case, no default port, ``/`` for an empty path, escapes in upper case
    and only where needed. User names and dot segments have no business there and are refused.

    Raises:
        Malformed: not an absolute HTTP address.
    """
    if not _PLAIN_URL.match(url) or "\\" in url:
        raise Malformed("the address has characters that an address has not")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, None
    if parts is None or not host or parts.scheme not in _DEFAULT_PORTS or "@" in parts.netloc:
        raise Malformed("the address is not http(s)://host[:port]/path")
    if _BAD_ESCAPE.search(parts.path):
        raise Malformed("the address has a broken escape")
    path = _ESCAPE.sub(_normal_escape, parts.path) or "/"
    if not {".", ".."}.isdisjoint(path.split("/")):
        raise Malformed("the address has dot segments")
    named = f"[{host}]" if ":" in host else host
    numbered = named if port in {None, _DEFAULT_PORTS[parts.scheme]} else f"{named}:{port}"
    return f"{parts.scheme}://{numbered}{path}"


def _normal_escape(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    return character if _UNRESERVED.match(character) else match[0].upper()
