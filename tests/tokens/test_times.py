"""Times: at most five seconds of skew, and no token lives longer than its kind may."""

from datetime import timedelta

import pytest

from placet.tokens import (
    KINDS,
    Expired,
    LifetimeTooLong,
    Malformed,
    NotYetValid,
    TokenError,
    TooOld,
    claimed_head,
    claimed_issuer,
    numeric_date,
    verify_decision,
    verify_grant,
)
from tests.tokens.samples import (
    ALL_KEYS,
    AT,
    ISSUER,
    NOW,
    OPERATOR,
    OPERATOR_KEY,
    SAMPLES,
    SYSTEM,
    later,
    resign,
)

LIFETIMES = {"grant": 60, "inquiry": 60, "session": 900, "client assertion": 60, "sign-in": 60}
AGES = {"proof": 60, "decision": 600, "act": 600, "key rotation": 600, "enrolment": 600}


@pytest.mark.parametrize("kind", SAMPLES)
def test_a_token_from_the_future_is_refused(kind: str) -> None:
    sample = SAMPLES[kind]
    sample.verify_at(sample.token, later(-5))
    with pytest.raises(NotYetValid):
        sample.verify_at(sample.token, later(-5.001))


@pytest.mark.parametrize("kind", LIFETIMES)
def test_a_token_ends(kind: str) -> None:
    sample = SAMPLES[kind]
    sample.verify_at(sample.token, later(LIFETIMES[kind] + 4.999))
    with pytest.raises(Expired):
        sample.verify_at(sample.token, later(LIFETIMES[kind] + 5))


@pytest.mark.parametrize("kind", LIFETIMES)
def test_a_token_that_lives_too_long_is_refused(kind: str) -> None:
    """I1: a credential is for the step that runs now."""
    for iat in (AT, AT - 1000):
        with pytest.raises(LifetimeTooLong):
            SAMPLES[kind].verify(resign(SAMPLES[kind], iat=iat, exp=AT + LIFETIMES[kind] + 1))
    with pytest.raises(LifetimeTooLong):
        SAMPLES[kind].verify(resign(SAMPLES[kind], iat=AT - 3600, exp=AT + 1))


def test_a_client_assertion_without_iat_still_ends_within_a_minute() -> None:
    sample = SAMPLES["client assertion"]
    sample.verify(resign(sample, iat=..., exp=AT + 65))
    with pytest.raises(LifetimeTooLong):
        sample.verify(resign(sample, iat=..., exp=AT + 66))


@pytest.mark.parametrize("kind", ["grant", "client assertion"])
def test_nbf_is_kept(kind: str) -> None:
    SAMPLES[kind].verify(resign(SAMPLES[kind], nbf=AT + 5))
    with pytest.raises(NotYetValid):
        SAMPLES[kind].verify(resign(SAMPLES[kind], nbf=AT + 6))


@pytest.mark.parametrize("kind", AGES)
def test_what_has_no_end_must_be_fresh(kind: str) -> None:
    sample = SAMPLES[kind]
    sample.verify_at(sample.token, later(AGES[kind] + 5))
    with pytest.raises(TooOld):
        sample.verify_at(sample.token, later(AGES[kind] + 5.001))


@pytest.mark.parametrize("kind", ["settlement", "use"])
def test_what_was_done_may_be_told_late(kind: str) -> None:
    """I4: the authority may have been away for days."""
    SAMPLES[kind].verify_at(SAMPLES[kind].token, later(86_400 * 30))


def test_an_auditor_may_verify_an_old_decision() -> None:
    token = SAMPLES["decision"].token
    verify_decision(
        token,
        OPERATOR_KEY.public,
        operator=OPERATOR,
        audience=ISSUER,
        now=NOW + timedelta(days=3650),
        max_age=None,
    )


def test_the_authority_may_allow_longer_grants() -> None:
    token = resign(SAMPLES["grant"], exp=AT + 120)
    verify_grant(
        token, ALL_KEYS, issuer=ISSUER, audience=SYSTEM, now=NOW, lifetime=timedelta(minutes=2)
    )


TIMES = [
    (kind.name, claim)
    for kind in KINDS
    for claim in ("iat", "nbf", "exp")
    if claim in kind.claims.model_fields
]


@pytest.mark.parametrize(("kind", "claim"), TIMES)
@pytest.mark.parametrize(
    "value", [str(AT), AT + 0.5, float(AT), True, -1, 253_402_300_800, 10**30, [AT], {}, "now"]
)
def test_a_time_is_a_whole_number_of_seconds(kind: str, claim: str, value: object) -> None:
    """Including ``true``, which is 1 in Python, and numbers that are no time at all."""
    with pytest.raises(Malformed, match=claim):
        SAMPLES[kind].verify(resign(SAMPLES[kind], **{claim: value}))


def test_a_clock_without_a_zone_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="zone"):
        SAMPLES["grant"].verify_at(SAMPLES["grant"].token, NOW.replace(tzinfo=None))
    with pytest.raises(ValueError, match="zone"):
        numeric_date(NOW.replace(tzinfo=None))


def test_the_head_that_a_word_claims_was_in_sight() -> None:
    for word in ("act", "decision", "settlement"):
        assert claimed_head(resign(SAMPLES[word], ledger_head="a head")) == "a head"
        for none in (..., None, 7, ["a head"]):
            assert claimed_head(resign(SAMPLES[word], ledger_head=none)) is None
    for broken in ("", "a.b.c", SAMPLES["act"].token + "."):
        with pytest.raises(TokenError):
            claimed_head(broken)


def test_who_a_token_claims_to_be_from() -> None:
    assert claimed_issuer(SAMPLES["client assertion"].token) == "agent:draw-analyst"
    for iss in (..., 7, "", "x" * 301, None):
        with pytest.raises(TokenError):
            claimed_issuer(resign(SAMPLES["client assertion"], iss=iss))
