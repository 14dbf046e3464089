"""What a checkpoint asks now, and its decisions as the rules hear them."""

import json

from placet.authority._store import Checkpoint, DecisionRow, Reader
from placet.model import Requirement, Verdict
from placet.rules import CountedDecision, escalated


def counted_decisions(reader: Reader, checkpoint: str) -> tuple[CountedDecision, ...]:
    """The decisions that count at a checkpoint, in order, with the roles people had then."""
    rows = reader.all(
        DecisionRow,
        DecisionRow.checkpoint_id == checkpoint,
        DecisionRow.counted.is_(True),  # type: ignore[attr-defined]  # a column on the class
        order_by=[DecisionRow.entry],
    )
    return tuple(
        CountedDecision(
            jti=row.jti,
            operator=row.operator,
            roles=tuple(json.loads(row.roles_json)),
            verdict=Verdict(row.verdict),
            exceptions=tuple(json.loads(row.exceptions_json)),
            stands_in_for=row.stands_in_for,
            escalated=row.escalated,
        )
        for row in rows
    )


def asked_of(row: Checkpoint) -> Requirement:
    """What a checkpoint asks of whom now: as fixed when it opened, with its escalations so far.

    Its digest is not the row's once one has happened: that is of what was fixed.
    """
    return escalated(Requirement.model_validate_json(row.requirement_json), row.escalated)
