"""Grants as rows and tokens, without the step in Temporal that they would need."""

import itertools
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from placet.authority._requests import Sender
from placet.authority._store import Case, Grant, Tx
from placet.model import (
    EnrolIdentity,
    GrantedDetails,
    Settlement,
    SettlementClaims,
    SignedSettlement,
    canonical_json,
    digest_json,
    system_urn,
)
from placet.tokens import (
    Confirmation,
    GrantClaims,
    Proof,
    SigningKey,
    make_proof,
    numeric_date,
    sign_settlement,
    verify_proof,
)
from tests.harness.acting import Acting
from tests.harness.crowd import number_id, parcel_case

DIGEST = "sha-256:" + "A" * 43
_NUMBERS = itertools.count(10_000)


def proof(at: Acting, key: SigningKey) -> Proof:
    """A fresh proof of a key, of some request."""
    now, url = at.core.clock(), f"{at.core.issuer}/v1/anything"
    made = make_proof(key, "POST", url, now=now, jti=secrets.token_urlsafe(18))
    return verify_proof(made, method="POST", url=url, now=now)


def sender(
    at: Acting, principal: str, key: SigningKey, proving: SigningKey | None = None
) -> Sender:
    """Who asks under a key of theirs, and proves that one or another."""
    until = at.core.clock() + timedelta(seconds=60)
    jti = secrets.token_urlsafe(18)
    return Sender(principal, key.public, jti, until, proof(at, proving or key))


async def enrolled(at: Acting, principal: str) -> SigningKey:
    """The key of an agent or a system, which ada enrols."""
    kind, key = principal.partition(":")[0], SigningKey.generate()
    owner = "operator:ada" if kind == "agent" else None
    body = EnrolIdentity(jwk=key.public.jwk(), owner=owner)
    await at.act("ada", f"{kind}.enrol", principal, body)
    return key


@dataclass
class Granted:
    """A grant, whoever holds it, and what it says."""

    id: str
    case: str
    agent: str
    key: SigningKey
    details: GrantedDetails

    def claims(self, at: Acting) -> GrantClaims:
        """What its token says."""
        now = numeric_date(at.core.clock())
        return GrantClaims(
            iss=at.core.issuer,
            sub=self.agent,
            aud=self.details.audience,
            iat=now,
            nbf=now,
            exp=now + 60,
            jti=self.id,
            client_id=self.agent,
            txn=self.case,
            cnf=Confirmation(jkt=self.key.thumbprint),
            authorization_details=(self.details,),
        )

    def settlement(self, at: Acting, **changed: Any) -> SignedSettlement:
        """Its agent's signed settlement, with members changed."""
        said = {
            "grant": self.id,
            "outcome": "completed",
            "input_digest": DIGEST,
            "salt": secrets.token_urlsafe(32),
            **changed,
        }
        body = Settlement.model_validate(said)
        claims = SettlementClaims(
            iss=self.agent,
            aud=at.core.issuer,
            iat=numeric_date(at.core.clock()),
            sub=self.id,
            txn=self.case,
            details_digest=digest_json(self.details),
            settlement_digest=body.settled().digest,
        )
        return SignedSettlement(settlement=sign_settlement(claims, self.key), body=body)


async def grant(
    at: Acting,
    agent: str,
    key: SigningKey,
    *,
    case: Case | None = None,
    step: str = "weigh",
    action: str = "parcel:weigh",
    system: str = "authority",
    record: str | None = None,
    lasts: float = 60,
    guarded: bool = False,
    **details: Any,
) -> Granted:
    """Put a live grant into the store, in an open case of its own unless one is given."""
    number = next(_NUMBERS)
    of = case or parcel_case(number)
    activity = {
        "workflow_id": of.id,
        "run_id": "first",
        "activity_id": str(number),
        "activity_type": step,
        "attempt": 1,
    }
    given = GrantedDetails.model_validate(
        {
            "locations": [system_urn(system)],
            "actions": [action],
            "identifier": record or of.subject,
            "case": of.id,
            "activity": activity,
            **details,
        }
    )
    made = Granted(number_id("grant", number), of.id, agent, key, given)
    spelled = canonical_json(given.model_dump(mode="json", exclude_none=True)).decode()

    def put(tx: Tx) -> None:
        if tx.get(Case, of.id) is None:
            tx.add(of)
        tx.add(
            Grant(
                id=made.id,
                case_id=of.id,
                agent=agent,
                jkt=key.thumbprint,
                action=action,
                system=system,
                record=given.identifier,
                run_id="first",
                activity_id=str(number),
                activity_type=step,
                attempt=1,
                last_started="then",
                issued_at=tx.now,
                expires_at=tx.now + timedelta(seconds=lasts),
                status="issued",
                details_json=spelled,
                guarded_json=spelled if guarded else None,
                entry=number,
            )
        )

    await at.write(put)
    return made


async def row_of(at: Acting, granted: Granted) -> Grant:
    """A grant's row."""
    found = await at.core.store.read(lambda reader: reader.get(Grant, granted.id))
    assert found is not None
    return found
