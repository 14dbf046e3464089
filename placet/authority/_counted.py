"""The decisions of a checkpoint as the rules hear them."""

import json

from placet.authority._store import DecisionRow, Reader
from placet.model import Verdict
from placet.rules import CountedDecision


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
        )
        for row in rows
    )
