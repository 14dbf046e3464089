"""One credential of every kind that anything of ours takes, each good somewhere.

A kind that is added to ``placet.tokens`` must be added here, or :func:`kinds_that_lack` names it.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from placet.ledger import Checkpoint, NoteSigner, sign_checkpoint
from placet.model import (
    ActClaims,
    DecisionClaims,
    RotationClaims,
    SettlementClaims,
    UseClaims,
    UseStage,
    Verdict,
    digest_bytes,
    digest_json,
    spell_id,
)
from placet.tokens import (
    KINDS,
    Confirmation,
    GrantClaims,
    InquiryClaims,
    SessionClaims,
    SigningKey,
    invitation_key,
    make_client_assertion,
    make_proof,
    make_sign_in,
    numeric_date,
    sign_act,
    sign_decision,
    sign_enrolment,
    sign_grant,
    sign_inquiry,
    sign_rotation,
    sign_session,
    sign_settlement,
    sign_use,
)
from placet.tokens._id_tokens import ID_TOKEN, WORKLOAD_TOKEN
from tests.tokens.samples import DETAILS, sign_raw

FOREIGN = (ID_TOKEN, WORKLOAD_TOKEN)
"""The kinds that others sign: their ``typ`` is not ours."""

HOLDER = SigningKey.generate()
"""Who offers: what is bound to a key is bound to this one, so that binding is never in the way."""


@dataclass(frozen=True)
class Issuers:
    """Who signs what: an authority, and those who are enrolled there."""

    issuer: str
    audience: str
    authority: SigningKey
    agent: tuple[str, SigningKey]
    operator: tuple[str, SigningKey]
    system: tuple[str, SigningKey]
    provider: SigningKey


def kinds_that_lack(offered: Mapping[str, str]) -> set[str]:
    """The kinds of token that nothing here stands for."""
    return {each.name for each in (*KINDS, *FOREIGN)} - set(offered)


def every_kind(by: Issuers) -> dict[str, str]:
    """A fresh credential of each kind; whoever signs it is who should."""
    now = datetime.now(UTC)
    at, jti = numeric_date(now), secrets.token_urlsafe(18)
    agent, agent_key = by.agent
    operator, operator_key = by.operator
    system, system_key = by.system
    bound = Confirmation(jkt=HOLDER.thumbprint)
    said: dict[str, Any] = {"iss": by.issuer, "iat": at, "jti": jti}
    word = {"iss": "https://id.example", "sub": "una", "aud": by.issuer, "iat": at, "exp": at + 300}
    word_header = {"alg": "ES256", "kid": by.provider.thumbprint, "typ": "JWT"}
    details = DETAILS.model_copy(update={"locations": (by.audience,)})
    return {
        "grant": sign_grant(
            GrantClaims(
                **{**said, "jti": spell_id("grant", secrets.token_bytes(16))},
                sub=agent,
                aud=by.audience,
                nbf=at,
                exp=at + 60,
                client_id=agent,
                txn=DETAILS.case,
                cnf=bound,
                authorization_details=(details,),
            ),
            by.authority,
        ),
        "inquiry": sign_inquiry(
            InquiryClaims(
                **said, aud=by.audience, exp=at + 60, identifier="loan/L-1001", cnf=bound
            ),
            by.authority,
        ),
        "session": sign_session(
            SessionClaims(**said, sub=operator, aud=by.issuer, exp=at + 900, cnf=bound),
            by.authority,
        ),
        "client assertion": make_client_assertion(
            agent_key, agent, issuer=by.issuer, now=now, jti=jti
        ),
        "sign-in": make_sign_in(operator_key, operator, issuer=by.issuer, now=now, jti=jti),
        "proof": make_proof(HOLDER, "GET", by.issuer + "/v1/cases", now=now, jti=jti),
        "decision": sign_decision(
            DecisionClaims(
                iss=operator,
                aud=by.issuer,
                iat=at,
                jti=jti,
                sub=spell_id("ckpt", bytes(16)),
                txn=DETAILS.case,
                evidence_digest=digest_bytes(b"evidence"),
                requirement_digest=digest_bytes(b"requirement"),
                verdict=Verdict.APPROVE,
            ),
            operator_key,
        ),
        "act": sign_act(
            ActClaims(
                iss=operator,
                aud=by.issuer,
                iat=at,
                jti=jti,
                act="hold.place",
                target="depot/D1",
                body_digest=digest_json({"reason": "a test"}),
            ),
            operator_key,
        ),
        "settlement": sign_settlement(
            SettlementClaims(
                iss=agent,
                aud=by.issuer,
                iat=at,
                sub=spell_id("grant", bytes(16)),
                txn=DETAILS.case,
                details_digest=digest_json(DETAILS),
                settlement_digest=digest_bytes(b"settlement"),
            ),
            agent_key,
        ),
        "key rotation": sign_rotation(
            RotationClaims(iss=agent, aud=by.issuer, iat=at, sub=HOLDER.thumbprint), agent_key
        ),
        "enrolment": sign_enrolment(
            invitation_key(operator, secrets.token_urlsafe(32)),
            operator,
            HOLDER.public,
            audience=by.issuer,
            now=now,
        ),
        "use": sign_use(
            UseClaims(
                iss=system,
                aud=by.issuer,
                iat=at,
                jti=jti,
                sub=spell_id("grant", bytes(16)),
                details_digest=digest_json(DETAILS),
                jkt=HOLDER.thumbprint,
                stage=UseStage.USE,
                action="parcel:weigh",
                record="depot/D1",
                status=200,
                used_at=at,
            ),
            system_key,
        ),
        "ID token": sign_raw(word_header, word, by.provider),
        "workload token": sign_raw(word_header, {**word, "sub": "pod:scale"}, by.provider),
        "device code": secrets.token_urlsafe(24),
        "signed head": _head(by),
        "revocation": json.dumps({"cursor": 1, "grant": spell_id("grant", bytes(16))}),
        "grant's id": spell_id("grant", secrets.token_bytes(16)),
    }


def _head(by: Issuers) -> str:
    origin = by.issuer.partition("://")[2] + "/ledger"
    signer = NoteSigner(origin, Ed25519PrivateKey.generate())
    return sign_checkpoint(Checkpoint(origin=origin, size=1, root=bytes(32)), [signer])
