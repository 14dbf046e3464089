"""The rows that lists are read from, kept in the transaction that changes what they show.

:func:`relist` may be called anywhere in a write, as often as one likes: the row is made once, when
the write's own work is done.
"""

import json
import re
from collections.abc import Collection
from typing import Any

from sqlalchemy import delete, insert

from placet.authority._counted import asked_of, counted_decisions
from placet.authority._seats import seats_of
from placet.authority._store import (
    NO_AMOUNT,
    Case,
    Checkpoint,
    Identity,
    ListedBarred,
    ListedCheckpoint,
    ListedRole,
    ListedWord,
    Tx,
    table_of,
)
from placet.model import (
    CheckpointLine,
    CheckpointStatus,
    Evidence,
    FindingCounts,
    Proposal,
    Requirement,
    Said,
    Severity,
)
from placet.rules import CountedDecision, missing, standing_words, waiting_roles

GRAVITY = {Severity.INFO: 1, Severity.WARNING: 2, Severity.BLOCKING: 3}
_LONGEST_WORD = 64
_PIECES = re.compile(r"[a-z0-9]+")


def relist(tx: Tx, checkpoint_id: str, about: str | None = None) -> None:
    """Make a checkpoint's row in the lists again, once this write has done its work.

    Whoever opens it says first what it is ``about``; that never changes.
    """
    tx.at_end(f"line/{checkpoint_id}", lambda: _relist(tx, checkpoint_id, about))


def index_case(tx: Tx, case: Case) -> None:
    """Let a case be found by its words: once, when it is opened."""
    _put_words(tx, case.id, (case.subject, case.id))


def words_of(text: str) -> tuple[str, ...]:
    """The words of a search, in lower case: each is what a word of a row must begin with."""
    words = re.split(r"[\s/]+", text.lower())
    return tuple(dict.fromkeys(word[:_LONGEST_WORD] for word in words if word))


def _relist(tx: Tx, checkpoint_id: str, about: str | None) -> None:
    row = tx.get(Checkpoint, checkpoint_id)
    case = None if row is None else tx.get(Case, row.case_id)
    if row is None or case is None:
        raise LookupError(f"checkpoint {checkpoint_id} has no row, or no case")
    asked = asked_of(row)
    decisions = counted_decisions(tx, row.id)
    known = tx.get(ListedCheckpoint, row.id)
    line = _line(row, case, asked, decisions, known, about)
    is_open = row.status == CheckpointStatus.OPEN
    roles = seats_of(asked, waiting_roles(asked, decisions) if is_open else (), case.process)
    known_people = tx.all(Identity, Identity.kind == "operator") if asked.named else ()
    barred = asked.barred_among(each.principal for each in known_people)
    people = sorted({*barred, *(each.operator for each in line.decided)} if is_open else ())
    values: dict[str, Any] = {
        "status": row.status,
        "due_at": line.due_at,
        "claimed_by": row.claimed_by,
        "line_json": line.model_dump_json(exclude_none=True),
        "waits_json": json.dumps({"roles": roles, "but": people}),
    }
    if known is not None:
        tx.change(ListedCheckpoint, row.id, **values)
        amount = known.amount
    else:
        amount = NO_AMOUNT if line.amount is None else int(line.amount * 100)
        tx.add(
            ListedCheckpoint(
                id=row.id,
                case_id=case.id,
                process=case.process,
                name=row.name,
                subject=case.subject,
                opened_at=row.opened_at,
                amount=amount,
                severity=_severity(line.findings),
                **values,
            )
        )
        _put_words(tx, row.id, (case.subject, row.title, row.id, case.id, about or ""))
    _put_waiting(tx, row, line, amount, roles, people)


def _line(
    row: Checkpoint,
    case: Case,
    asked: Requirement,
    decisions: tuple[CountedDecision, ...],
    known: ListedCheckpoint | None,
    about: str | None,
) -> CheckpointLine:
    """The row as it is shown; what never changes is taken over from the row before."""
    if known is None:
        proposal = Evidence.model_validate_json(row.evidence_json).proposal
        findings = _counts(proposal)
        requested = proposal.requested
    else:
        before = CheckpointLine.model_validate_json(known.line_json)
        findings, requested, about = before.findings, before.requested, before.about
    return CheckpointLine(
        id=row.id,
        case=case.id,
        process=case.process,
        name=row.name,
        title=row.title,
        subject=case.subject,
        status=CheckpointStatus(row.status),
        opened_at=row.opened_at,
        due_at=row.deadline if asked.schedule is None else asked.schedule.due_at,
        deadline=row.deadline,
        amount=asked.amount,
        requested=requested,
        findings=findings,
        decided=tuple(
            Said(operator=each.operator, verdict=each.verdict)
            for each in standing_words(asked, decisions)
        ),
        needs=asked.needs,
        missing=missing(asked, decisions) if row.status == CheckpointStatus.OPEN else (),
        claimed_by=row.claimed_by,
        escalated=row.escalated,
        about=about,
    )


def _counts(proposal: Proposal) -> FindingCounts:
    found = [each.severity for each in proposal.findings]
    return FindingCounts(**{str(each): found.count(each) for each in Severity})


def _severity(counts: FindingCounts) -> int:
    return max((GRAVITY[each] for each in Severity if getattr(counts, each.value)), default=0)


def _put_waiting(
    tx: Tx,
    row: Checkpoint,
    line: CheckpointLine,
    amount: int,
    roles: Collection[str],
    people: Collection[str],
) -> None:
    """Whom the checkpoint waits for now; one that has ended waits for nobody."""
    needed, barred = table_of(ListedRole), table_of(ListedBarred)
    tx.execute(delete(needed).where(needed.c.checkpoint_id == row.id))
    tx.execute(delete(barred).where(barred.c.checkpoint_id == row.id))
    times = {"opened_at": row.opened_at, "due_at": line.due_at, "amount": amount}
    if roles:
        rows = [{"checkpoint_id": row.id, "role": each, **times} for each in roles]
        tx.execute(insert(needed), rows)
    if people:
        tx.execute(insert(barred), [{"checkpoint_id": row.id, "person": each} for each in people])


def _put_words(tx: Tx, item: str, texts: Collection[str]) -> None:
    whole = [word for text in texts for word in words_of(text)]
    words = {*whole, *(piece for word in whole for piece in _PIECES.findall(word))}
    tx.execute(
        insert(table_of(ListedWord)),
        [{"word": word, "item": item} for word in sorted(words)],
    )
