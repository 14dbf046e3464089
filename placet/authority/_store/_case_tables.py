"""Tables of cases: their runs, their keys, what must still be told of them, and their archives."""

from datetime import datetime

from sqlalchemy import Index, text
from sqlmodel import Field

from placet.authority._store._base import (
    COUNTED,
    Row,
    number_field,
    serial_key,
    time_field,
    time_or_none,
)


class Case(Row, table=True):
    """A case. ``status`` as in :class:`placet.model.CaseStatus`; one open case per subject.

    Older versions opened one for each process: those go on until they close.
    """

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
        Index(
            "case_open_subject",
            "subject",
            sqlite_where=text("closed_at IS NULL"),
            postgresql_where=text("closed_at IS NULL"),
        ),
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


class StandstillRow(Row, table=True):
    """What an open case stands still for, while it does; ``place`` is run and activity."""

    case_id: str = Field(primary_key=True)
    step: str = Field(index=True)
    place: str
    said_json: str


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
