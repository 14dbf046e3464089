"""The store's tables. State is kept here; what must be provable is on the ledger as well.

Times are aware UTC. ``…_json`` columns hold canonical JSON as text; digests, ids and statuses
are spelled as in :mod:`placet.model`. ``entry`` columns name the index of the ledger entry that
recorded the row. No column holds a token, or a private key in clear (I7).
"""

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field

from placet.authority._store._base import (
    COUNTED,
    REGISTRY,
    Row,
    number_field,
    serial_key,
    time_field,
    time_or_none,
)

# --- the ledger -----------------------------------------------------------------------------------


class LogName(Row, table=True):
    """Which log the database is; one row. The tables' revision stands in Alembic's own table."""

    id: int = number_field(primary_key=True)
    origin: str


class LedgerEntry(Row, table=True):
    """One entry: its canonical bytes, and what it is looked up by."""

    __table_args__ = (
        Index("ledger_entry_case", "case_id", "index"),
        {"postgresql_partition_by": "RANGE (index)"},
    )
    index: int = number_field(primary_key=True)
    content: bytes
    leaf_hash: bytes
    type: str = Field(index=True)
    case_id: str | None = None
    record: str | None = None
    time: datetime = time_field()


class TreeState(Row, table=True):
    """The head's row: size and frontier of the tree. Whoever writes locks it first (I4).

    ``batches`` counts every commit of every process, so that each hears of the others'.
    """

    id: int = number_field(primary_key=True)
    batches: int = number_field()
    size: int = number_field()
    frontier: bytes
    root: bytes


class WriterState(Row, table=True):
    """The last batch that each writer committed: what is looked up after an unknown COMMIT."""

    id: str = Field(primary_key=True)
    batch: int = number_field()
    at: datetime = time_field()


class LedgerNode(Row, table=True):
    """The hash of a complete subtree at the top of a tile: levels 8, 16, 24, ..."""

    level: int = Field(primary_key=True)
    index: int = number_field(primary_key=True)
    hash: bytes


class SignedHead(Row, table=True):
    """A signed head, kept for ever: a C2SP checkpoint as it was served."""

    size: int = number_field(primary_key=True)
    note: str
    signed_at: datetime = time_field()


# --- who, and under which rules -------------------------------------------------------------------


class Identity(Row, table=True):
    """An agent, operator or system. ``status``: active, suspended, offboarded."""

    principal: str = Field(primary_key=True)
    kind: str = Field(index=True)
    status: str
    display_name: str | None = None
    roles_json: str = "[]"
    url: str | None = None
    enrolled_at: datetime = time_field()
    enrolled_by: str
    status_at: datetime | None = time_or_none()
    status_by: str | None = None


class IdentityKey(Row, table=True):
    """A public key of an identity. ``status``: active, revoked; a session's: ended, lost.

    ``expires_at``: a session's key, or an agent's, counts no longer than that. An agent's key that
    was replaced by its next one counts until ``overlap_until`` at most. A worker's key names its
    ``instance``, the task queues that it may serve, and the invitation or the digest of the
    platform's token that it ``joined_with``.
    """

    thumbprint: str = Field(primary_key=True)
    principal: str = Field(index=True, foreign_key="identity.principal")
    jwk_json: str
    status: str
    enrolled_at: datetime = time_field()
    revoked_at: datetime | None = time_or_none()
    session_id: str | None = None
    expires_at: datetime | None = time_or_none()
    instance: str | None = None
    runs_on_json: str | None = None
    joined_with: str | None = None
    replaces: str | None = Field(default=None, index=True)
    overlap_until: datetime | None = time_or_none()
    entry: int | None = number_field(default=None)


class UsedJti(Row, table=True):
    """A ``jti`` that was used: a second insert is the replay. Kept until it could not verify."""

    issuer: str = Field(primary_key=True)
    jti: str = Field(primary_key=True)
    expires_at: datetime = time_field(index=True)


