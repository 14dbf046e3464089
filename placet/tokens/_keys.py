"""Keys as values: a key knows its one algorithm and its RFC 7638 thumbprint.

Three algorithms, each bound to one type of key (RFC 8725 section 3.1): ES256 (P-256), Ed25519
(RFC 9864; the older name ``EdDSA`` is accepted), and RS256 for systems of record that know
nothing else.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol, cast

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

from placet.tokens._encoding import as_object
from placet.tokens._errors import BadSignature, KeyRefused
from placet.tokens._jwk import (
    Algorithm,
    PrivateCryptoKey,
    PublicCryptoKey,
    PublicMembers,
    algorithm_of,
    load_private,
    load_public,
    public_members,
    spell_members,
    thumbprint,
)

RSA_BITS = 3072  # NIST SP 800-57 part 1: fit for use beyond 2030, which 2048 bits are not

MAX_JWKS_KEYS = 100  # a rotation has two or three

_IMPLEMENTATIONS = get_default_algorithms()
# PyJWT's implementations turn JOSE's R and S (RFC 7518 section 3.4) into DER and back.
_SCHEMES = {
    Algorithm.ES256: _IMPLEMENTATIONS["ES256"],
    Algorithm.ED25519: _IMPLEMENTATIONS["EdDSA"],
    Algorithm.RS256: _IMPLEMENTATIONS["RS256"],
}


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key that verifies signatures of one algorithm; equal if the thumbprints are.

    Made by :meth:`from_jwk`, or the ``public`` of a :class:`SigningKey`.
    """

    thumbprint: str
    algorithm: Algorithm = field(compare=False)
    members: PublicMembers = field(compare=False, repr=False)
    crypto: PublicCryptoKey = field(compare=False, repr=False)

    @staticmethod
    def from_jwk(jwk: object) -> "PublicKey":
        """Read a public JWK (RFC 7517).

        Raises:
            KeyRefused: a private or symmetric key, an unknown type or curve, a point that is not
                on the curve, a key for another use or algorithm, or a second spelling.
        """
        return _imported(public_members(jwk))

    def jwk(self) -> dict[str, str]:
        """The key as a public JWK, with ``kid`` (the thumbprint), ``use`` and ``alg``.

        An Ed25519 key has no ``alg``: its algorithm goes by two names, and strict libraries refuse
        a token under the one that the key does not say.
        """
        jwk = {**dict(self.members), "kid": self.thumbprint, "use": "sig"}
        if self.algorithm is not Algorithm.ED25519:
            jwk["alg"] = self.algorithm.value
        return jwk

    def verify(self, message: bytes, signature: bytes) -> None:
        """Check a JOSE signature.

        Raises:
            BadSignature: it does not hold.
        """
        if not _SCHEMES[self.algorithm].verify(message, self.crypto, signature):
            raise BadSignature("the signature does not hold under the key")


# The same few keys come again and again, in the header of each proof. A stranger's keys push out
# others, which are then read again: 1024 entries bound the memory (about 2 MB), not the function.
@lru_cache(maxsize=1024)
def _imported(members: PublicMembers) -> PublicKey:
    return PublicKey(thumbprint(members), algorithm_of(members), members, load_public(members))


class Signer(Protocol):
    """What signs with one private key: the key itself, or whoever keeps it for itself."""

    @property
    def public(self) -> PublicKey:
        """The public key."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Make a JOSE signature."""
        ...


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key that signs with one algorithm. Its ``repr`` shows the public key only."""

    public: PublicKey
    crypto: PrivateCryptoKey = field(compare=False, repr=False)

    @staticmethod
    def of(crypto: object) -> "SigningKey":
        """Wrap a private key of the ``cryptography`` library.

        Raises:
            KeyRefused: another type of key or curve, or a weak one.
        """
        if not isinstance(crypto, PrivateCryptoKey):
            raise KeyRefused("the key is none of P-256, Ed25519 and RSA")
        return SigningKey(_imported(spell_members(crypto.public_key())), crypto)

    @staticmethod
    def generate(algorithm: Algorithm = Algorithm.ES256) -> "SigningKey":
        """Make a new key from the operating system's randomness."""
        if algorithm is Algorithm.ES256:
            return SigningKey.of(ec.generate_private_key(ec.SECP256R1()))
        if algorithm is Algorithm.ED25519:
            return SigningKey.of(ed25519.Ed25519PrivateKey.generate())
        return SigningKey.of(rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS))

    @staticmethod
    def from_jwk(jwk: object) -> "SigningKey":
        """Read a private JWK.

        Raises:
            KeyRefused: not a private key for signing, or its parts do not belong together.
        """
        return SigningKey.of(load_private(jwk))

    @property
    def algorithm(self) -> Algorithm:
        """The algorithm that it signs with."""
        return self.public.algorithm

    @property
    def thumbprint(self) -> str:
        """The RFC 7638 thumbprint of the public key."""
        return self.public.thumbprint

    def sign(self, message: bytes) -> bytes:
        """Make a JOSE signature (for ES256: 64 bytes, R and S)."""
        return _SCHEMES[self.algorithm].sign(message, self.crypto)


def by_kid(keys: Iterable[PublicKey]) -> Mapping[str, PublicKey]:
    """Keys under their thumbprints, which is what ``kid`` is in Placet's own tokens."""
    return {key.thumbprint: key for key in keys}


def read_jwks(document: object) -> Mapping[str, PublicKey]:
    """Read a JWK set (RFC 7517 section 5) under its keys' ``kid``; thumbprints where there is none.

    Keys of types that are not known, or for another use, are passed over, as section 5 asks.

    Raises:
        KeyRefused: not a JWK set, one ``kid`` for two keys, or more than 100 keys.
    """
    listed = (as_object(document) or {}).get("keys")
    if not isinstance(listed, list) or len(cast("list[object]", listed)) > MAX_JWKS_KEYS:
        raise KeyRefused(f"a JWK set is an object with a list of at most {MAX_JWKS_KEYS} keys")
    keys: dict[str, PublicKey] = {}
    for jwk in cast("list[object]", listed):
        try:
            key = PublicKey.from_jwk(jwk)
        except KeyRefused:
            continue
        kid = (as_object(jwk) or {}).get("kid", key.thumbprint)
        if not isinstance(kid, str) or keys.get(kid, key) != key:
            raise KeyRefused("the JWK set has one kid for two keys, or one that is not a string")
        keys[kid] = key
    return keys


def spell_jwks(keys: Iterable[PublicKey]) -> dict[str, list[dict[str, str]]]:
    """Spell public keys as a JWK set."""
    return {"keys": [key.jwk() for key in keys]}
