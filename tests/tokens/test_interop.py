"""Independent judges: joserfc verifies what we sign, and we what it signs; and the RFCs' examples.

joserfc shares no JOSE code with the library that placet.tokens is built on.
"""

import json

import pytest
from joserfc import jwk as jose_jwk
from joserfc import jws as jose_jws

from placet.tokens import (
    Algorithm,
    BadSignature,
    PublicKey,
    RefusedAlgorithm,
    SigningKey,
    TokenError,
)
from placet.tokens._encoding import encode_base64url
from placet.tokens._jws import check_signature, parse_jws
from tests.tokens.samples import SAMPLES, read_part
from tests.tokens.test_keys import KEYS, private_jwk

ALGORITHMS = ["ES256", "Ed25519", "EdDSA", "RS256"]


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")  # of the older name EdDSA
@pytest.mark.parametrize("kind", SAMPLES)
def test_another_library_verifies_what_we_sign(kind: str) -> None:
    sample = SAMPLES[kind]
    key = jose_jwk.import_key({**sample.key.public.jwk()})
    judged = jose_jws.deserialize_compact(sample.token, key, algorithms=ALGORITHMS)
    assert json.loads(judged.payload) == read_part(sample.token, 1)


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
@pytest.mark.parametrize("kind", SAMPLES)
def test_we_verify_what_another_library_signs(kind: str) -> None:
    sample = SAMPLES[kind]
    names = ["Ed25519", "EdDSA"] if sample.key.algorithm is Algorithm.ED25519 else ["ES256"]
    for name in names:
        header = {**read_part(sample.token, 0), "alg": name}
        payload = json.dumps(read_part(sample.token, 1), indent=1)  # another spelling of the same
        key = jose_jwk.import_key(private_jwk(sample.key))  # type: ignore[arg-type]  # a JWK from JSON
        registry = jose_jws.JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
        sample.verify(jose_jws.serialize_compact(header, payload, key, registry=registry))


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_thumbprints_and_keys_agree(key: SigningKey) -> None:
    theirs = jose_jwk.import_key(private_jwk(key))  # type: ignore[arg-type]  # a JWK read from JSON
    assert theirs.thumbprint() == key.thumbprint
    assert PublicKey.from_jwk(theirs.as_dict(private=False)) == key.public
    assert SigningKey.from_jwk(theirs.as_dict(private=True)).public == key.public


# RFC 7515 appendix A.3, and RFC 8037 appendix A.1, A.3 and A.4.
RFC_7515_KEY = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}
RFC_7515_JWS = (
    "eyJhbGciOiJFUzI1NiJ9."
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
)
# RFC 7515 appendix A.2, A.1 and A.5: what is signed is the same.
RFC_7515_RSA_KEY = {
    "kty": "RSA",
    "n": (
        "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
    ),
    "e": "AQAB",
}
_RFC_7515_PAYLOAD = RFC_7515_JWS.split(".")[1]
RFC_7515_RS256 = (
    f"eyJhbGciOiJSUzI1NiJ9.{_RFC_7515_PAYLOAD}."
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
)
RFC_7515_NONE = f"eyJhbGciOiJub25lIn0.{_RFC_7515_PAYLOAD}."
RFC_7515_HS256 = (
    f"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{_RFC_7515_PAYLOAD}."
    "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
)
RFC_7638_KEY = {
    "kty": "RSA",
    "n": (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    ),
    "e": "AQAB",
    "alg": "RS256",
    "kid": "2011-04-29",
}
RFC_8037_KEY = {
    "kty": "OKP",
    "crv": "Ed25519",
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
}
RFC_8037_D = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
RFC_8037_JWS = (
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
)


@pytest.mark.parametrize(
    ("jwk", "token"),
    [
        (RFC_7515_KEY, RFC_7515_JWS),
        (RFC_7515_RSA_KEY, RFC_7515_RS256),
        (RFC_8037_KEY, RFC_8037_JWS),
    ],
)
def test_the_standards_own_examples_hold(jwk: dict[str, str], token: str) -> None:
    check_signature(parse_jws(token), PublicKey.from_jwk(jwk))
    header, payload, signature = token.split(".")
    with pytest.raises(BadSignature):
        check_signature(parse_jws(f"{header}.e30.{signature}"), PublicKey.from_jwk(jwk))
    other = RFC_7515_KEY if jwk is RFC_8037_KEY else RFC_8037_KEY
    with pytest.raises(RefusedAlgorithm):
        check_signature(parse_jws(f"{header}.{payload}.{signature}"), PublicKey.from_jwk(other))


@pytest.mark.parametrize("token", [RFC_7515_NONE, RFC_7515_HS256])
def test_the_standards_examples_without_a_signature_of_ours_are_refused(token: str) -> None:
    """RFC 7515 appendix A.5 and A.1: unsecured, and by a shared secret."""
    for jwk in (RFC_7515_KEY, RFC_7515_RSA_KEY, RFC_8037_KEY):
        with pytest.raises(TokenError):
            check_signature(parse_jws(token), PublicKey.from_jwk(jwk))


def test_the_thumbprint_is_that_of_rfc_7638() -> None:
    """RFC 7638 section 3.1: members that do not make the key say nothing."""
    key = PublicKey.from_jwk(RFC_7638_KEY)
    assert key.thumbprint == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_ed25519_is_deterministic_as_rfc_8037_says() -> None:
    key = SigningKey.from_jwk({**RFC_8037_KEY, "d": RFC_8037_D})
    signed, _, signature = RFC_8037_JWS.rpartition(".")
    assert encode_base64url(key.sign(signed.encode())) == signature


def test_the_thumbprint_is_that_of_rfc_8037() -> None:
    """RFC 8037 appendix A.3."""
    key = PublicKey.from_jwk(RFC_8037_KEY)
    assert key.thumbprint == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
