"""A checkpoint as the log tells it so far."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from placet.ledger import Entry
from placet.model import CheckpointEnd, CheckpointStatus, CheckpointView, Requirement
from placet.rules import CountedDecision, approvals, escalated


@dataclass
class Standing:
    """How it was opened, and what has come of it."""

    opened: Entry
    status: CheckpointStatus = CheckpointStatus.OPEN
    decisions: list[CountedDecision] = field(default_factory=list)
    escalated: int = 0
    keys: dict[str, str] = field(default_factory=dict)
    """The key that each decision was signed with."""
    rejected_for: str | None = None
    """The reason that was signed with its rejection."""
    resolved: int | None = None
    """The index of the entry that says what the decisions added up to."""
    amount: Decimal | None = None
    """What it was approved for."""

    @property
    def id(self) -> str:
        """The checkpoint's."""
        return str(self.opened.data.get("checkpoint"))

    def end(self, name: str) -> CheckpointEnd:
        """How it stands, under its name, as a process's results ask for it."""
        amount = self.amount if self.status is CheckpointStatus.APPROVED else None
        return CheckpointEnd(checkpoint=name, status=self.status, amount=amount)

    def is_past(self, moment: datetime) -> bool:
        """Whether its deadline, of which the ledger has the second, is past at a moment."""
        deadline = self.opened.data.get("deadline")
        return not isinstance(deadline, int) or moment.timestamp() >= deadline + 1

    def asked(self, view: CheckpointView) -> Requirement:
        """What is asked of whom by now, with each escalation that came."""
        return escalated(view.requirement, self.escalated)

    def approvals(self, view: CheckpointView) -> tuple[CountedDecision, ...]:
        """The approvals that count so far."""
        return approvals(self.asked(view), self.decisions)
