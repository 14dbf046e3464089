"""One valid token of each kind, made from the same few keys, and the function that verifies it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from placet import tokens
from placet.model import (
    ActClaims,
    ActivityRef,
    DecisionClaims,
    GrantedDetails,
    RotationClaims,
    SettlementClaims,
    UseClaims,
    UseStage,
    Verdict,
    digest_bytes,
    spell_id,
)
from placet.tokens import Algorithm, PublicKey, SigningKey
from placet.tokens._encoding import decode_base64url, encode_base64url, parse_object

NOW = datetime(2026, 11, 24, 10, 0, 0, tzinfo=UTC)
AT = int(NOW.timestamp())
ISSUER = "https://authority.example"
SYSTEM = "urn:placet:system:loan-servicing"
AGENT = "agent:draw-analyst"
OPERATOR = "operator:reviewer-one"
URL = "https://loans.example/v1/draws/7"
JTI = "0123456789abcdefghijkl"
CASE = spell_id("case", bytes(range(16)))

AUTHORITY_KEY = SigningKey.generate()
AGENT_KEY = SigningKey.generate()
OPERATOR_KEY = SigningKey.generate(Algorithm.ED25519)
STRANGER_KEY = SigningKey.generate()
INVITATION = tokens.invitation_key(AGENT, "ABCDE-FGHIJ")
RSA_KEY = SigningKey.generate(Algorithm.RS256)

# The keys of everybody together: the confusion tests must be refused for the kind, not the key.
ALL_KEYS: Mapping[str, PublicKey] = tokens.by_kid(
    key.public for key in (AUTHORITY_KEY, AGENT_KEY, OPERATOR_KEY, RSA_KEY)
)

DETAILS = GrantedDetails(
    locations=(SYSTEM,),
    actions=("draw:read",),
    identifier="loan/L-1001/draw/7",
    case=CASE,
    activity=ActivityRef(
        workflow_id=CASE, run_id="run-1", activity_id="3", activity_type="read_loan", attempt=1
    ),
)
GRANT_CLAIMS = tokens.GrantClaims(
    iss=ISSUER,
    sub=AGENT,
    aud=SYSTEM,
    iat=AT,
    nbf=AT,
    exp=AT + 60,
    jti=spell_id("grant", bytes(range(16))),
    client_id=AGENT,
    txn=CASE,
    cnf=tokens.Confirmation(jkt=AGENT_KEY.thumbprint),
    authorization_details=(DETAILS,),
)
DECISION_CLAIMS = DecisionClaims(
    iss=OPERATOR,
    aud=ISSUER,
    iat=AT,
    jti=JTI,
    sub=spell_id("ckpt", bytes(range(16))),
    txn=CASE,
    evidence_digest=digest_bytes(b"evidence"),
    requirement_digest=digest_bytes(b"requirement"),
    verdict=Verdict.APPROVE,
    comment="Checked line 4 against the inspection.",
)
ACT_CLAIMS = ActClaims(
    iss=OPERATOR,
    aud=ISSUER,
    iat=AT,
    jti=JTI,
    act="case.open",
    target="loan/L-1001/draw/7",
    body_digest=digest_bytes(b"{}"),
    ledger_head="authority.example/ledger\n1\n…\n",
)
SETTLEMENT_CLAIMS = SettlementClaims(
    iss=AGENT,
    aud=ISSUER,
    iat=AT,
    sub=spell_id("grant", bytes(range(16))),
    txn=CASE,
    details_digest=digest_bytes(b"details"),
    settlement_digest=digest_bytes(b"settlement"),
)
ROTATION_CLAIMS = RotationClaims(iss=AGENT, aud=ISSUER, iat=AT, sub=STRANGER_KEY.thumbprint)
USE_CLAIMS = UseClaims(
    iss="system:loan-servicing",
    aud=ISSUER,
    iat=AT,
    jti=JTI,
    sub=spell_id("grant", bytes(range(16))),
    details_digest=digest_bytes(b"details"),
    jkt=STRANGER_KEY.thumbprint,
    stage=UseStage.RESULT,
    action="draw:disburse",
    record="loan/L-1001/draw/7",
    status=200,
    used_at=AT,
)
INQUIRY_CLAIMS = tokens.InquiryClaims(
    iss=ISSUER,
    aud=SYSTEM,
    iat=AT,
    exp=AT + 60,
    jti=JTI,
    identifier="loan/L-1001",
    cnf=tokens.Confirmation(jkt=AUTHORITY_KEY.thumbprint),
)
SESSION_CLAIMS = tokens.SessionClaims(
    iss=ISSUER,
    sub=OPERATOR,
    aud=ISSUER,
    iat=AT,
    exp=AT + 900,
    jti=JTI,
    cnf=tokens.Confirmation(jkt=OPERATOR_KEY.thumbprint),
)


@dataclass(frozen=True)
class Sample:
    """A valid token, whose key signed it, and its kind's verifier with everything else right."""

    token: str
    key: SigningKey
    verify: Callable[[str], object]
    verify_at: Callable[[str, datetime], object]


