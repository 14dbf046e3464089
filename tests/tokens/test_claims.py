"""What stands in grants, decisions and acts: as PROTOCOL says, and nothing else."""

import pytest
from pydantic import ValidationError

from placet.model import (
    AcceptedException,
    ActivityRef,
    GrantedDetails,
    RequestedDetails,
    Verdict,
    digest_bytes,
    spell_id,
)
from placet.tokens import (
    Algorithm,
    KeyRefused,
    Malformed,
    MissingClaim,
    SigningKey,
    TokenError,
    UnknownKey,
    sign_decision,
    sign_grant,
    verify_decision,
    verify_grant,
)
from tests.tokens.samples import (
    ALL_KEYS,
    AUTHORITY_KEY,
    CASE,
    DECISION_CLAIMS,
    DETAILS,
    GRANT_CLAIMS,
    ISSUER,
    NOW,
    OPERATOR,
    OPERATOR_KEY,
    RSA_KEY,
    SAMPLES,
    STRANGER_KEY,
    SYSTEM,
    read_part,
    resign,
)

GRANT = SAMPLES["grant"]
DECISION = SAMPLES["decision"]
GUARDED: dict[str, object] = {
    "max_amount": "184200.00",
    "payments_digest": digest_bytes(b"payments"),
    "approvals": ["0123456789abcdefghijkl"],
    "evidence_digest": digest_bytes(b"evidence"),
    "record_version": "17",
}


def _details(**changes: object) -> list[dict[str, object]]:
    details = GRANT_CLAIMS.details.model_dump(mode="json", exclude_none=True)
    merged: dict[str, object] = {**details, **changes}
    return [{name: value for name, value in merged.items() if value is not ...}]


def test_a_grant_comes_back_as_it_was_made() -> None:
    claims = verify_grant(GRANT.token, ALL_KEYS, issuer=ISSUER, audience=SYSTEM, now=NOW)
    assert claims == GRANT_CLAIMS
    assert claims.details.system == "loan-servicing"
    assert claims.details.action == "draw:read"
    assert claims.expires_at.timestamp() == claims.exp


def test_a_grant_on_the_wire_is_as_the_protocol_says() -> None:
    header, payload = read_part(GRANT.token, 0), read_part(GRANT.token, 1)
    assert header == {"alg": "ES256", "typ": "at+jwt", "kid": AUTHORITY_KEY.thumbprint}
    assert payload["authorization_details"] == [
        {
            "type": "placet_record",
            "locations": ["urn:placet:system:loan-servicing"],
            "actions": ["draw:read"],
            "identifier": "loan/L-1001/draw/7",
            "case": CASE,
            "activity": {
                "workflow_id": CASE,
                "run_id": "run-1",
                "activity_id": "3",
                "activity_type": "read_loan",
                "attempt": 1,
            },
        }
    ]
    assert len(GRANT.token) < 1500


def test_a_guarded_grant_carries_what_people_fixed() -> None:
    """I5: the amount, payments, approvals and evidence travel in the grant itself."""
    claims = GRANT.verify(resign(GRANT, authorization_details=_details(**GUARDED)))
    spelled = claims.details.model_dump(mode="json", exclude_none=True)  # type: ignore[attr-defined]  # a grant's claims
    assert {name: spelled[name] for name in GUARDED} == GUARDED


def test_nobody_can_ask_for_what_only_the_authority_sets() -> None:
    """I5: a request with a guarded member is an error, not a wish."""
    request = DETAILS.model_dump(mode="json", exclude_none=True)
    RequestedDetails.model_validate(request)
    for name, value in GUARDED.items():
        with pytest.raises(ValidationError, match=name):
            RequestedDetails.model_validate({**request, name: value})


BAD_DETAILS: dict[str, dict[str, object]] = {
    "another-type": {"type": "payment"},
    "no-location": {"locations": []},
    "two-locations": {"locations": [SYSTEM, "urn:placet:system:compliance"]},
    "location-of-another-system": {"locations": ["urn:placet:system:compliance"]},
    "location-text": {"locations": SYSTEM},
    "no-action": {"actions": []},
    "two-actions": {"actions": ["draw:read", "draw:disburse"]},
    "wildcard-action": {"actions": ["*"]},
    "wildcard-record": {"identifier": "loan/*"},
    "record-with-dots": {"identifier": "loan/../payee/P-1"},
    "record-with-newline": {"identifier": "loan/L-1001\n"},
    "record-missing": {"identifier": ...},
    "another-case": {"case": spell_id("case", bytes(16))},
    "attempt-zero": {"activity": {**DETAILS.activity.model_dump(), "attempt": 0}},
    "attempt-true": {"activity": {**DETAILS.activity.model_dump(), "attempt": True}},
    "attempt-text": {"activity": {**DETAILS.activity.model_dump(), "attempt": "1"}},
    "activity-missing": {"activity": ...},
    "unknown-member": {"privileges": ["admin"]},
    "amount-as-number": {"max_amount": 184200},
    "amount-in-another-spelling": {"max_amount": "184200.0"},
    "approvals-without-evidence": {"approvals": ["0123456789abcdefghijkl"]},
    "approvals-empty": {**GUARDED, "approvals": []},
}


@pytest.mark.parametrize("change", BAD_DETAILS)
def test_a_grant_is_for_one_action_on_one_record_of_one_case(change: str) -> None:
    """I2."""
    token = resign(GRANT, authorization_details=_details(**BAD_DETAILS[change]))
    with pytest.raises(Malformed):
        GRANT.verify(token)


