"""Break-glass: an emergency's way through a checkpoint, and the review that follows by itself.

1. (I6) Whoever has a hand in the case, or no emergency role, opens nothing. What is asked instead
   is asked of at least two people, by ordinary signed decisions on the same evidence.
2. It lasts a stated time. Then what was asked before is asked again; the deadline stays the same.
3. A review opens with it, is visible until someone closes it, and nobody does who had a hand in it.
"""

import json
from collections.abc import Mapping

from placet.authority._acts._act import (
    Act,
    Handler,
    No,
    body_of,
    kept_apart,
    require_role,
    write_entry,
)
from placet.authority._core import Core
from placet.authority._counted import asked_of, counted_decisions
from placet.authority._errors import Conflict
from placet.authority._governance import governance
from placet.authority._notices import put_notice
from placet.authority._outcomes import settle_status, tell_waiting, void
from placet.authority._store import (
    Case,
    Checkpoint,
    ContextBlob,
    LedgerEntry,
    Reader,
    ReviewRow,
    Tx,
)
from placet.ledger import EntryType
from placet.model import (
    ADMINISTRATOR,
    AUTHORITY,
    ActAnswer,
    CaseStatus,
    CheckpointStatus,
    CloseReview,
    Reason,
    Requirement,
    ReviewView,
    canonical_json,
    digest_json,
)
from placet.rules import emergency_requirement

OPEN, CLOSED = "open", "closed"
PAGE = 100