def _sample(token: str, key: SigningKey, verify_at: Callable[[str, datetime], object]) -> Sample:
    return Sample(token, key, lambda candidate: verify_at(candidate, NOW), verify_at)


SAMPLES: dict[str, Sample] = {
    "grant": _sample(
        tokens.sign_grant(GRANT_CLAIMS, AUTHORITY_KEY),
        AUTHORITY_KEY,
        lambda token, now: tokens.verify_grant(
            token, ALL_KEYS, issuer=ISSUER, audience=SYSTEM, now=now
        ),
    ),
    "inquiry": _sample(
        tokens.sign_inquiry(INQUIRY_CLAIMS, AUTHORITY_KEY),
        AUTHORITY_KEY,
        lambda token, now: tokens.verify_inquiry(
            token, ALL_KEYS, issuer=ISSUER, audience=SYSTEM, now=now
        ),
    ),
    "session": _sample(
        tokens.sign_session(SESSION_CLAIMS, AUTHORITY_KEY),
        AUTHORITY_KEY,
        lambda token, now: tokens.verify_session(token, ALL_KEYS, issuer=ISSUER, now=now),
    ),
    "client assertion": _sample(
        tokens.make_client_assertion(AGENT_KEY, AGENT, issuer=ISSUER, now=NOW, jti=JTI),
        AGENT_KEY,
        lambda token, now: tokens.verify_client_assertion(
            token, ALL_KEYS, client_id=AGENT, issuer=ISSUER, now=now
        ),
    ),
    "sign-in": _sample(
        tokens.make_sign_in(OPERATOR_KEY, OPERATOR, issuer=ISSUER, now=NOW, jti=JTI),
        OPERATOR_KEY,
        lambda token, now: tokens.verify_sign_in(
            token, ALL_KEYS, operator=OPERATOR, issuer=ISSUER, now=now
        ),
    ),
    "proof": _sample(
        tokens.make_proof(AGENT_KEY, "POST", URL, now=NOW, jti=JTI),
        AGENT_KEY,
        lambda token, now: tokens.verify_proof(token, method="POST", url=URL, now=now),
    ),
    "decision": _sample(
        tokens.sign_decision(DECISION_CLAIMS, OPERATOR_KEY),
        OPERATOR_KEY,
        lambda token, now: tokens.verify_decision(
            token, OPERATOR_KEY.public, operator=OPERATOR, audience=ISSUER, now=now
        ),
    ),
    "act": _sample(
        tokens.sign_act(ACT_CLAIMS, OPERATOR_KEY),
        OPERATOR_KEY,
        lambda token, now: tokens.verify_act(
            token, OPERATOR_KEY.public, operator=OPERATOR, audience=ISSUER, now=now
        ),
    ),
    "enrolment": _sample(
        tokens.sign_enrolment(INVITATION, AGENT, STRANGER_KEY.public, audience=ISSUER, now=NOW),
        INVITATION,
        lambda token, now: tokens.verify_enrolment(
            token, principal=AGENT, audience=ISSUER, now=now
        ),
    ),
    "use": _sample(
        tokens.sign_use(USE_CLAIMS, AGENT_KEY),
        AGENT_KEY,
        lambda token, now: tokens.verify_use(
            token, AGENT_KEY.public, system="system:loan-servicing", audience=ISSUER, now=now
        ),
    ),
    "settlement": _sample(
        tokens.sign_settlement(SETTLEMENT_CLAIMS, AGENT_KEY),
        AGENT_KEY,
        lambda token, now: tokens.verify_settlement(
            token, AGENT_KEY.public, agent=AGENT, audience=ISSUER, now=now
        ),
    ),
    "key rotation": _sample(
        tokens.sign_rotation(ROTATION_CLAIMS, AGENT_KEY),
        AGENT_KEY,
        lambda token, now: tokens.verify_rotation(
            token, AGENT_KEY.public, agent=AGENT, audience=ISSUER, now=now
        ),
    ),
}


def read_part(token: str, index: int) -> dict[str, object]:
    """The header (0) or payload (1) of a token, unverified."""
    return parse_object(decode_base64url(token.split(".")[index], "part"), "part")


def sign_raw(header: object, payload: object, key: SigningKey) -> str:
    """Sign anything at all: what a hostile sender with a valid key can do.

    Text and bytes are taken as they stand; everything else becomes JSON.
    """
    parts = [
        encode_base64url(part if isinstance(part, bytes) else _to_text(part).encode())
        for part in (header, payload)
    ]
    signed = ".".join(parts)
    return f"{signed}.{encode_base64url(key.sign(signed.encode()))}"


def _to_text(part: object) -> str:
    return part if isinstance(part, str) else json.dumps(part)


def resign(sample: Sample, header: dict[str, object] | None = None, /, **claims: object) -> str:
    """The sample's token with some members changed (``...`` drops one), signed again by its key."""
    new_header = _merge(read_part(sample.token, 0), header or {})
    return sign_raw(new_header, _merge(read_part(sample.token, 1), claims), sample.key)


def _merge(base: dict[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in {**base, **changes}.items() if value is not ...}


def later(seconds: float) -> datetime:
    """A moment so many seconds after the samples were made."""
    return NOW + timedelta(seconds=seconds)