def test_a_grant_has_exactly_one_object() -> None:
    """I2: one audience, one record."""
    for details in ([], _details() * 2, {}, _details()[0]):
        with pytest.raises((Malformed, MissingClaim)):
            GRANT.verify(resign(GRANT, authorization_details=details))


def test_a_grant_is_its_own_clients() -> None:
    with pytest.raises(Malformed):
        GRANT.verify(resign(GRANT, client_id="agent:disbursement"))
    for sub in ("operator:reviewer-one", "system:loan-servicing"):
        with pytest.raises(Malformed):
            GRANT.verify(resign(GRANT, sub=sub, client_id=sub))


def test_a_grant_is_bound_to_one_key() -> None:
    """A bearer grant does not exist."""
    bad: list[object] = [
        {},
        {"jkt": "short"},
        {"jkt": "A" * 43, "x5t#S256": "A"},
        {"jwk": {}},
        "A" * 43,
    ]
    for cnf in bad:
        with pytest.raises(Malformed):
            GRANT.verify(resign(GRANT, cnf=cnf))


def test_grants_may_be_signed_with_rs256() -> None:
    """For systems of record that know nothing else."""
    token = sign_grant(GRANT_CLAIMS, RSA_KEY)
    assert read_part(token, 0)["alg"] == "RS256"
    verify_grant(token, ALL_KEYS, issuer=ISSUER, audience=SYSTEM, now=NOW)
    with pytest.raises(KeyRefused):
        sign_grant(GRANT_CLAIMS, OPERATOR_KEY)


def test_keys_rotate_with_overlap() -> None:
    new = SigningKey.generate()
    both = {**ALL_KEYS, new.thumbprint: new.public}
    for key in (AUTHORITY_KEY, new):
        verify_grant(sign_grant(GRANT_CLAIMS, key), both, issuer=ISSUER, audience=SYSTEM, now=NOW)
    with pytest.raises(UnknownKey):
        GRANT.verify(sign_grant(GRANT_CLAIMS, new))


@pytest.mark.parametrize("algorithm", [Algorithm.ES256, Algorithm.ED25519])
def test_a_decision_comes_back_as_it_was_made(algorithm: Algorithm) -> None:
    key = SigningKey.generate(algorithm)
    claims = DECISION_CLAIMS.model_copy(
        update={
            "verdict": Verdict.RETURN,
            "reason_code": "missing_waiver",
            "exceptions": (
                AcceptedException(finding="sov.arithmetic#line-4", reason="a typing error"),
            ),
            "adjustments_digest": digest_bytes(b"adjustments"),
            "ledger_head": "authority.example/ledger\n5\n…\n",
        }
    )
    token = sign_decision(claims, key)
    assert read_part(token, 0) == {
        "alg": "ES256" if algorithm is Algorithm.ES256 else "EdDSA",
        "typ": "placet-decision+jwt",
        "kid": key.thumbprint,
    }
    verified = verify_decision(token, key.public, operator=OPERATOR, audience=ISSUER, now=NOW)
    assert verified == claims


def test_a_decision_by_another_key_is_refused() -> None:
    """I6: only the enrolled key speaks for the person."""
    with pytest.raises(UnknownKey):
        DECISION.verify(sign_decision(DECISION_CLAIMS, STRANGER_KEY))


BAD_DECISIONS: dict[str, dict[str, object]] = {
    "verdict-unknown": {"verdict": "maybe"},
    "verdict-in-capitals": {"verdict": "APPROVE"},
    "amount-as-float": {"amount": 184200.0},
    "amount-in-another-spelling": {"amount": "184200"},
    "digest-in-hex": {"evidence_digest": "sha-256:" + "0" * 64},
    "digest-unused-bits": {"evidence_digest": digest_bytes(b"")[:-1] + "V"},
    "signed-by-an-agent": {"iss": "agent:draw-analyst"},
    "comment-half-a-surrogate": {"comment": "\ud800"},
    "comment-too-long": {"comment": "x" * 2001},
    "exceptions-text": {"exceptions": "sov.arithmetic#line-4"},
    "exceptions-not-findings": {"exceptions": [{"finding": "all", "reason": "so"}]},
    "exceptions-without-reason": {"exceptions": [{"finding": "sov.arithmetic#line-4"}]},
    "stands-in-for-an-agent": {"stands_in_for": "agent:draw-analyst"},
    "checkpoint-of-another-form": {"sub": "draw-approval"},
}


@pytest.mark.parametrize("change", BAD_DECISIONS)
def test_a_decision_says_one_thing_in_one_way(change: str) -> None:
    with pytest.raises(TokenError):
        DECISION.verify(resign(DECISION, **BAD_DECISIONS[change]))


def test_what_would_be_too_large_is_not_signed() -> None:
    finding = "sov.arithmetic#" + "x" * 80
    claims = DECISION_CLAIMS.model_copy(
        update={
            "exceptions": (AcceptedException(finding=finding, reason="r" * 160),) * 30,
            "comment": "\u2028" * 2000,
        }
    )
    with pytest.raises(Malformed, match="16384"):
        sign_decision(claims, OPERATOR_KEY)


def test_details_name_a_running_attempt() -> None:
    for name in ("workflow_id", "run_id", "activity_id"):
        for value in ("", "a b", "x" * 256, "a\n"):
            with pytest.raises(ValidationError, match=name):
                ActivityRef.model_validate({**DETAILS.activity.model_dump(), name: value})


def test_what_was_granted_is_no_request() -> None:
    """Two types, so that what an asker says can't pass for what was granted."""
    assert not issubclass(GrantedDetails, RequestedDetails)
    assert not issubclass(RequestedDetails, GrantedDetails)
