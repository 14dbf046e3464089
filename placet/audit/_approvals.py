"""Approvals, asked again: what recorded decisions would add up to under another authority matrix.

A checkpoint's question is asked anew of the proposed matrix, on the evidence that people saw, and
their words are heard in the order in which they were recorded. Who would have been asked instead,
and what they would have said, nobody knows: an approval that would not have been enough is shown as
still open.
"""

from collections.abc import Iterator
from datetime import datetime

from placet.audit._files import LogFiles
from placet.audit._report import Collector, spelled
from placet.audit._scene import Scene
from placet.audit._verify import Walk
from placet.ledger import EntryError, EntryType, decode_entry
from placet.model import AuthorityMatrix, CheckpointView, Model, UtcTime
from placet.rules import (
    AutomaticFacts,
    CountedDecision,
    RuleError,
    escalated,
    missing,
    outcome_status,
    requirement,
)


class ApprovalChange(Model):
    """One checkpoint whose recorded decisions would add up to something else."""

    entry: int
    time: UtcTime
    case: str
    checkpoint: str
    record: str
    decided_by: tuple[str, ...]
    before: str
    after: str
    why: str


class ApprovalsAgain(Model):
    """How many outcomes were computed again, which came out otherwise, and which would change.

    ``erased`` is how many were passed over, as what people saw and said is gone; what an emergency
    asked for, no matrix does: of these it is only computed what they came to.
    """

    recorded: int
    erased: int
    otherwise: tuple[int, ...]
    changes: tuple[ApprovalChange, ...]


def approvals_again(
    files: LogFiles, matrix: AuthorityMatrix, since: datetime | None = None
) -> ApprovalsAgain:
    """Compute each outcome of the matrix's process again: as it was asked, then as it would be."""
    scene = Scene(files, Collector())
    walk = Walk(scene)
    cases: set[str] = set()
    otherwise: list[int] = []
    changes: list[ApprovalChange] = []
    recorded = gone = 0
    for index, data in files.numbered():
        try:
            entry = decode_entry(data)
        except EntryError:
            continue  # asking the policies again names it
        walk.entry(index, entry)
        if entry.type is EntryType.CASE_OPENED and entry.data.get("process") == matrix.process:
            cases.add(entry.case or "")
        early = since is not None and entry.time < since
        if entry.type is not EntryType.CHECKPOINT_RESOLVED or entry.case not in cases or early:
            continue
        name = str(entry.data.get("checkpoint"))
        view, (words, level) = files.checkpoints.get(name), walk.checkpoints.words(name)
        if view is None:
            continue
        if entry.case in scene.erased:
            gone += 1
            continue
        recorded += 1
        before = outcome_status(escalated(view.requirement, level), words).value
        if before != entry.data.get("status"):
            otherwise.append(index)
        if view.requirement.emergency_until is not None:
            continue
        automatic = walk.checkpoints.recomputed(view)
        for after, why in _asked_anew(view, words, level, matrix, automatic):
            if after != before:
                changes.append(
                    ApprovalChange(
                        entry=index,
                        time=entry.time,
                        case=entry.case,
                        checkpoint=view.name,
                        record=view.subject,
                        decided_by=tuple(each.operator for each in words),
                        before=before,
                        after=after,
                        why=spelled(why),
                    )
                )
    return ApprovalsAgain(
        recorded=recorded, erased=gone, otherwise=tuple(otherwise), changes=tuple(changes)
    )


def _asked_anew(
    view: CheckpointView,
    words: list[CountedDecision],
    level: int,
    matrix: AuthorityMatrix,
    automatic: AutomaticFacts | None,
) -> Iterator[tuple[str, str]]:
    """What the words would add up to, and why."""
    try:
        asked = escalated(
            requirement(
                matrix,
                view.requirement.checkpoint,
                view.evidence.proposal,
                excluded=view.requirement.excluded,
                facts=view.requirement.facts,
                automatic=automatic,
                opened=view.opened_at,
                named=view.requirement.named,
                expires_as=view.requirement.expires_as,
            ),
            level,
        )
    except RuleError as error:
        yield "not asked", str(error)
        return
    lacking = missing(asked, words)
    why = f"still missing: {'; '.join(lacking)}" if lacking else "these words would be enough"
    yield outcome_status(asked, words).value, why
