"""No kind of token is accepted in another's place (RFC 8725 section 3.11; I6, I1)."""

from itertools import permutations

import pytest

from placet.tokens import (
    KINDS,
    SigningKey,
    TokenError,
    WrongKind,
    sign_jws,
    verify_id_token,
    verify_workload_token,
)
from tests.tokens.samples import (
    AGENT,
    AGENT_KEY,
    ALL_KEYS,
    AT,
    AUTHORITY_KEY,
    ISSUER,
    NOW,
    SAMPLES,
    read_part,
    sign_raw,
)

PROVIDER = "https://id.example"


def test_every_kind_has_a_sample() -> None:
    assert {kind.name for kind in KINDS} == set(SAMPLES)


@pytest.mark.parametrize("kind", SAMPLES)
def test_each_kind_is_accepted_by_its_own_verifier(kind: str) -> None:
    SAMPLES[kind].verify(SAMPLES[kind].token)


@pytest.mark.parametrize(("kind", "verifier"), list(permutations(SAMPLES, 2)))
def test_each_kind_is_refused_by_every_other_verifier(kind: str, verifier: str) -> None:
    """Though every verifier knows the keys of everybody."""
    with pytest.raises(WrongKind):
        SAMPLES[verifier].verify(SAMPLES[kind].token)


@pytest.mark.parametrize(("kind", "verifier"), list(permutations(SAMPLES, 2)))
def test_the_right_name_does_not_make_the_right_kind(kind: str, verifier: str) -> None:
    """Claims of one kind under the ``typ`` of another, signed by a key that other would take."""
    disguised = sign_raw(
        read_part(SAMPLES[verifier].token, 0),
        read_part(SAMPLES[kind].token, 1),
        SAMPLES[verifier].key,
    )
    with pytest.raises(TokenError) as refusal:
        SAMPLES[verifier].verify(disguised)
    assert not isinstance(refusal.value, WrongKind)


def test_no_two_kinds_share_a_typ() -> None:
    typs = [typ for kind in KINDS for typ in (kind.typ, *kind.also)]
    assert len(typs) == len(set(typs))


def test_signing_refuses_claims_of_another_kind() -> None:
    grant, inquiry = KINDS[0], KINDS[1]
    claims = inquiry.claims.model_validate(read_part(SAMPLES["inquiry"].token, 1))
    with pytest.raises(TypeError, match="GrantClaims"):
        sign_jws(claims, kind=grant, key=AUTHORITY_KEY)


@pytest.mark.parametrize("typ", [None, "JWT", "client-authentication+jwt"])
def test_a_client_assertion_may_say_its_kind_in_three_ways(typ: str | None) -> None:
    """As RFC 7523 leaves it open, plain OAuth libraries differ."""
    sample = SAMPLES["client assertion"]
    header = {"alg": "ES256", "kid": AGENT_KEY.thumbprint, **({"typ": typ} if typ else {})}
    sample.verify(sign_raw(header, read_part(sample.token, 1), AGENT_KEY))


FOREIGN = {
    "ID token": lambda token, keys: verify_id_token(
        token, keys, issuer=PROVIDER, client_id=ISSUER, algorithms=["ES256", "EdDSA"], now=NOW
    ),
    "workload token": lambda token, keys: verify_workload_token(
        token, keys, issuer=PROVIDER, audience=ISSUER, subject=AGENT, now=NOW
    ),
}
_WORD = {"iss": PROVIDER, "sub": AGENT, "aud": ISSUER, "iat": AT, "exp": AT + 60}


@pytest.mark.parametrize("verifier", FOREIGN)
@pytest.mark.parametrize("kind", SAMPLES)
def test_nothing_of_ours_is_a_providers_word(kind: str, verifier: str) -> None:
    """Though the provider's keys were everybody's, as where one host serves both."""
    with pytest.raises(TokenError):
        FOREIGN[verifier](SAMPLES[kind].token, ALL_KEYS)


@pytest.mark.parametrize("kind", SAMPLES)
@pytest.mark.parametrize("key", [AGENT_KEY, AUTHORITY_KEY], ids=["agent", "authority"])
def test_a_providers_word_is_nothing_of_ours(kind: str, key: SigningKey) -> None:
    """Its ``typ`` may be a client assertion's; whose word it is keeps them apart."""
    word = sign_raw({"alg": "ES256", "kid": key.thumbprint, "typ": "JWT"}, _WORD, key)
    for verify in FOREIGN.values():
        verify(word, {key.thumbprint: key.public})
    with pytest.raises(TokenError):
        SAMPLES[kind].verify(word)
