"""Where cases stand, as rows under their stages, and the words for each. Pure."""

from dataclasses import dataclass
from datetime import datetime

from placet.model import ArchiveState, CaseStatus, CaseView, CheckpointLine
from tui import words
from tui.said import Piece
from tui.text import harmless
from tui.waiting import held_look, what_cell
from tui.widgets.table import Cell


@dataclass(frozen=True, order=True)
class Stage:
    """A stage: the one that wants someone soonest comes first."""

    order: int
    name: str
    tone: str


_STOPPED = Stage(0, "stopped", "bad")
_STANDS = Stage(1, "stands still", "bad")
_RETURNED = Stage(2, "returned", "warn")
_AT_WORK = Stage(4, "agents at work", "plain")
_SAYS: dict[Stage, str] = {
    _RETURNED: "It was returned: answer it with what came back.",
    _AT_WORK: "Agents are at work on it; nobody is waited for.",
}


def stage_of(case: CaseView, line: CheckpointLine | None, *, returned: bool) -> Stage:
    """A case's stage, in its process's own words where it waits for people."""
    if case.status is CaseStatus.CLOSED:
        return Stage(5, harmless(f"closed: {case.result or '?'}"), "muted")
    if case.status is CaseStatus.STOPPED:
        return _STOPPED
    if case.standstill is not None:
        return _STANDS
    if line is not None:
        return Stage(3, harmless(line.title), "accent")
    return _RETURNED if returned else _AT_WORK


def case_cells(
    case: CaseView, subject: str, stage: Stage, line: CheckpointLine | None, now: datetime
) -> tuple[Cell, ...]:
    """A case as a row."""
    left, tone = words.time_left(line.due_at, now) if line else ("", "plain")
    waits = "; ".join(line.missing) if line else case.stopped_for or ""
    if stage == _RETURNED:
        waits = "whoever opened it, to answer"
    if stage == _STANDS and case.standstill is not None:
        waits = case.standstill.said(words.clock)
    return (
        what_cell(subject, case.held_on, line),
        Cell(stage.name, stage.tone),
        Cell(harmless(waits), "bad" if case.stopped_for or stage == _STANDS else "plain"),
        Cell(words.in_a_row(left), tone),
        Cell(words.person(case.opened_by), "muted"),
        Cell(words.ago(case.opened_at, now), "muted"),
    )


def standing_still(case: CaseView) -> list[Piece]:
    """What it stands still for, if it does: in words that may be anybody's."""
    if case.standstill is None:
        return []
    said = harmless(case.standstill.said(words.clock))
    return [("Stands still\n", "head"), (f"{said}\n\n", "bad")]


def case_look(case: CaseView, subject: str, stage: Stage, now: datetime) -> list[Piece]:
    """A closer look at a case that waits at no checkpoint."""
    made: list[Piece] = [
        (f"{subject}\n", "head"),
        (f"{stage.name}\n\n", stage.tone),
        *held_look(case.held_on),
        (_SAYS.get(stage, ""), "plain"),
        (harmless(case.stopped_for or ""), "bad"),
        ("\n\nOpened\n", "head"),
        f"{words.person(case.opened_by)}, {words.ago(case.opened_at, now)}\n",
        f"{words.clock(case.opened_at)}\n",
    ]
    if case.closed_at:
        made += [
            ("\nClosed\n", "head"),
            f"{words.clock(case.closed_at)}, after "
            f"{words.span((case.closed_at - case.opened_at).total_seconds())}\n",
            _archive(case),
        ]
    if case.alarm or case.archive_trouble:
        made.append((f"\n{harmless(case.alarm or case.archive_trouble or '')}\n", "bad"))
    made.append((f"\n{case.process}, version {case.process_version}\n{case.id}", "muted"))
    return made


def _archive(case: CaseView) -> Piece:
    """What there is of a closed case's history."""
    if case.archive is ArchiveState.ERASED:
        return ("it was erased under two signatures\n", "warn")
    if case.archived:
        return ("its history is sealed\n", "good")
    return ("its history is not sealed yet\n", "warn")