class EmergencyActs:
    """Opens emergencies, and closes their reviews."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def handlers(self) -> Mapping[str, Handler]:
        """Which act is whose."""
        return {"glass.break": self._break, "review.close": self._close}

    def _break(self, tx: Tx, act: Act) -> ActAnswer:
        body = body_of(act, Reason)
        row = tx.get(Checkpoint, act.claims.target)
        if row is None:
            raise Conflict("there is no such checkpoint")
        case = tx.get(Case, row.case_id)
        assert case is not None  # each is a case's
        if row.status != CheckpointStatus.OPEN or tx.now >= row.deadline:
            raise Conflict("the checkpoint is not open")
        if case.status != CaseStatus.OPEN:
            raise Conflict(f"the case is {case.status}, not open")
        rule = governance(tx).break_glass
        if rule is None:
            raise Conflict("the lender has no emergency path")
        require_role(act, *rule.openers)
        asked = asked_of(row)
        if asked.bars(act.actor):
            raise No("you had a hand in this case; someone else must", "segregation")
        if asked.emergency_until is not None:
            raise Conflict("it is an emergency already")
        instead = emergency_requirement(
            Requirement.model_validate_json(row.requirement_json), rule, tx.now
        )
        assert instead.emergency_until is not None
        emergency, review = self._core.new_id("ckpt"), self._core.new_id("review")
        entry = write_entry(
            tx,
            "glass.broken",
            act,
            {
                "checkpoint": row.id,
                "emergency": emergency,
                "review": review,
                "until": int(instead.emergency_until.timestamp()),
                "reason_digest": kept_apart(self._core, tx, body.reason),
            },
            case=case.id,
            record=case.subject,
        )
        ask_instead(tx, case, row, instead, emergency, "emergency", entry)
        tx.add(
            ReviewRow(
                id=review,
                checkpoint_id=emergency,
                case_id=case.id,
                opened_by=act.actor,
                opened_at=tx.now,
                until=instead.emergency_until,
                status=OPEN,
            )
        )
        for kind, to in (("glass.broken", rule.openers), ("review.opened", rule.reviewers)):
            put_notice(
                tx,
                kind,
                review,
                case=case.id,
                checkpoint=emergency,
                record=case.subject,
                to=(f"role:{ADMINISTRATOR}", *(f"role:{each}" for each in to)),
            )
        return ActAnswer(act=act.claims.act, target=emergency, entry=entry, case=case.id)

    def _close(self, tx: Tx, act: Act) -> ActAnswer:
        body = body_of(act, CloseReview)
        review = tx.get(ReviewRow, act.claims.target)
        if review is None or review.status != OPEN:
            raise Conflict("there is no such open review")
        row = tx.get(Checkpoint, review.checkpoint_id)
        assert row is not None  # it opened with the review
        if row.status == CheckpointStatus.OPEN:
            raise Conflict("the emergency is not over yet; review it when it is")
        rule = governance(tx).break_glass
        require_role(act, *(rule.reviewers if rule is not None else (ADMINISTRATOR,)))
        if had_a_hand(tx, review, row, act.actor):
            raise No("you had a hand in it; someone else must review it", "segregation")
        case = tx.get(Case, review.case_id)
        assert case is not None
        tx.change(ReviewRow, review.id, status=CLOSED, closed_by=act.actor, closed_at=tx.now)
        entry = write_entry(
            tx,
            "review.closed",
            act,
            {
                "review": review.id,
                "checkpoint": row.id,
                "justified": body.justified,
                "reason_digest": kept_apart(self._core, tx, body.reason),
            },
            case=case.id,
            record=case.subject,
        )
        return ActAnswer(act=act.claims.act, target=review.id, entry=entry, case=case.id)


def had_a_hand(reader: Reader, review: ReviewRow, row: Checkpoint, person: str) -> bool:
    """Whether someone is too near to an emergency to review it."""
    decided = {each.operator for each in counted_decisions(reader, row.id)}
    near = person == review.opened_by or person in decided
    return near or asked_of(row).bars(person)


def ask_instead(
    tx: Tx,
    case: Case,
    row: Checkpoint,
    asked: Requirement,
    new: str,
    reason: str,
    because: int | None,
) -> None:
    """Void an open checkpoint and ask something else on the same evidence, by the same deadline."""
    void(tx, case, row, reason)
    made = Checkpoint(
        id=new,
        case_id=row.case_id,
        name=row.name,
        title=row.title,
        status=CheckpointStatus.OPEN.value,
        grant_id=row.grant_id,
        opened_at=tx.now,
        deadline=row.deadline,
        evidence_digest=row.evidence_digest,
        evidence_json=row.evidence_json,
        requirement_digest=digest_json(asked),
        requirement_json=canonical_json(asked).decode(),
        replaces=row.id,
    )
    made.entry = tx.append(
        "checkpoint.opened",
        AUTHORITY,
        {
            "checkpoint": made.id,
            "name": made.name,
            "grant": made.grant_id,
            "evidence_digest": made.evidence_digest,
            "requirement_digest": made.requirement_digest,
            "matrix_digest": asked.matrix_digest,
            "needs": [need.model_dump(mode="json") for need in asked.needs],
            "deadline": int(made.deadline.timestamp()),
            "replaces": row.id,
            reason: because,
        },
        case=case.id,
        record=case.subject,
    )
    tx.add(made)
    settle_status(tx, case, made, asked, ())
    tell_waiting(tx, case, made, asked)


async def end_emergencies(core: Core) -> None:
    """Ask again what was asked before, where an emergency's time is over."""
    now = core.clock()
    due = await core.store.read(
        lambda reader: reader.all(
            ReviewRow,
            ReviewRow.ended_at.is_(None),  # type: ignore[union-attr]  # a column on the class
            ReviewRow.until <= now,
            limit=PAGE,
        )
    )

    def end(tx: Tx) -> None:
        for review in due:
            row = tx.get(Checkpoint, review.checkpoint_id)
            current = tx.get(ReviewRow, review.id)
            if row is None or current is None or current.ended_at is not None:
                continue
            tx.change(ReviewRow, review.id, ended_at=tx.now)
            case = tx.get(Case, row.case_id)
            before = tx.get(Checkpoint, row.replaces or "")
            if row.status == CheckpointStatus.OPEN and case is not None and before is not None:
                asked = Requirement.model_validate_json(before.requirement_json)
                new = core.new_id("ckpt")
                ask_instead(tx, case, row, asked, new, "emergency_over", before.entry)

    if due:
        await core.store.write(end)


async def list_reviews(core: Core, status: str | None, after: str) -> list[ReviewView]:
    """A page of reviews by id."""
    where = [ReviewRow.id > after] + ([ReviewRow.status == status] if status else [])

    def read(reader: Reader) -> list[ReviewView]:
        rows = reader.all(ReviewRow, *where, order_by=[ReviewRow.id], limit=PAGE)
        return [_view(reader, row) for row in rows]

    return await core.store.read(read)


def _view(reader: Reader, row: ReviewRow) -> ReviewView:
    return ReviewView(
        id=row.id,
        case=row.case_id,
        checkpoint=row.checkpoint_id,
        opened_by=row.opened_by,
        opened_at=row.opened_at,
        until=row.until,
        status=row.status,
        closed_by=row.closed_by,
        reason=_reason(reader, row),
    )


def _reason(reader: Reader, row: ReviewRow) -> str:
    """Why the emergency was begun, as it is kept apart from the ledger."""
    begun = reader.all(
        LedgerEntry,
        LedgerEntry.case_id == row.case_id,
        LedgerEntry.type == EntryType.GLASS_BROKEN.value,
    )
    told = (json.loads(each.content)["data"] for each in begun)
    digest = next((each["reason_digest"] for each in told if each["review"] == row.id), "")
    kept = reader.get(ContextBlob, digest)
    return "" if kept is None else kept.content.decode()