class SigningKey(Row, table=True):
    """A key of the authority's own. ``kept`` is how its custody finds it again (I7).

    That is the private key, encrypted before it comes here, or a name where another keeps it.
    """

    kid: str = Field(primary_key=True)
    purpose: str = Field(index=True)
    kept: str
    public_jwk_json: str
    created_at: datetime = time_field()
    published_at: datetime | None = time_or_none()
    signs_from: datetime | None = time_or_none()
    retires_at: datetime | None = time_or_none()


class TenantKey(Row, table=True):
    """A key that wraps cases' payload keys; the newest wraps. ``wrapped`` is under the passphrase.

    ``salt`` is what the passphrase is stretched with (scrypt).
    """

    id: str = Field(primary_key=True)
    salt: bytes
    wrapped: bytes
    created_at: datetime = time_field()


class PolicySet(Row, table=True):
    """A published Cedar policy set with its schema; at most one is current."""

    __table_args__ = (
        Index(
            "policy_set_current",
            "current",
            unique=True,
            sqlite_where=text("current"),
            postgresql_where=text("current"),
        ),
    )
    digest: str = Field(primary_key=True)
    policies: str
    policy_schema: str
    published_at: datetime = time_field()
    published_by: str | None = None
    current: bool = False
    entry: int | None = number_field(default=None)


class ProcessVersion(Row, table=True):
    """A published process definition."""

    __table_args__ = (UniqueConstraint("digest"),)
    name: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    digest: str
    body_json: str
    published_at: datetime = time_field()


class Matrix(Row, table=True):
    """A published authority matrix; the highest version of a process is in force."""

    __table_args__ = (UniqueConstraint("process", "version"),)
    digest: str = Field(primary_key=True)
    process: str
    version: int
    body_json: str
    published_at: datetime = time_field()


class SignedActRow(Row, table=True):
    """An act as a person signed it; ``answer_json`` is what the same act gets again."""

    __table_args__ = (Index("signed_act_target", "target", "act"),)
    jti: str = Field(primary_key=True)
    act: str
    target: str
    issuer: str
    jws: str
    body_json: str | None = None
    answer_json: str | None = None
    at: datetime = time_field()
    entry: int | None = number_field(default=None)


# --- cases and their grants -----------------------------------------------------------------------


class Case(Row, table=True):
    """A case. ``status`` as in :class:`placet.model.CaseStatus`; one open case per subject."""

    __table_args__ = (
        Index(
            "case_one_open_per_subject",
            "process",
            "subject",
            unique=True,
            sqlite_where=text("closed_at IS NULL"),
            postgresql_where=text("closed_at IS NULL"),
        ),
        Index("case_status", "status", "id"),
        Index("case_to_archive", "status", "archived_at", "id"),
        Index("case_subject", "process", "subject"),
        Index("case_opened", "status", "opened_at", "id"),
        Index("case_process_opened", "status", "process", "opened_at", "id"),
    )
    id: str = Field(primary_key=True)
    process: str
    version: int
    process_digest: str | None = None
    subject: str
    status: str
    opened_by: str
    opened_at: datetime = time_field()
    workflow_id: str
    workflow_type: str
    task_queue: str
    request_id: str
    run_id: str | None = None
    first_run_id: str | None = None
    matrix_digest: str | None = None
    input_json: str | None = None
    result: str | None = None
    stopped_for: str | None = None
    admissions: int = 0
    closed_at: datetime | None = time_or_none()
    alarm: str | None = None
    alarm_admitted: bool = False
    archive_trouble: str | None = None
    archive_tries: int = 0
    archive_next: datetime | None = time_or_none()
    archived_at: datetime | None = time_or_none()
    lost_at: datetime | None = time_or_none()
    erased_at: datetime | None = time_or_none()
    entry: int | None = number_field(default=None)


