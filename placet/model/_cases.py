"""Cases as people's tools see them, and what the orchestrator says of one."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from placet.model._digest import Digest, digest_json
from placet.model._ids import (
    CaseId,
    Identifier,
    Name,
    Principal,
    RecordId,
)
from placet.model._values import Model, UtcTime


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


def _as_utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%MZ}"


class Standstill(Model):
    """What keeps a case from going on, as Temporal tells it: nothing that is proven.

    ``step`` is the type of an activity, or the workflow's where its own code fails or is not taken;
    a worker of ``agent`` is to take it. ``reason`` is what was said of the last failure, by the
    agent or by Temporal, shortened and without what looks like a token.
    """

    step: str
    agent: str
    since: UtcTime
    """When it was first to be taken."""

    failures: int = 0
    untaken_since: UtcTime | None = None
    """Since when it could be taken and nobody does; ``None`` while it is tried."""

    reason: str | None = None
    final: bool = False
    """It failed for good, and the workflow with it; ``since`` is when."""

    def said(self, clock: Callable[[datetime], str] = _as_utc) -> str:
        """In a sentence; what it repeats of Temporal's words may be hostile to a terminal."""
        if self.final:
            told = f"{self.step} (of {self.agent}) failed for good at {clock(self.since)}"
            return told if self.reason is None else f"{told}: {self.reason}"
        if not self.failures:
            why = self.reason or f"no worker of {self.agent}?"
            return f"nobody takes {self.step} since {clock(self.since)}: {why}"
        times = "once" if self.failures == 1 else f"{self.failures} times"
        told = f"{self.step} (of {self.agent}) has failed {times} since {clock(self.since)}"
        if self.untaken_since is not None:
            told += f", and nobody takes it since {clock(self.untaken_since)}"
        return told if self.reason is None else f"{told}; the last time: {self.reason}"


class CaseView(Model):
    """One case, as people's tools see it.

    ``held_on`` is the record on which a hold is that stops it: its subject, or one above it.
    """

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
    standstill: Standstill | None = None
    held_on: RecordId | None = None

    @property
    def trouble_digest(self) -> Digest:
        """What a signed admission names: :func:`trouble_digest` of what the case shows now."""
        return trouble_digest(self.stopped_for, self.alarm)

    def archive_late(self, now: datetime) -> bool:
        """Whether its history is not sealed yet, though it should be by now."""
        if self.closed_at is None or self.run_id is None or self.archived:
            return False
        return now - self.closed_at > ARCHIVED_WITHIN


def trouble_digest(stopped_for: str | None, alarm: str | None) -> Digest:
    """What stands for why a case was stopped and for its alarm: of their canonical JSON."""
    return digest_json({"alarm": alarm, "stopped_for": stopped_for})


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
