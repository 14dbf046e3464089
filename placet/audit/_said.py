"""What an act's body says of its entry's members; an entry that says otherwise is a forgery."""

from datetime import timedelta

from pydantic import JsonValue

from placet.audit._scene import read_json
from placet.ledger import Entry, EntryType
from placet.model import (
    AcknowledgeCampaign,
    AddKey,
    Adjust,
    AdmitCase,
    Attach,
    AuthorityMatrix,
    CloseReview,
    Delegate,
    EnrolIdentity,
    Governance,
    ImportIdentities,
    Invite,
    InviteAgent,
    KeyIn,
    OpenCase,
    OrderIdentity,
    ProcessDefinition,
    PublishPolicy,
    RegisterIdentity,
    RekeyLog,
    Resubmit,
    SetRoles,
    StartCampaign,
    SwitchOff,
    digest_json,
)
from placet.rules import load_policies
from placet.tokens import PublicKey


def said_of_own_key(body: str) -> dict[str, JsonValue]:
    """What ``key.add`` and ``operator.claim`` say of their entry."""
    return {"jwk": dict(PublicKey.from_jwk(AddKey.model_validate_json(body).jwk).jwk())}


def said_by(entry: Entry, body: str) -> dict[str, JsonValue]:
    """What an act's body says of its entry's members, and of its record where it names one."""
    match entry.type:
        case EntryType.GOVERNANCE_PUBLISHED:
            rules = Governance.model_validate_json(body)
            return {
                "version": rules.version,
                "signatures": rules.signatures,
                "governance_digest": digest_json(rules),
            }
        case EntryType.LOG_REKEYED:
            keyed: dict[str, JsonValue] = RekeyLog.model_validate_json(body).model_dump()
            return keyed
        case EntryType.PROCESS_PUBLISHED:
            definition = ProcessDefinition.model_validate_json(body)
            return {
                "process": definition.name,
                "version": definition.version,
                "digest": digest_json(definition),
                "code_digest": definition.code,
            }
        case EntryType.MATRIX_PUBLISHED:
            matrix = AuthorityMatrix.model_validate_json(body)
            return {
                "process": matrix.process,
                "version": matrix.version,
                "matrix_digest": digest_json(matrix),
            }
        case EntryType.POLICY_PUBLISHED:
            told = PublishPolicy.model_validate_json(body)
            return {"policy_digest": load_policies(told.policies, told.cedar_schema).digest}
        case EntryType.DELEGATION_GIVEN:
            given = Delegate.model_validate_json(body)
            return {
                "process": given.process,
                "starts_at": int(given.starts_at.timestamp()),
                "ends_at": int(given.ends_at.timestamp()),
            }
        case _:
            return _said_of_cases(entry, body)


def _said_of_cases(entry: Entry, body: str) -> dict[str, JsonValue]:
    match entry.type:
        case EntryType.CASE_OPENED:
            return {"process": OpenCase.model_validate_json(body).process}
        case EntryType.CASE_CLOSED:
            return {"result": "ended"}
        case EntryType.CASE_ADMITTED:
            admitted = AdmitCase.model_validate_json(body)
            return {"trouble_digest": admitted.trouble_digest, "run_id": admitted.run_id}
        case EntryType.CASE_RESUBMITTED:
            handed_in = Resubmit.model_validate_json(body)
            return {"record": handed_in.record, "version": handed_in.version}
        case EntryType.REVIEW_CLOSED:
            return {"justified": CloseReview.model_validate_json(body).justified}
        case EntryType.CHECKPOINT_ADJUSTED:
            lowered = Adjust.model_validate_json(body)
            return {"evidence_digest": lowered.evidence_digest}
        case EntryType.CHECKPOINT_KEYED:
            return {"evidence_digest": KeyIn.model_validate_json(body).evidence_digest}
        case EntryType.CHECKPOINT_ATTACHED:
            file = Attach.model_validate_json(body)
            return {"attachment_digest": file.digest, "size": file.size}
        case _:
            return _said_of_identities(entry, body)


def _said_of_identities(entry: Entry, body: str) -> dict[str, JsonValue]:
    match entry.type:
        case EntryType.KEY_ENROLLED:
            enrolled = EnrolIdentity.model_validate_json(body)
            return {
                "jwk": dict(PublicKey.from_jwk(enrolled.jwk).jwk()),
                "roles": list(enrolled.roles),
                "owner": enrolled.owner,
            }
        case EntryType.IDENTITY_REGISTERED:
            return RegisterIdentity.model_validate_json(body).on_the_ledger()
        case EntryType.IDENTITY_IMPORTED:
            imported = ImportIdentities.model_validate_json(body)
            return {"rows": len(imported.rows), "rows_digest": digest_json(read_json(body))}
        case EntryType.IDENTITY_ORDERED:
            return {"goal": OrderIdentity.model_validate_json(body).goal.value}
        case EntryType.CAMPAIGN_STARTED:
            return {"identities": list(StartCampaign.model_validate_json(body).identities)}
        case EntryType.CAMPAIGN_ACKNOWLEDGED:
            seen: dict[str, JsonValue] = AcknowledgeCampaign.model_validate_json(body).model_dump()
            return seen
        case EntryType.VENDOR_SWITCHED_OFF:
            return {"identities": list(SwitchOff.model_validate_json(body).identities)}
        case EntryType.OPERATOR_ROLES_SET:
            return {"roles": list(SetRoles.model_validate_json(body).roles)}
        case EntryType.AGENT_INVITED:
            worker = InviteAgent.model_validate_json(body)
            return {
                "environment": worker.environment,
                "task_queues": list(worker.task_queues),
                "invitation_key": worker.invitation_key,
                "expires_at": _after(entry, worker.minutes),
            }
        case EntryType.OPERATOR_INVITED:
            invited = Invite.model_validate_json(body)
            return {
                "roles": list(invited.roles),
                "invitation_key": invited.invitation_key,
                "expires_at": _after(entry, invited.minutes),
            }
        case _:
            return {}


def _after(entry: Entry, minutes: int) -> int:
    return int((entry.time + timedelta(minutes=minutes)).timestamp())