class CaseRun(Row, table=True):
    """A run of a case's workflow: one that the authority started or a person admitted, in order.

    One that is not ``admitted`` was met and told as an alarm.
    """

    case_id: str = Field(primary_key=True)
    run_id: str = Field(primary_key=True)
    seq: int
    admitted: bool
    at: datetime = time_field()


class CaseKey(Row, table=True):
    """A secret of a case's payloads, under a tenant key; erasing a case deletes its rows."""

    case_id: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    tenant_key: str = Field(index=True)
    wrapped: bytes
    created_at: datetime = time_field()


class CaseCode(Row, table=True):
    """The digest of workflow code that an orchestrator said it had installed for a case."""

    case_id: str = Field(primary_key=True)
    code: str = Field(primary_key=True)
    at: datetime = time_field()


class HistoryPrefix(Row, table=True):
    """How a run's history began when the authority looked: so many events, with this root."""

    __table_args__ = (COUNTED,)
    seq: int = serial_key()
    case_id: str = Field(index=True)
    run_id: str
    events: int
    root: str
    at: datetime = time_field()


class Grant(Row, table=True):
    """A grant. ``status``: issued, settled, revoked, expired; one lives per key of its step."""

    __table_args__ = (
        Index(
            "grant_one_live_per_step",
            "run_id",
            "activity_id",
            "attempt",
            "last_started",
            "system",
            "action",
            unique=True,
            sqlite_where=text("status = 'issued'"),
            postgresql_where=text("status = 'issued'"),
        ),
        Index("grant_status", "status", "expires_at"),
        Index("grant_agent", "agent", "status"),
        Index("grant_did", "agent", "action", "issued_at"),
        Index("grant_last", "agent", "issued_at"),
        Index("grant_step", "run_id", "activity_id"),
    )
    id: str = Field(primary_key=True)
    case_id: str = Field(index=True, foreign_key="case_.id")
    agent: str
    jkt: str
    action: str
    system: str
    record: str
    run_id: str
    activity_id: str
    activity_type: str
    attempt: int
    last_started: str
    issued_at: datetime = time_field()
    expires_at: datetime = time_field()
    status: str
    ended_at: datetime | None = time_or_none()
    ended_for: str | None = None
    context_digest: str | None = None
    details_json: str | None = None
    guarded_json: str | None = None
    entry: int | None = number_field(default=None)


class GrantRevocation(Row, table=True):
    """The revocation feed: what systems of record follow by its cursor."""

    __table_args__ = (COUNTED,)
    cursor: int = serial_key()
    grant_id: str = Field(unique=True)
    expires_at: datetime = time_field(index=True)
    at: datetime = time_field()


class GrantUseRow(Row, table=True):
    """A use of a grant as its system reported it; ``stage`` is intent, result or use.

    An ``id`` is there once: whoever adds a row has looked, under the head's row. The key has
    ``entry`` as well, since PostgreSQL keeps the rows in the same ranges of entries as the ledger.
    """

    __table_args__ = ({"postgresql_partition_by": "RANGE (entry)"},)
    id: str = Field(primary_key=True)
    entry: int = number_field(primary_key=True)
    grant_id: str = Field(index=True)
    system: str
    stage: str
    action: str
    record: str
    status: int | None = None
    body_digest: str | None = None
    at: datetime = time_field()


class ContextBlob(Row, table=True):
    """The request context of a policy decision (canonical JSON), beside the ledger, salted."""

    digest: str = Field(primary_key=True)
    salt: str
    content: bytes


# --- evidence and people's decisions --------------------------------------------------------------


class PartRow(Row, table=True):
    """A settled evidence part. ``content`` is zlib-compressed canonical JSON.

    An agent leaves one under a grant, a person by an act. ``said`` is the digest of what it says,
    whatever it is salted with: two parts that say the same have an equal one.
    """

    __table_args__ = (
        UniqueConstraint("case_id", "digest"),
        Index("part_case_name", "case_id", "name", "seq"),
        COUNTED,
    )
    seq: int = serial_key()
    digest: str = Field(index=True)
    case_id: str
    name: str
    record: str
    grant_id: str | None = Field(default=None, index=True)
    act: str | None = None
    agent: str
    said: str
    salt: str
    content: bytes
    proposal_json: str | None = None
    settled_at: datetime = time_field()


