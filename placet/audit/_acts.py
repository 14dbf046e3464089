"""What people's signed acts say, and that the entries which follow from them say the same."""

from collections.abc import Iterator

from pydantic import ValidationError

from placet.audit._said import said_by, said_of_own_key
from placet.ledger import Entry, EntryType
from placet.model import ActClaims, digest_bytes
from placet.rules import BadPolicies
from placet.tokens import KeyRefused

_ACTS = {
    EntryType.LOG_REKEYED: "log.rekey",
    EntryType.POLICY_PUBLISHED: "policy.publish",
    EntryType.MATRIX_PUBLISHED: "matrix.publish",
    EntryType.PROCESS_PUBLISHED: "process.publish",
    EntryType.CASE_OPENED: "case.open",
    EntryType.CASE_CLOSED: "case.end",
    EntryType.CASE_ADMITTED: "case.admit",
    EntryType.CASE_ERASED: "case.erase",
    EntryType.CASE_RESUBMITTED: "case.resubmit",
    EntryType.CHECKPOINT_CLAIMED: "checkpoint.claim",
    EntryType.CHECKPOINT_UNCLAIMED: "checkpoint.unclaim",
    EntryType.CHECKPOINT_COMMENTED: "checkpoint.comment",
    EntryType.CHECKPOINT_ATTACHED: "checkpoint.attach",
    EntryType.CHECKPOINT_ADJUSTED: "checkpoint.adjust",
    EntryType.CHECKPOINT_KEYED: "checkpoint.key",
    EntryType.CHECKPOINT_RECALLED: "checkpoint.recall",
    EntryType.DELEGATION_GIVEN: "delegation.give",
    EntryType.DELEGATION_ENDED: "delegation.end",
    EntryType.HOLD_PLACED: "hold.place",
    EntryType.HOLD_LIFTED: "hold.lift",
    EntryType.AGENT_INVITED: "agent.invite",
    EntryType.AGENT_SUSPENDED: "{kind}.suspend",
    EntryType.AGENT_RESUMED: "{kind}.resume",
    EntryType.AGENT_OFFBOARDED: "{kind}.offboard",
    EntryType.OPERATOR_SUSPENDED: "operator.suspend",
    EntryType.OPERATOR_RESUMED: "operator.resume",
    EntryType.OPERATOR_OFFBOARDED: "operator.offboard",
    EntryType.IDENTITY_REGISTERED: "identity.register",
    EntryType.IDENTITY_ENDED: "identity.end",
    EntryType.CAMPAIGN_STARTED: "campaign.start",
    EntryType.CAMPAIGN_ACKNOWLEDGED: "campaign.acknowledge",
    EntryType.IDENTITY_IMPORTED: "identity.import",
    EntryType.IDENTITY_ORDERED: "identity.order",
    EntryType.VENDOR_SWITCHED_OFF: "vendor.off",
    EntryType.KEY_ENROLLED: "{kind}.enrol",
    EntryType.KEY_REVOKED: "key.revoke",
    EntryType.OPERATOR_ROLES_SET: "operator.roles",
    EntryType.OPERATOR_INVITED: "operator.invite",
    EntryType.MODEL_SUSPENDED: "model.suspend",
    EntryType.MODEL_RESUMED: "model.resume",
    EntryType.SESSION_ENDED: "session.end",
    EntryType.NOTICE_RESENT: "notice.resend",
    EntryType.GLASS_BROKEN: "glass.break",
    EntryType.REVIEW_CLOSED: "review.close",
    EntryType.GOVERNANCE_PUBLISHED: "governance.publish",
    EntryType.ACT_COUNTERSIGNED: "act.countersign",
    EntryType.ACT_WITHDRAWN: "act.withdraw",
}

_AGAIN = {
    EntryType.CHECKPOINT_CLAIMED: "checkpoint",
    EntryType.CHECKPOINT_UNCLAIMED: "checkpoint",
    EntryType.CHECKPOINT_COMMENTED: "checkpoint",
    EntryType.CHECKPOINT_ATTACHED: "checkpoint",
    EntryType.CHECKPOINT_ADJUSTED: "checkpoint",
    EntryType.CHECKPOINT_KEYED: "checkpoint",
    EntryType.CHECKPOINT_RECALLED: "checkpoint",
    EntryType.GLASS_BROKEN: "checkpoint",
    EntryType.REVIEW_CLOSED: "review",
    EntryType.DELEGATION_ENDED: "delegation",
    EntryType.SESSION_ENDED: "session",
    EntryType.NOTICE_RESENT: "delivery",
}
"""The member in which an entry has its act's target once more."""

_MOSTLY_WITHOUT = {EntryType.CASE_CLOSED, EntryType.SESSION_ENDED}


def with_act(entry: Entry) -> bool:
    """Whether a person's signed act stands behind an entry; a case is mostly closed without one."""
    return entry.type in _ACTS and (entry.type not in _MOSTLY_WITHOUT or "act" in entry.data)


def adds_own_key(entry: Entry) -> bool:
    """Whether someone enrolled a key for themselves: by an invitation, or beside one they have."""
    return entry.type is EntryType.KEY_ENROLLED and entry.actor == entry.data.get("principal")


def signs(claims: ActClaims, body: str) -> bool:
    """Whether a body is, byte for byte, the canonical JSON that was signed."""
    return digest_bytes(body.encode("utf-8", "surrogatepass")) == claims.body_digest


def otherwise(entry: Entry, claims: ActClaims, body: str) -> Iterator[str]:
    """In what an entry says other than its act."""
    data = entry.data
    target = data.get("principal" if entry.type is EntryType.KEY_ENROLLED else "target")
    kind = str(target).partition(":")[0]
    expected = _ACTS[entry.type].format(kind=kind)
    if adds_own_key(entry):
        expected = "operator.claim" if "invitation" in data else "key.add"
    if claims.act != expected:
        yield f"it is a {claims.act}"
    if claims.target != target:
        yield f"it is about {claims.target}"
    about = {
        EntryType.CASE_OPENED: entry.record,
        EntryType.CASE_CLOSED: entry.case,
        EntryType.CASE_ADMITTED: entry.case,
        EntryType.CASE_RESUBMITTED: entry.case,
        EntryType.CASE_ERASED: entry.case,
        EntryType.HOLD_PLACED: entry.record,
        EntryType.HOLD_LIFTED: entry.record,
    }.get(entry.type, claims.target)
    if about != claims.target:
        yield f"the entry is about {about}"
    again = _AGAIN.get(entry.type)
    if again is not None and str(data.get(again)) != claims.target:
        yield f"its {again} is another"
    try:
        said = said_of_own_key(body) if adds_own_key(entry) else said_by(entry, body)
    except (ValidationError, BadPolicies, KeyRefused) as error:
        yield f"its body does not fit it: {type(error).__name__}"
        return
    for name, value in said.items():
        if (entry.record if name == "record" else data.get(name)) != value:
            yield f"it says another {name}"
