"""JWK in and out (RFC 7517, 7518, 8037, 7638), stricter than libraries are.

Only public members where a public key is asked for; exactly the octets that the standard asks for;
``use``, ``key_ops`` and ``alg`` respected; points on their curve; none that signs anything.
"""

import hashlib
import json
from enum import StrEnum

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt import PyJWTError
from jwt.algorithms import get_default_algorithms

from placet.tokens._encoding import (
    JsonObject,
    as_object,
    decode_base64url,
    encode_base64url,
)
from placet.tokens._errors import KeyRefused, Malformed

MIN_RSA_BITS = 2048  # RFC 7518 section 3.3
_RSA_EXPONENT = 65537
MAX_RSA_BITS = 8192  # the time of one verification rises with the square of this

_ROCA_RESTS = tuple(
    (prime, frozenset(pow(65537, power, prime) for power in range(prime)))
    for prime in (11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157)
)
"""Keys that certain chips made have primes of the form k·M + (65537^a mod M), and so their modulus
is a power of 65537 modulo each of these primes (Nemec and others, ACM CCS 2017). Any other key is
with a chance below one in 10^8."""

PublicCryptoKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey
PrivateCryptoKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


class Algorithm(StrEnum):
    """The signature algorithms that Placet knows, by their JOSE names."""

    ES256 = "ES256"
    ED25519 = "Ed25519"
    RS256 = "RS256"


ALGORITHM_NAMES = {
    "ES256": Algorithm.ES256,
    "Ed25519": Algorithm.ED25519,
    "EdDSA": Algorithm.ED25519,  # RFC 8037's name, which RFC 9864 replaced
    "RS256": Algorithm.RS256,
}
"""Every ``alg`` that may stand in a header or a JWK, and what it means."""

# What each type of key consists of (sorted, as RFC 7638 section 3.2 asks), and its algorithm.
_REQUIRED = {"EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x"), "RSA": ("e", "kty", "n")}
_BOUND = {"EC": Algorithm.ES256, "OKP": Algorithm.ED25519, "RSA": Algorithm.RS256}
_CURVES = {"EC": "P-256", "OKP": "Ed25519"}
_MAX_MEMBER_CHARS = 1400  # a modulus of 8192 bits has 1366
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})

PublicMembers = tuple[tuple[str, str], ...]
"""The members that make a public key, sorted by name: what its thumbprint is made of."""


def public_members(jwk: object) -> PublicMembers:
    """Check a public JWK's form and purpose, and return the members that make the key.

    Raises:
        KeyRefused: not a public JWK for verifying with one of our algorithms.
    """
    return _key_members(_object(jwk), operation="verify", private=False)


def _object(jwk: object) -> JsonObject:
    members = as_object(jwk)
    if members is None:
        raise KeyRefused("a JWK is a JSON object")
    return members


def _key_members(jwk: JsonObject, *, operation: str, private: bool) -> PublicMembers:
    kty = jwk.get("kty")
    if not isinstance(kty, str) or kty not in _REQUIRED:
        raise KeyRefused("the JWK's kty is none of EC, OKP and RSA")
    if not private and not _PRIVATE_MEMBERS.isdisjoint(jwk):
        raise KeyRefused("the JWK has a private member where only a public key may stand")
    _check_purpose(jwk, kty, operation)
    members: list[tuple[str, str]] = []
    for name in _REQUIRED[kty]:
        value = jwk.get(name)
        if not isinstance(value, str) or len(value) > _MAX_MEMBER_CHARS:
            raise KeyRefused(f"the JWK's {name} is missing or not a string of sensible length")
        members.append((name, value))
    if kty in _CURVES and jwk["crv"] != _CURVES[kty]:
        raise KeyRefused(f"the JWK's curve is not {_CURVES[kty]}")
    return tuple(members)


def _check_purpose(jwk: JsonObject, kty: str, operation: str) -> None:
    alg = jwk.get("alg")
    if "alg" in jwk and (not isinstance(alg, str) or ALGORITHM_NAMES.get(alg) is not _BOUND[kty]):
        raise KeyRefused(f"the JWK's alg is not {_BOUND[kty]}, which its type is bound to")
    if "use" in jwk and jwk["use"] != "sig":
        raise KeyRefused("the JWK's use is not sig")
    operations = jwk.get("key_ops")
    if "key_ops" in jwk and (not isinstance(operations, list) or operation not in operations):
        raise KeyRefused(f"the JWK's key_ops do not hold {operation}")


def thumbprint(members: PublicMembers) -> str:
    """The RFC 7638 thumbprint: SHA-256 of the sorted required members, base64url."""
    text = json.dumps(dict(members), separators=(",", ":"), ensure_ascii=True)
    return encode_base64url(hashlib.sha256(text.encode("ascii")).digest())


def load_public(members: PublicMembers) -> PublicCryptoKey:
    """Make the key of checked members.

    Raises:
        KeyRefused: a second spelling, a point off its curve, a weak key.
    """
    named = dict(members)
    try:
        if named["kty"] == "EC":
            return _load_p256(_octets(named["x"], 32), _octets(named["y"], 32))
        if named["kty"] == "OKP":
            return _load_ed25519(_octets(named["x"], 32))
        return _load_rsa(_positive(named["n"]), _positive(named["e"]))
    except Malformed as error:
        raise KeyRefused(f"the JWK is refused: {error}") from None


