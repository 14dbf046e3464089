"""For every input: a refusal of the one tree, or the claims. Nothing else, and no token in it."""

import json
import string

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from placet.tokens import KeyRefused, PublicKey, TokenError
from tests.tokens.samples import SAMPLES, Sample, read_part, resign, sign_raw

ALPHABET = string.ascii_letters + string.digits + "-_"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
samples = st.sampled_from(list(SAMPLES.values()))


def refused(sample: Sample, token: str) -> TokenError | None:
    """The refusal, if there is one; any other exception is a failure of the test."""
    try:
        sample.verify(token)
    except TokenError as error:
        return error
    return None


@settings(max_examples=200)
@given(sample=samples, token=st.text(max_size=60) | st.text(ALPHABET + ".=", max_size=60))
def test_any_text_is_refused(sample: Sample, token: str) -> None:
    """I12."""
    assert refused(sample, token)


@settings(max_examples=300)
@given(sample=samples, data=st.data())
def test_a_change_of_any_one_character_is_refused(sample: Sample, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(sample.token) - 1))
    character = data.draw(
        st.sampled_from(ALPHABET + ".=+/ ").filter(lambda c: c != sample.token[place])
    )
    changed = sample.token[:place] + character + sample.token[place + 1 :]
    assert refused(sample, changed)


@settings(max_examples=100)
@given(sample=samples, data=st.data())
def test_a_token_that_is_cut_or_doubled_is_refused(sample: Sample, data: st.DataObject) -> None:
    place = data.draw(st.integers(1, len(sample.token) - 1))
    assert refused(sample, sample.token[:place])
    assert refused(sample, sample.token[place + 1 :])
    assert refused(sample, sample.token[:place] + sample.token)


@settings(max_examples=300)
@given(sample=samples, data=st.data(), value=JSON)
def test_any_value_in_any_claim_is_an_answer(
    sample: Sample, data: st.DataObject, value: object
) -> None:
    """I12: what a hostile holder of a valid key can sign ends in a refusal or in valid claims."""
    claim = data.draw(st.sampled_from(sorted(read_part(sample.token, 1))))
    refused(sample, resign(sample, **{claim: value}))


@settings(max_examples=300)
@given(
    sample=samples,
    name=st.sampled_from(["alg", "typ", "kid", "jwk", "crit", "b64", "x"]),
    value=JSON,
)
def test_any_value_in_the_header_is_an_answer(sample: Sample, name: str, value: object) -> None:
    refused(sample, resign(sample, {name: value}))


@settings(max_examples=100)
@given(sample=samples, payload=JSON.filter(lambda value: value != {}))
def test_any_payload_is_refused(sample: Sample, payload: object) -> None:
    assert refused(sample, sign_raw(read_part(sample.token, 0), payload, sample.key))


@settings(max_examples=200)
@given(jwk=JSON | st.dictionaries(st.sampled_from(["kty", "crv", "x", "y", "n", "e"]), JSON))
def test_any_value_as_a_key_is_refused(jwk: object) -> None:
    try:
        PublicKey.from_jwk(jwk)
    except KeyRefused:
        return
    raise AssertionError("no key is made by chance")


SECRET = "s3cret-that-must-not-be-logged"  # noqa: S105 - stands in made-up tokens only


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(sample=samples, data=st.data())
def test_a_refusal_carries_nothing_of_the_token(sample: Sample, data: st.DataObject) -> None:
    """I7: nor does any exception that it was raised from, which loggers print too."""
    header, claims = read_part(sample.token, 0), read_part(sample.token, 1)
    part = data.draw(st.sampled_from(["header", "payload", "header text", "payload text"]))
    name = data.draw(
        st.sampled_from(
            [*sorted(header), SECRET] if "header" in part else [*sorted(claims), SECRET]
        )
    )
    new_header = {**header, name: SECRET} if part == "header" else header
    new_claims = {**claims, name: [SECRET, {SECRET: SECRET}]} if part == "payload" else claims
    text = f'{{"{SECRET}":"{SECRET}'
    token = sign_raw(
        text if part == "header text" else new_header,
        text if part == "payload text" else new_claims,
        sample.key,
    )
    error: BaseException | None = refused(sample, token)
    while error is not None:
        shown = f"{error} {error!r} {error.args} {getattr(error, 'doc', '')}"
        assert SECRET not in shown
        assert not any(each and each in shown for each in token.split("."))
        if "jti" in claims:
            assert json.dumps(claims["jti"])[1:-1] not in shown
        error = error.__context__
