"""Reminders and escalations are held against what was planned when the checkpoint opened."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from placet.audit._checkpoints import Checkpoints
from placet.audit._files import LogFiles
from placet.audit._people import People
from placet.audit._report import Collector
from placet.audit._scene import Scene
from placet.audit._standing import Standing
from placet.ledger import Entry, EntryType
from placet.model import (
    CheckpointStatus,
    CheckpointView,
    ExpiryStatus,
    Need,
    PlannedEscalation,
    Requirement,
    Schedule,
)
from tests.harness.crowd import DIGEST, number_id

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
CHECKPOINT, CASE = number_id("ckpt", 1), number_id("case", 1)
HOUR = timedelta(hours=1)


def entry(type_: str, after: timedelta, **data: Any) -> Entry:
    return Entry(
        time=NOON + after,
        type=EntryType(type_),
        actor="system:authority",
        case=CASE,
        data={"checkpoint": CHECKPOINT, "decisions": [], **data},
    )


def troubles(
    *entries: Entry,
    status: CheckpointStatus = CheckpointStatus.OPEN,
    expires_as: ExpiryStatus = "expired",
) -> list[str]:
    """What an audit finds wrong with these entries of one open checkpoint."""
    asked = Requirement(
        checkpoint="release",
        matrix_digest=DIGEST,
        matrix_version=1,
        needs=(Need(roles=("clerk",), count=1),),
        expires_as=expires_as,
        schedule=Schedule(
            due_at=NOON + 2 * HOUR,
            expires_at=NOON + 9 * HOUR,
            reminders=(NOON + HOUR,),
            escalations=(
                PlannedEscalation(at=NOON + 2 * HOUR, roles=("chief",)),
                PlannedEscalation(at=NOON + 4 * HOUR, roles=("director",)),
            ),
        ),
    )
    view = CheckpointView.model_construct(id=CHECKPOINT, requirement=asked)
    collector = Collector()
    scene = Scene(
        LogFiles("o", "https://a.example", (), "", checkpoints={CHECKPOINT: view}), collector
    )
    checkpoints = Checkpoints(scene, cast("People", None))
    until = int((NOON + 9 * HOUR).timestamp())
    opened = Standing(entry("checkpoint.opened", timedelta(0), deadline=until), status)
    checkpoints._open[CHECKPOINT] = opened  # noqa: SLF001 - opened long before what is tested
    for each in entries:
        if each.type is EntryType.CHECKPOINT_EXPIRED:
            checkpoints.ended(each)
        else:
            checkpoints.timed(each)
    return [each.name for each in collector.report().troubles]


REMINDED = entry("checkpoint.reminded", HOUR, reminder=1)
FIRST = entry("checkpoint.escalated", 2 * HOUR, level=1, roles=["chief"])
SECOND = entry("checkpoint.escalated", 4 * HOUR, level=2, roles=["director"])


def test_what_was_planned_holds() -> None:
    assert troubles(REMINDED, FIRST, SECOND) == []


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        pytest.param([entry("checkpoint.reminded", HOUR / 2, reminder=1)], "reminder", id="early"),
        pytest.param([entry("checkpoint.reminded", 9 * HOUR, reminder=2)], "reminder", id="extra"),
        pytest.param(
            [entry("checkpoint.escalated", HOUR, level=1, roles=["chief"])],
            "escalation",
            id="before-its-time",
        ),
        pytest.param([SECOND], "escalation", id="a-level-left-out"),
        pytest.param([FIRST, FIRST], "escalation", id="twice"),
        pytest.param(
            [entry("checkpoint.escalated", 2 * HOUR, level=1, roles=["porter"])],
            "escalation",
            id="other-roles",
        ),
        pytest.param(
            [FIRST, SECOND, entry("checkpoint.escalated", 5 * HOUR, level=3, roles=["x"])],
            "escalation",
            id="one-too-many",
        ),
    ],
)
def test_an_escalation_that_nobody_planned_is_found(entries: list[Entry], found: str) -> None:
    """I6: who could decide follows from the signed matrix; the log can't widen it by itself."""
    assert found in troubles(*entries)


def test_nothing_escalates_after_the_end() -> None:
    assert troubles(FIRST, status=CheckpointStatus.APPROVED) == ["checkpoint-ended"]


def test_what_nobody_decided_in_time_ends_as_the_process_says() -> None:
    """I6: at its deadline, not before, as what was fixed when it opened, and once."""
    returned = entry("checkpoint.expired", 9 * HOUR, status="returned")
    assert troubles(returned, expires_as="returned") == []
    assert troubles(returned) == ["expiry"]
    assert troubles(entry("checkpoint.expired", 9 * HOUR, status="approved")) == ["expiry"]
    early = entry("checkpoint.expired", 8 * HOUR, status="returned")
    assert troubles(early, expires_as="returned") == ["expiry"]
    assert troubles(returned, returned, expires_as="returned") == ["outcome"]
