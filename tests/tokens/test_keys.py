"""Keys: strict JWK, valid points, one algorithm each."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from placet.tokens import (
    Algorithm,
    BadSignature,
    KeyRefused,
    PublicKey,
    SigningKey,
    by_kid,
    read_jwks,
    spell_jwks,
)
from placet.tokens._encoding import encode_base64url
from placet.tokens._jwk import EDWARDS_D, ORDER_8_Y
from tests.tokens.samples import AGENT_KEY, AUTHORITY_KEY, OPERATOR_KEY, RSA_KEY

KEYS = {"ES256": AGENT_KEY, "Ed25519": OPERATOR_KEY, "RS256": RSA_KEY}


def private_jwk(key: SigningKey) -> dict[str, object]:
    """A private JWK, as another program would write it."""
    numbers: dict[str, int | bytes]
    if isinstance(key.crypto, ec.EllipticCurvePrivateKey):
        numbers = {"d": key.crypto.private_numbers().private_value.to_bytes(32)}
    elif isinstance(key.crypto, ed25519.Ed25519PrivateKey):
        numbers = {"d": key.crypto.private_bytes_raw()}
    else:
        rsa_numbers = key.crypto.private_numbers()
        numbers = {
            "d": rsa_numbers.d,
            "p": rsa_numbers.p,
            "q": rsa_numbers.q,
            "dp": rsa_numbers.dmp1,
            "dq": rsa_numbers.dmq1,
            "qi": rsa_numbers.iqmp,
        }
    return {**dict(key.public.members), **{name: _spell(each) for name, each in numbers.items()}}


def _spell(number: int | bytes) -> str:
    if isinstance(number, int):
        number = number.to_bytes((number.bit_length() + 7) // 8)
    return encode_base64url(number)


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_a_key_survives_its_jwk(key: SigningKey) -> None:
    jwk = key.public.jwk()
    assert PublicKey.from_jwk(jwk) == key.public
    assert jwk["kid"] == key.thumbprint
    assert jwk.get("alg") == (None if key is OPERATOR_KEY else key.algorithm)
    assert "d" not in jwk
    assert SigningKey.from_jwk(private_jwk(key)).public == key.public


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_a_signature_holds_under_its_own_key_only(key: SigningKey) -> None:
    signature = key.sign(b"message")
    key.public.verify(b"message", signature)
    with pytest.raises(BadSignature):
        key.public.verify(b"massage", signature)
    with pytest.raises(BadSignature):
        SigningKey.generate(key.algorithm).public.verify(b"message", signature)


def test_a_key_is_read_once() -> None:
    """The hot path: the same keys come again and again in proofs."""
    assert PublicKey.from_jwk(AGENT_KEY.public.jwk()) is PublicKey.from_jwk(AGENT_KEY.public.jwk())


def test_a_cached_key_does_not_excuse_a_bad_jwk() -> None:
    jwk = AGENT_KEY.public.jwk()
    PublicKey.from_jwk(jwk)
    for bad in ({**jwk, "use": "enc"}, {**jwk, "d": "AA"}, {**jwk, "alg": "RS256"}):
        with pytest.raises(KeyRefused):
            PublicKey.from_jwk(bad)


def _changes(key: SigningKey) -> dict[str, dict[str, object]]:
    jwk: dict[str, object] = dict(key.public.jwk())
    return {
        "private-d": {**jwk, "d": encode_base64url(b"\1" * 32)},
        "private-p": {**jwk, "p": "AQ"},
        "private-oth": {**jwk, "oth": []},
        "symmetric-k": {**jwk, "k": "AQ"},
        "kty-oct": {"kty": "oct", "k": encode_base64url(bytes(32))},
        "kty-missing": {name: value for name, value in jwk.items() if name != "kty"},
        "kty-a-list": {**jwk, "kty": ["EC"]},
        "use-enc": {**jwk, "use": "enc"},
        "use-null": {**jwk, "use": None},
        "key-ops-encrypt": {**jwk, "key_ops": ["encrypt"]},
        "key-ops-sign-only": {**jwk, "key_ops": ["sign"]},
        "key-ops-text": {**jwk, "key_ops": "verify"},
        "key-ops-empty": {**jwk, "key_ops": []},
        "alg-of-another-type": {**jwk, "alg": "HS256"},
        "alg-null": {**jwk, "alg": None},
    }


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
@pytest.mark.parametrize("change", _changes(AGENT_KEY))
def test_a_jwk_for_something_else_is_refused(change: str, key: SigningKey) -> None:
    with pytest.raises(KeyRefused):
        PublicKey.from_jwk(_changes(key)[change])


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_a_second_spelling_of_a_coordinate_is_refused(key: SigningKey) -> None:
    jwk = key.public.jwk()
    name = "n" if key.algorithm is Algorithm.RS256 else "x"
    for spelling in (jwk[name] + "=", jwk[name] + "A", "AA" + jwk[name], " " + jwk[name], "", 7):
        with pytest.raises(KeyRefused):
            PublicKey.from_jwk({**jwk, name: spelling})
    with pytest.raises(KeyRefused):
        PublicKey.from_jwk({each: value for each, value in jwk.items() if each != name})


def test_rsa_numbers_begin_with_no_zero_octet() -> None:
    jwk = RSA_KEY.public.jwk()
    with pytest.raises(KeyRefused):
        PublicKey.from_jwk({**jwk, "e": encode_base64url(b"\0\1\0\1")})


@pytest.mark.parametrize("value", [None, [], "text", 7, {}])
def test_what_is_no_jwk_is_refused(value: object) -> None:
    with pytest.raises(KeyRefused):
        PublicKey.from_jwk(value)


def test_a_point_off_the_curve_is_refused() -> None:
    jwk = AGENT_KEY.public.jwk()
    with pytest.raises(KeyRefused, match="not on P-256"):
        PublicKey.from_jwk({**jwk, "y": jwk["x"]})
    zero = encode_base64url(bytes(32))
    with pytest.raises(KeyRefused):
        PublicKey.from_jwk({**jwk, "x": zero, "y": zero})


def test_the_curve_must_be_ours() -> None:
    for crv in ("P-384", "secp256k1", "X25519", "Ed448", None):
        for key in (AGENT_KEY, OPERATOR_KEY):
            with pytest.raises(KeyRefused):
                PublicKey.from_jwk({**key.public.jwk(), "crv": crv})


P = 2**255 - 19


def _ed25519_jwk(encoded: bytes) -> dict[str, str]:
    return {"kty": "OKP", "crv": "Ed25519", "x": encode_base64url(encoded)}


def test_ed25519_points_of_small_order_are_refused() -> None:
    """Under such a key a signature made by nobody holds: show it, then that it is refused (I6)."""
    identity = (1).to_bytes(32, "little")
    forged = identity + bytes(32)  # R is the identity and S is zero
    ed25519.Ed25519PublicKey.from_public_bytes(identity).verify(forged, b"any message at all")
    orders = [1, P - 1, 0, ORDER_8_Y, P - ORDER_8_Y]
    for y in orders:
        for sign in (0, 1):
            with pytest.raises(KeyRefused):
                PublicKey.from_jwk(_ed25519_jwk((y | sign << 255).to_bytes(32, "little")))


def test_the_points_of_order_8_are_those_whose_double_has_order_4() -> None:
    """Of order 4 means y = 0; the doubled y is (y² + x²) / (2 + x² - y²) (RFC 8032 section 5.1)."""
    y = ORDER_8_Y
    x_squared = (y * y - 1) * pow(EDWARDS_D * y * y + 1, -1, P) % P
    assert (y * y + x_squared) % P == 0


def test_ed25519_points_in_a_second_spelling_or_off_the_curve_are_refused() -> None:
    for y in (P, P + 1, P + 3, 2**255 - 1):
        with pytest.raises(KeyRefused, match="canonical"):
            PublicKey.from_jwk(_ed25519_jwk(y.to_bytes(32, "little")))
    with pytest.raises(KeyRefused, match="not on Ed25519"):
        PublicKey.from_jwk(_ed25519_jwk((2).to_bytes(32, "little")))


def test_honest_ed25519_keys_are_accepted() -> None:
    for _ in range(50):
        key = SigningKey.generate(Algorithm.ED25519)
        PublicKey.from_jwk(key.public.jwk()).verify(b"m", key.sign(b"m"))


@pytest.mark.parametrize("alg", ["Ed25519", "EdDSA"])
def test_both_names_of_ed25519_are_taken(alg: str) -> None:
    assert PublicKey.from_jwk({**OPERATOR_KEY.public.jwk(), "alg": alg}) == OPERATOR_KEY.public


def test_weak_and_foreign_keys_are_refused() -> None:
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - to be refused
    odd = rsa.generate_private_key(public_exponent=3, key_size=2048)
    others = (weak, odd, ec.generate_private_key(ec.SECP384R1()), ed448.Ed448PrivateKey.generate())
    for key in (*others, "text", None):
        with pytest.raises(KeyRefused):
            SigningKey.of(key)


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_a_private_jwk_must_belong_together(key: SigningKey) -> None:
    other = private_jwk(SigningKey.generate(key.algorithm))
    bad = [
        {**private_jwk(key), "d": other["d"]},
        {**private_jwk(key), "d": "AA"},
        {**private_jwk(key), "d": "!"},
        {**private_jwk(key), "d": 7},
        {**private_jwk(key), "use": "enc"},
        {**private_jwk(key), "key_ops": ["verify"]},
        key.public.jwk(),
    ]
    for jwk in bad:
        with pytest.raises(KeyRefused) as refusal:
            SigningKey.from_jwk(jwk)
        assert str(private_jwk(key)["d"]) not in str(refusal.value)


def test_a_private_key_does_not_show_itself() -> None:
    """I7: what is logged by mistake is the public key."""
    for key in KEYS.values():
        assert str(private_jwk(key)["d"]) not in repr(key)
        assert "PrivateKey" not in repr(key)


def test_a_key_set_and_back() -> None:
    keys = [AUTHORITY_KEY.public, RSA_KEY.public]
    assert read_jwks(spell_jwks(keys)) == by_kid(keys)


def test_unknown_keys_in_a_set_are_passed_over() -> None:
    """RFC 7517 section 5: so that a set may bring new types of key before we know them."""
    jwks = {
        "keys": [
            {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"},
            "nonsense",
            {**RSA_KEY.public.jwk(), "use": "enc"},
            {**dict(AGENT_KEY.public.members), "kid": "theirs"},
            dict(OPERATOR_KEY.public.members),
        ]
    }
    assert read_jwks(jwks) == {
        "theirs": AGENT_KEY.public,
        OPERATOR_KEY.thumbprint: OPERATOR_KEY.public,
    }


def test_a_key_set_that_is_ambiguous_is_refused() -> None:
    first, second = ({**key.public.jwk(), "kid": "same"} for key in (AGENT_KEY, AUTHORITY_KEY))
    many = [AGENT_KEY.public.jwk()] * 101
    sets: list[object] = [[first, second], [{**first, "kid": 7}], many, None, {}]
    documents: list[object] = [None, [], "text", *({"keys": keys} for keys in sets)]
    for document in documents:
        with pytest.raises(KeyRefused):
            read_jwks(document)
