"""What goes over the authority's API and the systems' facts route: one model in, one model out.

Bodies are JSON objects; an unknown member is an error. Signed parts are compact JWS strings.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, StringConstraints

from placet.model._archive import RunId
from placet.model._attending import ClaimView, EvidenceDiff, RemarkView, Unusual
from placet.model._checkpoints import CheckpointStatus, Outcome, Requirement
from placet.model._details import GrantedDetails, RequestedDetails
from placet.model._digest import Digest, digest_bytes
from placet.model._evidence import Evidence, Part
from placet.model._ids import (
    Action,
    CaseId,
    CheckpointId,
    GrantId,
    Identifier,
    Jti,
    Name,
    Principal,
    RecordId,
    Thumbprint,
)
from placet.model._values import Model, UtcTime

CompactJws = Annotated[
    str,
    StringConstraints(
        pattern=r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$", max_length=16384
    ),
]
Text = Annotated[str, StringConstraints(max_length=10_000)]


class Problem(Model):
    """An error answer: RFC 6749 section 5.2's members, on every route."""

    error: str
    error_description: str
    reasons: tuple[str, ...] = ()


# --- acts -----------------------------------------------------------------------------------


class OpenCase(Model):
    """Body of the act ``case.open``; the act's ``target`` is the subject."""

    process: Name
    subject: RecordId


class Resubmit(Model):
    """Body of the act ``case.resubmit``; the act's ``target`` is the case.

    ``record`` came back with new content; ``version`` is what its system of record calls that.
    """

    record: RecordId
    version: Annotated[str, StringConstraints(min_length=1, max_length=64)]


class EnrolIdentity(Model):
    """Body of ``agent.enrol``, ``operator.enrol``, ``system.enrol``; the target is the principal.

    ``jwk`` is the public key (RFC 7517). Operators have ``roles``; agents have an ``owner``;
    systems of record a ``url`` where the authority asks for facts.
    """

    jwk: dict[str, Any]
    roles: tuple[Name, ...] = ()
    owner: Principal | None = None
    url: Annotated[str, StringConstraints(pattern=r"^https?://", max_length=300)] | None = None


class AddKey(Model):
    """Body of ``key.add``: a person's further public key (RFC 7517); the target is the person."""

    jwk: dict[str, Any]


class Invite(Model):
    """Body of ``operator.invite``; the target is the new operator.

    ``code_digest`` is :func:`code_digest` of the one-time code, which its maker hands over.
    """

    roles: tuple[Name, ...] = Field(min_length=1, max_length=20)
    code_digest: Digest
    minutes: int = Field(default=60, ge=1, le=24 * 60)


class ClaimKey(Model):
    """Body of ``operator.claim``: the public key that was made on the device."""

    jwk: dict[str, Any]


class Enrolment(Model):
    """Body of ``POST /v1/enrolments``: the code, and the act signed by the new key itself."""

    code: Annotated[str, StringConstraints(pattern=r"^[A-Z2-7-]{8,64}$")]
    act: CompactJws
    body: ClaimKey


def code_digest(operator: str, code: str) -> Digest:
    """What stands for a one-time code everywhere but in its bearer's hand. Hyphens don't count."""
    return digest_bytes(f"placet invitation {operator} {code.replace('-', '')}".encode())


class SignInBegun(Model):
    """Answer of RFC 8628 section 3.2: what a person is shown, and what the device keeps."""

    device_code: Annotated[str, StringConstraints(max_length=16384)]
    user_code: Annotated[str, StringConstraints(max_length=128)]
    verification_uri: Annotated[str, StringConstraints(max_length=2048)]
    verification_uri_complete: Annotated[str, StringConstraints(max_length=2048)] | None = None
    expires_in: int
    interval: int = 5


class SignInAnswer(Model):
    """Answer of the token endpoint to a finished sign-in at the identity provider."""

    access_token: str
    token_type: str
    expires_in: int
    operator: Principal
    session_ends_at: UtcTime


class SetRoles(Model):
    """Body of ``operator.roles``: all roles that an operator has from now on."""

    roles: tuple[Name, ...] = Field(min_length=1, max_length=20)


class Reason(Model):
    """Why: for ``{agent,operator}.{suspend,resume,offboard}``, ``hold.lift``, ``case.end``, …."""

    reason: Annotated[str, StringConstraints(min_length=1, max_length=500)]


class AdmitCase(Reason):
    """Body of ``case.admit``; ``run_id`` is the run that a person looked at and lets go on."""

    run_id: RunId | None = None


class Hold(Model):
    """Body of ``hold.place``; the target is the record. It covers every record below it."""

    reason: Annotated[str, StringConstraints(min_length=1, max_length=500)]


class PublishPolicy(Model):
    """Body of ``policy.publish``: Cedar policies and their schema, as text."""

    policies: Annotated[str, StringConstraints(max_length=1_000_000)]
    cedar_schema: Annotated[str, StringConstraints(max_length=200_000)]