class GrantInput(Row, table=True):
    """A settled part that a step read under its grant: what its own parts were made from."""

    grant_id: str = Field(primary_key=True)
    part_digest: str = Field(primary_key=True)
    at: datetime = time_field()


class Checkpoint(Row, table=True):
    """A checkpoint of a case; one of a name is open at a time."""

    __table_args__ = (
        Index(
            "checkpoint_one_open",
            "case_id",
            "name",
            unique=True,
            sqlite_where=text("status = 'open'"),
            postgresql_where=text("status = 'open'"),
        ),
        Index("checkpoint_status", "status", "deadline"),
    )
    id: str = Field(primary_key=True)
    case_id: str = Field(index=True, foreign_key="case_.id")
    name: str
    title: str
    status: str
    grant_id: str | None = None
    opened_at: datetime = time_field()
    deadline: datetime = time_field()
    evidence_digest: str
    evidence_json: str
    requirement_digest: str
    requirement_json: str
    outcome_json: str | None = None
    claimed_by: str | None = None
    claimed_at: datetime | None = time_or_none()
    replaces: str | None = None
    reminded: int = 0
    escalated: int = 0
    resolved_at: datetime | None = time_or_none()
    entry: int | None = number_field(default=None)


class DecisionRow(Row, table=True):
    """A decision as a person signed it; refused ones are kept too, with the reason."""

    jti: str = Field(primary_key=True)
    checkpoint_id: str = Field(index=True)
    operator: str
    key: str
    roles_json: str = "[]"
    verdict: str
    jws: str
    decided_at: datetime = time_field()
    counted: bool
    refused_for: str | None = None
    exceptions_json: str = "[]"
    stands_in_for: str | None = None
    escalated: int = 0
    """How many escalations of its checkpoint had happened by then."""

    opened_at: datetime | None = time_or_none()
    answer_json: str | None = None
    entry: int | None = number_field(default=None)


class HoldRow(Row, table=True):
    """A signed stop on a record; one at a time."""

    __table_args__ = (
        Index(
            "hold_one_per_record",
            "record",
            unique=True,
            sqlite_where=text("lifted_at IS NULL"),
            postgresql_where=text("lifted_at IS NULL"),
        ),
        COUNTED,
    )
    id: int = serial_key()
    record: str
    reason: str | None = None
    placed_by: str
    placed_at: datetime = time_field()
    lifted_by: str | None = None
    lifted_at: datetime | None = time_or_none()


# --- what must reach others -----------------------------------------------------------------------


class OutboxRow(Row, table=True):
    """What must still reach someone else: tried again until it is done."""

    __table_args__ = (Index("outbox_due", "done_at", "next_try_at"), COUNTED)
    id: int = serial_key()
    kind: str
    case_id: str | None = Field(default=None, index=True)
    key: str | None = Field(default=None, unique=True)
    payload_json: str
    created_at: datetime = time_field()
    attempts: int = 0
    next_try_at: datetime = time_field()
    done_at: datetime | None = time_or_none()


class Archive(Row, table=True):
    """A closed case's sealed histories.

    ``runs`` are compressed, and encrypted under the case's own key: gone once the case was erased.
    ``seal`` (events' digests) and ``contents`` are compressed JSON and stay.
    """

    case_id: str = Field(primary_key=True)
    seal_digest: str
    seal: bytes
    contents: bytes
    runs: bytes | None = None
    sealed_at: datetime = time_field()
    entry: int | None = number_field(default=None)


REGISTRY.configure()  # now, not when the first row is made: one that is read is not made that way
