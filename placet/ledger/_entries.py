"""Entries: what happened, as canonical JSON of at most 65,535 bytes (C2SP tlog-tiles' limit).

``{"v":1,"time","type","actor","case","record","data"}``; ``case`` and ``record`` are left out
where there are none. Entries hold ids, digests and policy facts: no personal data, no document
text, no secret (I7).
"""

from enum import StrEnum
from typing import Literal

from pydantic import Field, JsonValue, ValidationError

from placet.ledger._errors import EntryError
from placet.model import CaseId, Model, Principal, RecordId, UtcTime, canonical_json

MAX_ENTRY_BYTES = 65_535


class EntryType(StrEnum):
    """What an entry tells (PROTOCOL.md)."""

    LOG_CREATED = "log.created"
    LOG_REKEYED = "log.rekeyed"
    AGENT_INVITED = "agent.invited"
    AGENT_SUSPENDED = "agent.suspended"
    AGENT_RESUMED = "agent.resumed"
    AGENT_OFFBOARDED = "agent.offboarded"
    OPERATOR_SUSPENDED = "operator.suspended"
    OPERATOR_RESUMED = "operator.resumed"
    OPERATOR_OFFBOARDED = "operator.offboarded"
    OPERATOR_ROLES_SET = "operator.roles_set"
    OPERATOR_INVITED = "operator.invited"
    SESSION_STARTED = "session.started"
    SESSION_ENDED = "session.ended"
    IDENTITY_ENDED = "identity.ended"
    IDENTITY_EXCEEDED = "identity.exceeded"
    IDENTITY_FOLLOWED = "identity.followed"
    IDENTITY_IMPORTED = "identity.imported"
    IDENTITY_ORDERED = "identity.ordered"
    IDENTITY_PROVEN = "identity.proven"
    IDENTITY_REVIEWED = "identity.reviewed"
    CAMPAIGN_STARTED = "campaign.started"
    CAMPAIGN_ACKNOWLEDGED = "campaign.acknowledged"
    IDENTITY_ORPHANED = "identity.orphaned"
    IDENTITY_DISOWNED = "identity.disowned"
    VENDOR_SWITCHED_OFF = "vendor.switched_off"
    IDENTITY_REGISTERED = "identity.registered"
    KEY_ENROLLED = "key.enrolled"
    KEY_REVOKED = "key.revoked"
    KEY_PUBLISHED = "key.published"
    KEY_RETIRED = "key.retired"
    KEY_ROTATED = "key.rotated"
    GOVERNANCE_PUBLISHED = "governance.published"
    POLICY_PUBLISHED = "policy.published"
    MATRIX_PUBLISHED = "matrix.published"
    PROCESS_PUBLISHED = "process.published"
    CASE_OPENED = "case.opened"
    CASE_STARTED = "case.started"
    CASE_CONTINUED = "case.continued"
    CASE_CLOSED = "case.closed"
    CASE_ARCHIVED = "case.archived"
    CASE_ALARM = "case.alarm"
    CASE_LOST = "case.lost"
    CASE_ERASED = "case.erased"
    CASE_STOPPED = "case.stopped"
    CASE_ADMITTED = "case.admitted"
    CASE_RESUBMITTED = "case.resubmitted"
    TOOL_BEGUN = "tool.begun"
    PART_TOLD = "part.told"
    PAYLOADS_OPENED = "payloads.opened"
    GRANT_ISSUED = "grant.issued"
    GRANT_DENIED = "grant.denied"
    GRANT_USED = "grant.used"
    GRANT_SETTLED = "grant.settled"
    GRANT_REVOKED = "grant.revoked"
    GRANT_EXPIRED = "grant.expired"
    GRANT_LEAKED = "grant.leaked"
    CHECKPOINT_OPENED = "checkpoint.opened"
    CHECKPOINT_RESOLVED = "checkpoint.resolved"
    CHECKPOINT_EXPIRED = "checkpoint.expired"
    CHECKPOINT_VOIDED = "checkpoint.voided"
    CHECKPOINT_REMINDED = "checkpoint.reminded"
    CHECKPOINT_ESCALATED = "checkpoint.escalated"
    CHECKPOINT_CLAIMED = "checkpoint.claimed"
    CHECKPOINT_UNCLAIMED = "checkpoint.unclaimed"
    CHECKPOINT_COMMENTED = "checkpoint.commented"
    CHECKPOINT_ATTACHED = "checkpoint.attached"
    CHECKPOINT_ADJUSTED = "checkpoint.adjusted"
    CHECKPOINT_KEYED = "checkpoint.keyed"
    CHECKPOINT_RECALLED = "checkpoint.recalled"
    DELEGATION_GIVEN = "delegation.given"
    DELEGATION_ENDED = "delegation.ended"
    DECISION_RECORDED = "decision.recorded"
    DECISION_REFUSED = "decision.refused"
    DECISION_WITHDRAWN = "decision.withdrawn"
    ACTION_REQUESTED = "action.requested"
    ACTION_PERFORMED = "action.performed"
    ACT_PROPOSED = "act.proposed"
    ACT_COUNTERSIGNED = "act.countersigned"
    ACT_WITHDRAWN = "act.withdrawn"
    ACT_LAPSED = "act.lapsed"
    ACT_REFUSED = "act.refused"
    HOLD_PLACED = "hold.placed"
    HOLD_LIFTED = "hold.lifted"
    MODEL_SUSPENDED = "model.suspended"
    MODEL_RESUMED = "model.resumed"
    NOTICE_RESENT = "notice.resent"
    GLASS_BROKEN = "glass.broken"
    REVIEW_CLOSED = "review.closed"


class Entry(Model):
    """One entry of the ledger."""

    v: Literal[1] = 1
    time: UtcTime
    type: EntryType
    actor: Principal
    case: CaseId | None = None
    record: RecordId | None = None
    data: dict[str, JsonValue] = Field(default_factory=dict)


def encode_entry(entry: Entry) -> bytes:
    """The canonical bytes of an entry: what its leaf is made of.

    Raises:
        EntryError: it has no canonical form (a number beyond 2^53), or more than 65,535 bytes.
    """
    try:
        data = canonical_json(entry)
    except ValueError as error:
        raise EntryError(f"the entry has no canonical form: {error}") from None
    if len(data) > MAX_ENTRY_BYTES:
        raise EntryError(f"the entry has {len(data)} bytes, over {MAX_ENTRY_BYTES}")
    return data


def decode_entry(data: bytes) -> Entry:
    """Read an entry from its canonical bytes; any other spelling is an error.

    Raises:
        EntryError: not an entry, or not its canonical form.
    """
    if len(data) > MAX_ENTRY_BYTES:
        raise EntryError(f"the entry has {len(data)} bytes, over {MAX_ENTRY_BYTES}")
    try:
        entry = Entry.model_validate_json(data)
        if encode_entry(entry) != data:
            raise EntryError("the entry is not in canonical form (RFC 8785)")
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise EntryError(f"not an entry: {place or 'it'} is wrong") from None
    except (ValueError, RecursionError) as error:
        raise EntryError(f"not an entry: {error}") from None
    return entry
