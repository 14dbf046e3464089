"""Proofs of possession (RFC 9449): one request, one token, one key."""

from datetime import UTC, datetime, timedelta

import pytest

from placet.tokens import (
    Algorithm,
    BadSignature,
    KeyRefused,
    Malformed,
    NonceMismatch,
    Proof,
    ProofMismatch,
    RefusedAlgorithm,
    SigningKey,
    TokenError,
    make_proof,
    normalise_url,
    token_hash,
    verify_proof,
)
from tests.tokens.samples import (
    AGENT_KEY,
    AT,
    JTI,
    NOW,
    OPERATOR_KEY,
    SAMPLES,
    STRANGER_KEY,
    URL,
    read_part,
    resign,
    sign_raw,
)
from tests.tokens.test_keys import private_jwk

GRANT = SAMPLES["grant"].token
SAMPLE = SAMPLES["proof"]


def _verify(proof: str, **expected: str) -> Proof:
    return verify_proof(proof, **{"method": "POST", "url": URL, "now": NOW, **expected})  # type: ignore[arg-type]  # tests name only what they change


@pytest.mark.parametrize("key", [AGENT_KEY, OPERATOR_KEY], ids=["ES256", "Ed25519"])
def test_a_proof_says_who_made_it_and_when(key: SigningKey) -> None:
    made = make_proof(key, "POST", URL, now=NOW, jti=JTI, access_token=GRANT, nonce="n-1")
    proof = _verify(made, access_token=GRANT, expected_jkt=key.thumbprint, nonce="n-1")
    assert proof == Proof(JTI, key.thumbprint, AT, key.public)


def test_a_stolen_grant_does_not_work_with_another_key() -> None:
    """I1, I7: who has the token and not the key has nothing."""
    proof = make_proof(STRANGER_KEY, "POST", URL, now=NOW, jti=JTI, access_token=GRANT)
    with pytest.raises(ProofMismatch, match="key"):
        _verify(proof, access_token=GRANT, expected_jkt=AGENT_KEY.thumbprint)


def test_a_proof_is_for_one_token() -> None:
    other = SAMPLES["inquiry"].token
    for made_for in (other, None):
        proof = make_proof(AGENT_KEY, "POST", URL, now=NOW, jti=JTI, access_token=made_for)
        with pytest.raises(ProofMismatch, match="ath"):
            _verify(proof, access_token=GRANT)


def test_a_proof_is_for_one_method() -> None:
    for method in ("GET", "post", "POST ", ""):
        with pytest.raises(ProofMismatch, match="htm"):
            _verify(SAMPLE.token, method=method)


@pytest.mark.parametrize(
    "url",
    [
        "https://loans.example/v1/draws/8",
        "https://loans.example/v1/draws/7/",
        "https://loans.example/V1/draws/7",
        "https://loans.example/",
        "http://loans.example/v1/draws/7",
        "https://loans.example:8443/v1/draws/7",
        "https://loans.example.evil/v1/draws/7",
        "https://evil.example/v1/draws/7",
        "https://loans.example/v1%2Fdraws/7",
    ],
)
def test_a_proof_is_for_one_address(url: str) -> None:
    with pytest.raises(ProofMismatch, match="htu"):
        _verify(SAMPLE.token, url=url)


@pytest.mark.parametrize(
    "url",
    [
        "https://loans.example/v1/draws/7?page=2",
        "https://loans.example/v1/draws/7#there",
        "HTTPS://LOANS.example:443/v1/draws/7",
        "https://loans.example/v1/%64raws/7",
        "https://loans.example:/v1/draws/7",
    ],
)
def test_one_address_in_another_spelling_is_the_same(url: str) -> None:
    """RFC 9449 section 4.3: query and fragment ignored, then RFC 3986 section 6.2.2 and 6.2.3."""
    _verify(SAMPLE.token, url=url)
    _verify(resign(SAMPLE, htu=url))


