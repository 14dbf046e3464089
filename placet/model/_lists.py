"""Lists of cases and checkpoints as people's tools show them: filters, light rows, pages, counts.

A row has no evidence. A page's ``next`` is an opaque cursor: it holds for the same query alone.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from placet.model._cases import CaseStatus, CaseView
from placet.model._checkpoints import CheckpointStatus
from placet.model._findings import Severity
from placet.model._ids import CaseId, CheckpointId, Name, Principal, RecordId
from placet.model._matrix import Need
from placet.model._values import Model, Money, UtcTime

RecordPrefix = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$")]
"""How a record's id begins: ``loan/L-1001`` finds ``loan/L-1001/draw/7`` and ``loan/L-10012``."""

SearchText = Annotated[str, StringConstraints(min_length=1, max_length=100)]
"""Words, each of which must begin a word of the row: of its record, its title or its id."""

MAX_PAGE = 200


class CheckpointOrder(StrEnum):
    """How a list of checkpoints is sorted. ``urgency``: what is due first comes first."""

    URGENCY = "urgency"
    AMOUNT = "amount"
    AMOUNT_DOWN = "-amount"
    OPENED = "opened"
    OPENED_DOWN = "-opened"


class CaseOrder(StrEnum):
    """How a list of cases is sorted."""

    OPENED = "opened"
    OPENED_DOWN = "-opened"


class WaitsFor(StrEnum):
    """Whom a checkpoint waits for: whoever asks, or others."""

    ME = "me"
    OTHERS = "others"


class Claimed(StrEnum):
    """Who has claimed a checkpoint: whoever asks, anyone, or nobody."""

    ME = "me"
    ANY = "any"
    NONE = "none"


class Due(StrEnum):
    """When an open checkpoint is due: ``day`` and ``week``: within so long."""

    OVERDUE = "overdue"
    DAY = "day"
    WEEK = "week"
    LATER = "later"


class Gravest(StrEnum):
    """How grave the gravest finding is."""

    BLOCKING = "blocking"
    WARNING = "warning"
    INFO = "info"
    NONE = "none"


class CheckpointQuery(Model):
    """Which checkpoints, in which order: the query of ``GET /v1/checkpoints``.

    ``severity`` finds those with a finding at least as grave; ``waits_for`` and ``role`` those that
    are open and need such a decision.
    """

    status: CheckpointStatus | None = None
    process: Name | None = None
    name: Name | None = None
    case: CaseId | None = None
    role: Name | None = None
    waits_for: WaitsFor | None = None
    record: RecordPrefix | None = Field(default=None, max_length=200)
    severity: Severity | None = None
    overdue: bool = False
    claimed: Claimed | None = None
    amount_min: Money | None = None
    amount_max: Money | None = None
    text: SearchText | None = None
    due: Due | None = None
    gravest: Gravest | None = None
    sort: CheckpointOrder = CheckpointOrder.URGENCY
    limit: int = Field(default=100, ge=1, le=MAX_PAGE)

    @model_validator(mode="after")
    def _one_way_of_waiting(self) -> "CheckpointQuery":
        if self.role is not None and self.waits_for is not None:
            raise ValueError("ask for a role or for whom it waits, not for both")
        return self


class Grouping(StrEnum):
    """What a list is grouped by. ``record``: by the record at the root, such as ``loan/L-1001``."""

    PROCESS = "process"
    KIND = "kind"
    URGENCY = "urgency"
    FINDINGS = "findings"
    RECORD = "record"


class GroupQuery(CheckpointQuery):
    """Which groups the checkpoints of a query fall into: of ``GET /v1/checkpoint-groups``."""

    by: Grouping = Grouping.KIND

    def of(self) -> CheckpointQuery:
        """The query whose checkpoints are grouped."""
        return CheckpointQuery.model_validate(self.model_dump(exclude={"by"}))


class CaseQuery(Model):
    """Which cases, in which order: the query of ``GET /v1/cases``.

    ``standing`` finds those of which a :class:`Standstill` is told.
    """

    status: CaseStatus | None = None
    standing: bool = False
    process: Name | None = None
    record: RecordPrefix | None = Field(default=None, max_length=200)
    text: SearchText | None = None
    sort: CaseOrder = CaseOrder.OPENED_DOWN
    limit: int = Field(default=100, ge=1, le=MAX_PAGE)


class Said(Model):
    """One person's word at a checkpoint, as a row shows it."""

    operator: Principal
    verdict: str


class FindingCounts(Model):
    """How many findings of each severity stand against a proposal."""

    blocking: int = 0
    warning: int = 0
    info: int = 0


class CheckpointLine(Model):
    """One checkpoint as a row of a list. ``mine``: it waits for whoever asked.

    ``about`` is the id of what is decided about, where the process names it beside the subject.
    ``held_on`` is the record on which a hold is that stops the case: its subject, or one above it.
    ``emergency_until`` is when the emergency path ends, where it was begun and has not ended.
    """

    id: CheckpointId
    case: CaseId
    process: Name
    name: Name
    title: str
    subject: RecordId
    status: CheckpointStatus
    opened_at: UtcTime
    due_at: UtcTime
    deadline: UtcTime
    amount: Money | None = None
    requested: Money | None = None
    findings: FindingCounts = FindingCounts()
    decided: tuple[Said, ...] = ()
    needs: tuple[Need, ...] = ()
    missing: tuple[str, ...] = ()
    escalated: int = 0
    claimed_by: Principal | None = None
    mine: bool = False
    about: str | None = None
    held_on: RecordId | None = None
    emergency_until: UtcTime | None = None


class CheckpointPage(Model):
    """A page of checkpoints; ``next`` asks for the one after it."""

    checkpoints: tuple[CheckpointLine, ...]
    next: str | None = None


class CasePage(Model):
    """A page of cases; ``next`` asks for the one after it."""

    cases: tuple[CaseView, ...]
    next: str | None = None


class Count(Model):
    """How many there are; ``more``: there are more than were counted."""

    count: int
    more: bool = False


class CheckpointGroup(Model):
    """One group: its name, how many are in it, and the query that lists them."""

    name: str
    count: Count
    query: CheckpointQuery


class GroupPage(Model):
    """A page of groups; ``next`` asks for the one after it."""

    groups: tuple[CheckpointGroup, ...]
    next: str | None = None


class Overview(Model):
    """The numbers that a person's day begins with. Checkpoints are counted while they are open.

    ``standing`` counts the cases of which a :class:`Standstill` is told.
    """

    cases: dict[CaseStatus, Count]
    open: Count
    mine: Count
    claimed: Count
    blocking: Count
    overdue: Count
    due_today: Count
    processes: dict[Name, Count]
    standing: Count = Count(count=0)


class Event(Model):
    """That something changed: what kind of entry, and which case and checkpoint to look at.

    ``id`` is the ledger's size after the entry: ask for what came after it, and nothing is missed.
    """

    id: int
    kind: str
    case: CaseId | None = None
    checkpoint: CheckpointId | None = None
