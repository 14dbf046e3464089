"""What a decision on a grant leaves: the grant with its entry, or the entry of a denial (I4)."""

from collections.abc import Mapping
from datetime import timedelta

from pydantic import JsonValue
from sqlalchemy import and_, bindparam, or_, select

from placet.authority._approvals import Approval
from placet.authority._core import Core
from placet.authority._prefixes import keep_prefix
from placet.authority._revocations import revoke
from placet.authority._running_steps import Ask, Denial
from placet.authority._store import Case, Grant, GrantInput, Tx, table_of
from placet.authority._temporal import RunningActivity
from placet.model import GrantedDetails, canonical_json, digest_bytes, system_urn
from placet.tokens import Confirmation, GrantClaims

_GRANT = table_of(Grant)
_EARLIER_OF_STEP = select(_GRANT).where(
    _GRANT.c.run_id == bindparam("run"),
    _GRANT.c.activity_id == bindparam("activity"),
    or_(
        _GRANT.c.status == "issued",
        and_(
            _GRANT.c.attempt == bindparam("attempt"),
            _GRANT.c.last_started == bindparam("last_started"),
        ),
    ),
)
_READ = select(table_of(GrantInput)).where(table_of(GrantInput).c.grant_id == bindparam("grant"))


def record_grant(
    tx: Tx,
    core: Core,
    ask: Ask,
    case: Case,
    activity: RunningActivity,
    approval: Approval | None,
    policy: Mapping[str, JsonValue],
) -> GrantClaims:
    """Write a grant and its entry; what is to be signed once they are durable.

    A grant of the same activity that still lives is revoked first.
    """
    earlier = _revoke_earlier(tx, ask, activity)
    grant_id = core.new_id("grant")
    expires = tx.now + timedelta(seconds=core.settings.grant_seconds)
    if activity.start_to_close is not None:
        expires = min(expires, activity.last_started + activity.start_to_close)
    if ask.until is not None:
        expires = min(expires, ask.until)
    asked = ask.details
    fixed = {"max_amount": asked.amount} if approval is None else approval.fixed()
    details = GrantedDetails.model_validate({**asked.model_dump(exclude={"amount"}), **fixed})
    said = canonical_json(details)
    last_started = activity.last_started.isoformat()
    data: dict[str, JsonValue] = {
        "grant": grant_id,
        "jkt": ask.sender.jkt,
        "key": ask.sender.thumbprint,
        "action": asked.action,
        "system": asked.system,
        "activity": asked.activity.model_dump(mode="json"),
        "last_started": last_started,
        "expires": int(expires.timestamp()),
        "details_digest": digest_bytes(said),
        **policy,
    }
    if asked.model is not None:
        data["model"] = asked.model
    if asked.amount is not None:
        data["amount"] = f"{asked.amount:.2f}"
    if ask.facts.versions:
        data["versions"] = dict[str, JsonValue](ask.facts.versions)
    if approval is not None:
        data["checkpoint"] = approval.checkpoint_id
        data["approvals"] = list(approval.approvals)
        data["evidence_digest"] = approval.evidence_digest
        data |= keep_prefix(tx, case.id, ask.seen)
    entry = tx.append(
        "grant.issued", ask.sender.principal, data, case=case.id, record=asked.identifier
    )
    tx.add(
        Grant(
            id=grant_id,
            case_id=case.id,
            agent=ask.sender.principal,
            jkt=ask.sender.jkt,
            action=asked.action,
            system=asked.system,
            record=asked.identifier,
            run_id=asked.activity.run_id,
            activity_id=asked.activity.activity_id,
            activity_type=asked.activity.activity_type,
            attempt=asked.activity.attempt,
            last_started=last_started,
            issued_at=tx.now,
            expires_at=expires,
            status="issued",
            context_digest=str(policy["context_digest"]),
            details_json=said.decode(),
            guarded_json=None if approval is None else said.decode(),
            entry=entry,
        )
    )
    _carry_inputs(tx, earlier, grant_id)
    issued = int(tx.now.timestamp())
    return GrantClaims(
        iss=core.issuer,
        sub=ask.sender.principal,
        aud=system_urn(asked.system),
        iat=issued,
        nbf=issued,
        exp=int(expires.timestamp()),
        jti=grant_id,
        client_id=ask.sender.principal,
        txn=case.id,
        cnf=Confirmation(jkt=ask.sender.jkt),
        authorization_details=(details,),
    )


def record_denial(tx: Tx, ask: Ask, denial: Denial) -> None:
    """Write a denial's entry."""
    asked = ask.details
    known = tx.get(Case, asked.case)
    tx.append(
        "grant.denied",
        ask.sender.principal,
        {
            "key": ask.sender.thumbprint,
            "action": asked.action,
            "system": asked.system,
            "asked_case": asked.case,
            "activity": asked.activity.model_dump(mode="json"),
            **({} if asked.model is None else {"model": asked.model}),
            **({} if asked.amount is None else {"amount": f"{asked.amount:.2f}"}),
            "reasons": list(denial.reasons),
            **denial.policy,
        },
        case=known.id if known else None,
        record=asked.identifier,
    )


def _revoke_earlier(tx: Tx, ask: Ask, running: RunningActivity) -> list[str]:
    """Revoke the step's live grants; the grants that the same worker had for this very attempt."""
    asked, last_started = ask.details.activity, running.last_started.isoformat()
    step = {
        "run": asked.run_id,
        "activity": asked.activity_id,
        "attempt": asked.attempt,
        "last_started": last_started,
    }
    earlier = tx.rows(Grant, _EARLIER_OF_STEP, step)
    for grant in earlier:
        if grant.status == "issued":
            revoke(tx, grant, "superseded")
    renewed = (asked.attempt, last_started, ask.sender.jkt)
    return [each.id for each in earlier if (each.attempt, each.last_started, each.jkt) == renewed]


def _carry_inputs(tx: Tx, earlier: list[str], grant: str) -> None:
    """Let a grant have read what the grants before it in its attempt had."""
    read = [row for each in earlier for row in tx.rows(GrantInput, _READ, {"grant": each})]
    for digest in sorted({each.part_digest for each in read}):
        tx.add(GrantInput(grant_id=grant, part_digest=digest, at=tx.now))