def test_addresses_have_one_spelling() -> None:
    assert normalise_url("http://Example.org") == "http://example.org/"
    assert normalise_url("http://example.org:80/%7Ea%2fb") == "http://example.org/~a%2Fb"
    assert normalise_url("https://[2001:DB8::1]:8443/x?y#z") == "https://[2001:db8::1]:8443/x"
    assert normalise_url("https://example.org:80/a;b=c") == "https://example.org:80/a;b=c"
    assert normalise_url("https://example.org//a") == "https://example.org//a"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/v1/draws/7",
        "//loans.example/v1",
        "ftp://loans.example/",
        "https://",
        "https:///v1",
        "https://user@loans.example/v1",
        "https://user:pw@loans.example/v1",
        "https://@loans.example/v1",
        "https://loans.example:port/v1",
        "https://loans.example:99999/v1",
        "https://[::1/v1",
        "https://loans.example/a/../b",
        "https://loans.example/a/%2e%2E/b",
        "https://loans.example/./b",
        "https://loans.example/%zz",
        "https://loans.example/%4",
        "https://loans.example\\@evil.example/",
        "https://loans.example\\.evil.example/",
        "https://loans.example/a b",
        "https://loans.example/\n",
        "https://löans.example/",
        "https://loans.example/" + "a" * 2048,
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(Malformed):
        normalise_url(url)
    with pytest.raises(Malformed):
        _verify(SAMPLE.token, url=url)
    with pytest.raises(Malformed):
        _verify(resign(SAMPLE, htu=url))


def test_the_nonce_that_was_asked_for_must_be_there() -> None:
    with pytest.raises(NonceMismatch):
        _verify(SAMPLE.token, nonce="n-1")
    proof = make_proof(AGENT_KEY, "POST", URL, now=NOW, jti=JTI, nonce="n-0")
    with pytest.raises(NonceMismatch):
        _verify(proof, nonce="n-1")
    _verify(proof)  # a nonce that nobody asked for harms nobody


@pytest.mark.parametrize("key", [AGENT_KEY, OPERATOR_KEY], ids=["ES256", "Ed25519"])
def test_a_private_key_in_the_header_is_refused(key: SigningKey) -> None:
    header = {"alg": key.algorithm, "typ": "dpop+jwt", "jwk": private_jwk(key)}
    with pytest.raises(Malformed, match="private") as refusal:
        _verify(sign_raw(header, read_part(SAMPLE.token, 1), key))
    assert str(private_jwk(key)["d"]) not in str(refusal.value)


@pytest.mark.parametrize(
    "jwk",
    [
        ...,
        None,
        "text",
        [],
        {},
        {"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQ"},
        {**AGENT_KEY.public.jwk(), "use": "enc"},
        {**AGENT_KEY.public.jwk(), "crv": "P-384"},
    ],
)
def test_the_header_holds_one_public_key(jwk: object) -> None:
    with pytest.raises(Malformed, match="jwk"):
        _verify(resign(SAMPLE, {"jwk": jwk}))


def test_the_key_in_the_header_is_the_one_that_signed() -> None:
    with pytest.raises(BadSignature):
        _verify(resign(SAMPLE, {"jwk": STRANGER_KEY.public.jwk()}))


def test_proofs_are_not_made_with_rsa() -> None:
    rsa_key = SigningKey.generate(Algorithm.RS256)
    with pytest.raises(KeyRefused):
        make_proof(rsa_key, "POST", URL, now=NOW, jti=JTI)
    header = {"alg": "RS256", "typ": "dpop+jwt", "jwk": rsa_key.public.jwk()}
    with pytest.raises(RefusedAlgorithm):
        _verify(sign_raw(header, read_part(SAMPLE.token, 1), rsa_key))


@pytest.mark.parametrize("jti", ["", "short", "x" * 129, "a b" * 10, 7, "é" * 20, "a" * 20 + "\n"])
def test_an_id_that_could_be_guessed_or_stored_badly_is_refused(jti: object) -> None:
    with pytest.raises(Malformed, match="jti"):
        _verify(resign(SAMPLE, jti=jti))


RFC_9449_PROOF = (
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19."
    "eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ."
    "2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
)


def test_the_standards_own_proof_holds_where_and_when_it_was_made() -> None:
    """RFC 9449 section 4.1, and the thumbprint of its key in section 6.1."""
    made = datetime.fromtimestamp(1562262616, UTC)
    where = "https://server.example.com/token"
    proof = verify_proof(RFC_9449_PROOF, method="POST", url=where, now=made)
    assert proof.jkt == "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
    for wrong in (
        {"method": "GET"},
        {"url": where + "s"},
        {"now": made + timedelta(minutes=5)},
        {"access_token": "a.b.c"},
    ):
        with pytest.raises(TokenError):
            verify_proof(RFC_9449_PROOF, **{"method": "POST", "url": where, "now": made, **wrong})


def test_the_hash_of_a_token_is_of_its_ascii() -> None:
    """The worked example of RFC 9449 section 7.1."""
    token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"  # noqa: S105 - the RFC's own example
    assert token_hash(token) == "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"
    with pytest.raises(Malformed):
        token_hash("é")