class SignedAct(Model):
    """An act: the JWS, and the body whose digest it signs.

    ``content`` is a file in base64, where the body has the digest of one.
    """

    act: CompactJws
    body: dict[str, JsonValue]
    content: Annotated[str, StringConstraints(max_length=1_400_000)] | None = None


class ActAnswer(Model):
    """What an act did. ``case`` is set for ``case.open``.

    ``proposed``: nothing yet; it waits for a second person's signature.
    """

    act: Identifier | str
    target: str
    entry: int
    case: CaseId | None = None
    status: Literal["done", "proposed"] = "done"


# --- cases and checkpoints ------------------------------------------------------------------


class CaseStatus(StrEnum):
    """Where a case stands. ``stopped``: Temporal shows something the authority did not do."""

    OPENING = "opening"
    OPEN = "open"
    STOPPED = "stopped"
    CLOSED = "closed"


ARCHIVED_WITHIN = timedelta(hours=1)
"""How long after a case was closed its history is sealed at the latest, if its workflow ends.

The archivist looks every few seconds; a Temporal cluster that is away delays it."""


class ArchiveState(StrEnum):
    """How a closed case's archive stands; each but ``sealed`` and ``erased`` is tried again.

    ``waiting``: not tried yet. ``failed``: Temporal was away, or the like. ``alarm``: its histories
    do not fit the ledger. ``lost``: Temporal does not have them any more.
    """

    WAITING = "waiting"
    FAILED = "failed"
    ALARM = "alarm"
    LOST = "lost"
    SEALED = "sealed"
    ERASED = "erased"


class CaseView(Model):
    """One case, as people's tools see it."""

    id: CaseId
    process: Name
    process_version: int
    subject: RecordId
    status: CaseStatus
    opened_by: Principal
    opened_at: UtcTime
    workflow_id: str
    run_id: str | None = None
    result: str | None = None
    stopped_for: str | None = None
    closed_at: UtcTime | None = None
    archived: bool = False
    archive: ArchiveState | None = None
    archive_trouble: str | None = None
    alarm: str | None = None

    def archive_late(self, now: datetime) -> bool:
        """Whether its history is not sealed yet, though it should be by now."""
        if self.closed_at is None or self.run_id is None or self.archived:
            return False
        return now - self.closed_at > ARCHIVED_WITHIN


class DecisionView(Model):
    """One decision that was counted at a checkpoint."""

    jti: Jti
    operator: Principal
    verdict: str
    decided_at: UtcTime
    jws: CompactJws
    stands_in_for: Principal | None = None
    evidence_opened_at: UtcTime | None = None


class CheckpointView(Model):
    """One checkpoint with what it asks and what was decided.

    ``unusual`` is what to read first; ``changed`` what is different from the checkpoint that this
    one replaces, whose approvals are void.
    """

    id: CheckpointId
    case: CaseId
    name: Name
    title: str
    subject: RecordId
    status: CheckpointStatus
    opened_at: UtcTime
    deadline: UtcTime
    evidence_digest: Digest
    requirement_digest: Digest
    evidence: Evidence
    requirement: Requirement
    decisions: tuple[DecisionView, ...] = ()
    missing: tuple[str, ...] = ()
    unusual: tuple[Unusual, ...] = ()
    changed: EvidenceDiff | None = None
    claim: ClaimView | None = None
    remarks: tuple[RemarkView, ...] = ()
    escalated: int = 0
    erased: bool = False


class SignedDecision(Model):
    """Body of ``POST /v1/checkpoints/{id}/decisions``."""

    decision: CompactJws


class ForCheckpoint(Model):
    """One of many signed decisions, and the checkpoint it is sent to."""

    checkpoint: CheckpointId
    decision: CompactJws


class SignedDecisions(Model):
    """Body of ``POST /v1/decisions``: each is signed on its own evidence, answered by itself."""

    decisions: tuple[ForCheckpoint, ...] = Field(min_length=1, max_length=100)


class DecisionAnswer(Model):
    """A decision that was recorded, and where the checkpoint stands after it."""

    jti: Jti
    entry: int
    outcome: Outcome


class OneAnswer(Model):
    """What became of one of many decisions: it was recorded, or why not."""

    checkpoint: CheckpointId
    answer: DecisionAnswer | None = None
    problem: Problem | None = None


class DecisionAnswers(Model):
    """Answers, in the order of the request."""

    answers: tuple[OneAnswer, ...]


class OpenCheckpoint(Model):
    """Body of ``POST /v1/cases/{case}/checkpoints`` (the orchestrator, under a grant)."""

    checkpoint: Name


class CloseCase(Model):
    """Body of ``POST /v1/cases/{case}/close`` (the orchestrator, under a grant)."""

    result: Identifier