def _octets(text: str, length: int) -> bytes:
    data = decode_base64url(text, "coordinate")
    if len(data) != length:
        raise KeyRefused(f"a coordinate of the JWK has {len(data)} octets, not {length}")
    return data


def _positive(text: str) -> int:
    data = decode_base64url(text, "number")
    if data[:1] in {b"", b"\0"}:
        raise KeyRefused("a number of the JWK is empty or begins with a zero octet")
    return int.from_bytes(data)


def _load_p256(x: bytes, y: bytes) -> ec.EllipticCurvePublicKey:
    numbers = ec.EllipticCurvePublicNumbers(int.from_bytes(x), int.from_bytes(y), ec.SECP256R1())
    try:
        return numbers.public_key()
    except ValueError:
        raise KeyRefused("the JWK's point is not on P-256") from None


# RFC 8032 section 5.1: the field's prime and the curve's d; and the y of the points of order 8.
_P = 2**255 - 19
EDWARDS_D = -121665 * pow(121666, -1, _P) % _P
ORDER_8_Y = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_SMALL_ORDER_Y = frozenset({0, 1, _P - 1, ORDER_8_Y, _P - ORDER_8_Y})


def _load_ed25519(x: bytes) -> ed25519.Ed25519PublicKey:
    """Load a point, which OpenSSL does without a look.

    Under a point of small order some signature holds for messages that nobody signed: whoever
    enrolled such a key could disown what was signed with it.
    """
    y = int.from_bytes(x, "little") & (2**255 - 1)
    if y >= _P or y in _SMALL_ORDER_Y:
        raise KeyRefused("the JWK's point is not canonical or of small order")
    # x² = (y² - 1) / (d·y² + 1) must be a square: Euler's criterion on the product.
    square = (y * y - 1) * (EDWARDS_D * y * y + 1) % _P
    if pow(square, (_P - 1) // 2, _P) != 1:
        raise KeyRefused("the JWK's point is not on Ed25519's curve")
    return ed25519.Ed25519PublicKey.from_public_bytes(x)


def _load_rsa(n: int, e: int) -> rsa.RSAPublicKey:
    check_rsa(n, e)
    return rsa.RSAPublicNumbers(e, n).public_key()


def check_rsa(n: int, e: int) -> None:
    """Refuse weak or oversized RSA keys.

    Raises:
        KeyRefused: the modulus or the exponent is outside what is accepted.
    """
    if not MIN_RSA_BITS <= n.bit_length() <= MAX_RSA_BITS or n % 2 == 0:
        raise KeyRefused(f"an RSA key has an odd modulus of {MIN_RSA_BITS} to {MAX_RSA_BITS} bits")
    if e != _RSA_EXPONENT:
        raise KeyRefused(f"an RSA key has the exponent {_RSA_EXPONENT}")
    if all(n % prime in rests for prime, rests in _ROCA_RESTS):
        raise KeyRefused("the RSA key's primes can be found (CVE-2017-15361): make another one")


def spell_members(key: PublicCryptoKey) -> PublicMembers:
    """The members that make a public key.

    Raises:
        KeyRefused: another curve than P-256.
    """
    if isinstance(key, ed25519.Ed25519PublicKey):
        x = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
        return (("crv", "Ed25519"), ("kty", "OKP"), ("x", encode_base64url(x)))
    if isinstance(key, ec.EllipticCurvePublicKey):
        if not isinstance(key.curve, ec.SECP256R1):
            raise KeyRefused(f"the key's curve is {key.curve.name}, not P-256")
        point = key.public_numbers()
        across, up = (encode_base64url(number.to_bytes(32)) for number in (point.x, point.y))
        return (("crv", "P-256"), ("kty", "EC"), ("x", across), ("y", up))
    numbers = key.public_numbers()
    check_rsa(numbers.n, numbers.e)
    return (("e", _spell_number(numbers.e)), ("kty", "RSA"), ("n", _spell_number(numbers.n)))


def _spell_number(number: int) -> str:
    return encode_base64url(number.to_bytes((number.bit_length() + 7) // 8))


def algorithm_of(members: PublicMembers) -> Algorithm:
    """The one algorithm that a key is bound to."""
    return _BOUND[dict(members)["kty"]]


def load_private(jwk: object) -> PrivateCryptoKey:
    """Read a private JWK for signing; its public members must be those of its private ones.

    Raises:
        KeyRefused: not a private JWK, or its parts do not belong together.
    """
    private = _object(jwk)
    members = _key_members(private, operation="sign", private=True)
    if not isinstance(private.get("d"), str):
        raise KeyRefused("the JWK has no private member d")
    load_public(members)
    name = {"EC": "ES256", "OKP": "EdDSA", "RSA": "RS256"}[dict(members)["kty"]]
    # PyJWT raises whatever its decoding or cryptography meets; none of it may show the key.
    try:
        key = get_default_algorithms()[name].from_jwk(private)
    except (PyJWTError, UnsupportedAlgorithm, ValueError, TypeError, KeyError):
        key = None
    if not isinstance(key, PrivateCryptoKey) or spell_members(key.public_key()) != members:
        raise KeyRefused("the JWK's private and public members do not belong together")
    return key
