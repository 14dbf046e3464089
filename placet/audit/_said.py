"""What an act's body says of its entry's members; an entry that says otherwise is a forgery."""

from pydantic import JsonValue

from placet.audit._scene import read_json
from placet.ledger import EntryType
from placet.model import (
    AcknowledgeCampaign,
    AddKey,
    Adjust,
    Attach,
    AuthorityMatrix,
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


def said_by(type_: EntryType, body: str) -> dict[str, JsonValue]:
    """What an act's body says of its entry's members."""
    match type_:
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
            return {"digest": digest_json(ProcessDefinition.model_validate_json(body))}
        case EntryType.MATRIX_PUBLISHED:
            return {"matrix_digest": digest_json(AuthorityMatrix.model_validate_json(body))}
        case EntryType.POLICY_PUBLISHED:
            told = PublishPolicy.model_validate_json(body)
            return {"policy_digest": load_policies(told.policies, told.cedar_schema).digest}
        case EntryType.CHECKPOINT_ADJUSTED:
            lowered = Adjust.model_validate_json(body)
            return {"evidence_digest": lowered.evidence_digest}
        case EntryType.CHECKPOINT_KEYED:
            return {"evidence_digest": KeyIn.model_validate_json(body).evidence_digest}
        case EntryType.CHECKPOINT_ATTACHED:
            file = Attach.model_validate_json(body)
            return {"attachment_digest": file.digest, "size": file.size}
        case EntryType.DELEGATION_GIVEN:
            given = Delegate.model_validate_json(body)
            return {
                "process": given.process,
                "starts_at": int(given.starts_at.timestamp()),
                "ends_at": int(given.ends_at.timestamp()),
            }
        case EntryType.CASE_OPENED:
            return {"process": OpenCase.model_validate_json(body).process}
        case EntryType.CASE_CLOSED:
            return {"result": "ended"}
        case _:
            return _said_of_identities(type_, body)


def _said_of_identities(type_: EntryType, body: str) -> dict[str, JsonValue]:
    match type_:
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
                "token_digest": worker.token_digest,
            }
        case EntryType.OPERATOR_INVITED:
            invited = Invite.model_validate_json(body)
            return {"roles": list(invited.roles), "code_digest": invited.code_digest}
        case _:
            return {}