class StopCase(Model):
    """Body of ``POST /v1/cases/{case}/stop`` (the orchestrator, under a grant).

    ``admissions``: how often the workflow had heard that a person admitted the case when it found
    the reason. A word from before the last admission stops nothing.
    """

    admissions: int = Field(ge=0)
    reason: Annotated[str, StringConstraints(min_length=1, max_length=300)]


# --- grants ---------------------------------------------------------------------------------


class GrantAsks(Model):
    """Body of ``POST /v1/grants``: what several steps of one worker ask for at the same time.

    Authenticated by ``client_assertion`` and a DPoP proof; each is decided and answered by itself.
    """

    client_assertion: CompactJws
    asks: tuple[RequestedDetails, ...] = Field(min_length=1, max_length=32)


class GrantGiven(Model):
    """A grant, as the token endpoint would answer it; of type DPoP, like all."""

    access_token: CompactJws = Field(repr=False)
    expires_in: int
    details: GrantedDetails


class GrantRefused(Model):
    """Why there is no grant, as the token endpoint would say it.

    ``retry_after`` is in how many seconds to ask again, where that is known.
    """

    problem: Problem
    retry_after: int | None = None


class GrantAnswers(Model):
    """Answers, in the order of the request."""

    grants: tuple[GrantGiven | GrantRefused, ...]


class SettlementOutcome(StrEnum):
    """How a step ended. ``leaked``: its token was found in what it wanted to send out."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LEAKED = "leaked"


class Settlement(Model):
    """The end of one grant, told by the agent that held it."""

    grant: GrantId
    outcome: SettlementOutcome
    input_digest: Digest
    output_digest: Digest | None = None
    reasoning: Text = ""
    error: Annotated[str, StringConstraints(max_length=1000)] | None = None
    parts: tuple[Part, ...] = Field(default=(), max_length=20)


class Settlements(Model):
    """Body of ``POST /v1/settlements``; authenticated by ``client_assertion`` and a DPoP proof.

    All grants must be the client's own, bound to the key of the proof.
    """

    client_assertion: CompactJws
    settlements: tuple[Settlement, ...] = Field(min_length=1, max_length=64)


class SettlementAnswer(Model):
    """What became of one settlement: ``settled`` (also when told twice), or why it was refused.

    ``final``: it is refused for what it says, and would be again.
    """

    grant: GrantId
    status: Annotated[str, StringConstraints(pattern=r"^(?:settled|refused)$")]
    reason: str | None = None
    final: bool = False


class SettlementAnswers(Model):
    """Answers, in the order of the request."""

    settlements: tuple[SettlementAnswer, ...]


class InputPart(Model):
    """A settled part that a step may read, with the grant and agent that made it (I13).

    What a person left names the signed act instead.
    """

    part: Part
    digest: Digest
    grant: GrantId | None = None
    act: Jti | None = None
    agent: Principal


class InputParts(Model):
    """Answer of ``GET /v1/grants/{grant}/inputs/{name}``: the newest of that name per record."""

    parts: tuple[InputPart, ...]


class UseStage(StrEnum):
    """What a system of record tells of a use."""

    INTENT = "intent"
    RESULT = "result"
    USE = "use"


class GrantUse(Model):
    """One use of a grant at a system of record. ``id`` makes it count once."""

    id: Jti
    grant: GrantId
    stage: UseStage
    action: Action
    record: RecordId
    status: int = Field(ge=0, le=599)
    body_digest: Digest | None = None
    used_at: UtcTime


class GrantUses(Model):
    """Body of ``POST /v1/uses``: under the system's own key (client assertion and DPoP proof)."""

    client_assertion: CompactJws
    uses: tuple[GrantUse, ...] = Field(min_length=1, max_length=256)


class GrantUsesAnswer(Model):
    """Which uses were refused, by id and reason; all others are durable."""

    refused: dict[str, str] = Field(default_factory=dict)


class Introspection(Model):
    """Answer of RFC 7662 introspection; all members but ``active`` are absent if not active."""

    active: bool
    sub: Principal | None = None
    aud: str | None = None
    exp: int | None = None
    jti: GrantId | None = None
    txn: CaseId | None = None
    jkt: Thumbprint | None = None


class Revocation(Model):
    """A grant that ended before its time. ``cursor`` rises with each."""

    cursor: int
    grant: GrantId


class Revocations(Model):
    """Answer of ``GET /v1/revocations``: what came after the cursor asked for, and the last one.

    ``complete`` says that nothing came after ``cursor`` when the authority looked; the cursor is
    lower than the one asked for if the feed has never come that far.
    """

    revocations: tuple[Revocation, ...]
    cursor: int
    complete: bool = False


class FactsAnswer(Model):
    """What a system of record says of a record, with the version of the record that said it."""

    record: RecordId
    version: Annotated[str, StringConstraints(max_length=64)]
    facts: dict[Identifier, JsonValue]
