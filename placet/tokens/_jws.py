"""The compact serialisation of JWS (RFC 7515 section 7.1), strict, without a word on its content.

1. Exactly three parts, base64url in its only spelling, at most 16 KiB.
2. The header is one JSON object; ``alg`` is known and, in :func:`check_signature`, the key's own.
3. Nothing marked critical is understood: any ``crit`` is refused, and ``b64`` with it (RFC 7797).
4. The key comes from the caller. ``jku``, ``x5u``, ``x5c`` never, and ``jwk`` only in a proof.
"""

from dataclasses import dataclass

from placet.tokens._encoding import (
    JsonObject,
    decode_base64url,
    encode_base64url,
    parse_object,
)
from placet.tokens._errors import Malformed, RefusedAlgorithm
from placet.tokens._jwk import ALGORITHM_NAMES, Algorithm
from placet.tokens._keys import PublicKey

MAX_TOKEN_CHARS = 16 * 1024  # what common servers take as one header line; a grant has about 1 kB


@dataclass(frozen=True, slots=True)
class Jws:
    """A JWS that was taken apart; nothing in it is verified yet."""

    header: JsonObject
    algorithm: Algorithm
    payload: bytes
    signed: bytes
    signature: bytes

    @property
    def kid(self) -> str | None:
        """The key's id, if there is one.

        Raises:
            Malformed: it is not a string.
        """
        kid = self.header.get("kid")
        if kid is not None and not isinstance(kid, str):
            raise Malformed("the header's kid is not a string")
        return kid


def parse_jws(token: str) -> Jws:
    """Take a compact JWS apart.

    Raises:
        Malformed: not strict compact serialisation.
        RefusedAlgorithm: ``none``, HMAC, or any other algorithm that Placet does not know.
    """
    if len(token) > MAX_TOKEN_CHARS:
        raise Malformed(f"the token has more than {MAX_TOKEN_CHARS} characters")
    parts = token.split(".", 3)
    if len(parts) != 3:
        raise Malformed("the token does not have exactly three parts")
    header = parse_object(decode_base64url(parts[0], "header"), "header")
    if "crit" in header or "b64" in header:
        raise Malformed("the header marks something as critical, or its payload as unencoded")
    name = header.get("alg")
    algorithm = ALGORITHM_NAMES.get(name) if isinstance(name, str) else None
    if algorithm is None:
        raise RefusedAlgorithm("the header's alg is none of ES256, Ed25519, EdDSA and RS256")
    return Jws(
        header=header,
        algorithm=algorithm,
        payload=decode_base64url(parts[1], "payload"),
        signed=token[: len(parts[0]) + 1 + len(parts[1])].encode("ascii"),
        signature=decode_base64url(parts[2], "signature"),
    )


def check_signature(jws: Jws, key: PublicKey) -> None:
    """Check the signature under a key.

    Raises:
        RefusedAlgorithm: ``alg`` is not the key's own.
        BadSignature: the signature does not hold.
    """
    if jws.algorithm is not key.algorithm:
        raise RefusedAlgorithm(f"the header's alg is {jws.algorithm}, the key's {key.algorithm}")
    key.verify(jws.signed, jws.signature)


def join_jws(header: bytes, payload: bytes) -> str:
    """The part of a JWS that is signed (RFC 7515 section 5.1)."""
    return f"{encode_base64url(header)}.{encode_base64url(payload)}"
