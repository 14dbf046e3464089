"""A checkpoint as people are shown it: what is unusual first, then what is asked and was said."""

from collections.abc import Mapping
from datetime import datetime

from placet.authority._counted import asked_of, counted_decisions
from placet.authority._errors import NotFound
from placet.authority._evidence import unpack
from placet.authority._holds import held_on
from placet.authority._identities import ACTIVE, roles_of
from placet.authority._outcomes import approvers_of, standing_of
from placet.authority._standing_in import stands_in_for
from placet.authority._store import (
    Case,
    Checkpoint,
    DecisionRow,
    Delegation,
    EvidenceOpened,
    Identity,
    PartRow,
    Reader,
    Remark,
    Tx,
)
from placet.model import (
    AcceptedView,
    CheckpointStatus,
    CheckpointView,
    ClaimView,
    DecisionView,
    DelegationView,
    Evidence,
    EvidenceDiff,
    OutcomeProof,
    Prospect,
    RemarkView,
    Requirement,
)
from placet.rules import OperatorFacts, compare, explain, missing, prospect, unusual


def show(reader: Reader, row: Checkpoint) -> CheckpointView:
    """One checkpoint with its evidence."""
    case = _case_of(reader, row)
    asked = asked_of(row)
    evidence = Evidence.model_validate_json(row.evidence_json)
    counted = counted_decisions(reader, row.id)
    diff = None if case.erased_at is not None else _changed(reader, row, evidence)
    after = reader.first(
        Checkpoint, Checkpoint.case_id == row.case_id, Checkpoint.replaces == row.id
    )
    return CheckpointView(
        id=row.id,
        case=row.case_id,
        name=row.name,
        title=row.title,
        subject=case.subject,
        status=CheckpointStatus(row.status),
        opened_at=row.opened_at,
        deadline=row.deadline,
        evidence_digest=row.evidence_digest,
        requirement_digest=row.requirement_digest,
        evidence=evidence,
        requirement=Requirement.model_validate_json(row.requirement_json),
        escalated=row.escalated,
        erased=case.erased_at is not None,
        decisions=_decisions(reader, row),
        missing=missing(asked, counted) if row.status == CheckpointStatus.OPEN else (),
        unusual=unusual(evidence, asked, counted, diff),
        changed=diff,
        claim=ClaimView(operator=row.claimed_by, claimed_at=row.claimed_at)
        if row.claimed_by is not None and row.claimed_at is not None
        else None,
        remarks=tuple(
            _remark(each)
            for each in reader.all(Remark, Remark.checkpoint_id == row.id, order_by=[Remark.entry])
            if case.erased_at is None
        ),
        replaced_by=None if after is None else after.id,
    )


def _case_of(reader: Reader, row: Checkpoint) -> Case:
    case = reader.get(Case, row.case_id)
    if case is None:
        raise NotFound("the checkpoint's case is gone")
    return case


def _decisions(reader: Reader, row: Checkpoint) -> tuple[DecisionView, ...]:
    """What was decided, in order, but for what was erased."""
    rows = reader.all(
        DecisionRow, DecisionRow.checkpoint_id == row.id, order_by=[DecisionRow.entry]
    )
    return tuple(_decision(each) for each in rows if each.jws)


def _decision(row: DecisionRow) -> DecisionView:
    return DecisionView(
        jti=row.jti,
        operator=row.operator,
        verdict=row.verdict,
        decided_at=row.decided_at,
        jws=row.jws,
        stands_in_for=row.stands_in_for,
        evidence_opened_at=row.opened_at,
    )


def _remark(row: Remark) -> RemarkView:
    is_text = row.kind == "comment"
    return RemarkView(
        act=row.id,
        operator=row.operator,
        at=row.at,
        text=row.content.decode() if is_text else None,
        name=row.name,
        media_type=row.media_type,
        size=None if is_text else len(row.content),
        digest=row.digest,
    )


def _changed(reader: Reader, row: Checkpoint, evidence: Evidence) -> EvidenceDiff | None:
    """What is different from the checkpoint that this one replaces, if it replaces one."""
    before = None if row.replaces is None else reader.get(Checkpoint, row.replaces)
    if before is None:
        return None
    earlier = Evidence.model_validate_json(before.evidence_json)
    leads = (_lead(reader, earlier), _lead(reader, evidence))
    return compare(earlier, evidence, leads, before.id, approvers_of(reader, before))


def _lead(reader: Reader, evidence: Evidence) -> dict[str, object]:
    row = reader.first(PartRow, PartRow.digest == evidence.items[0].digest)
    return {} if row is None else dict(unpack(row).data)


def note_opened(tx: Tx, row: Checkpoint, operator: str) -> None:
    """Remember since when a person has had this evidence open: it goes into their decision."""
    if row.status != CheckpointStatus.OPEN:
        return
    if tx.get(EvidenceOpened, (row.id, operator)) is None:
        tx.add(
            EvidenceOpened(
                checkpoint_id=row.id, operator=operator, opened_at=tx.now, last_at=tx.now
            )
        )
    else:
        tx.change(EvidenceOpened, (row.id, operator), last_at=tx.now)


def prove(reader: Reader, row: Checkpoint) -> OutcomeProof:
    """Why a checkpoint stands where it stands."""
    decisions = counted_decisions(reader, row.id)
    proof = explain(
        asked_of(row),
        decisions,
        standing_of(row, decisions),
        row.evidence_digest,
        row.requirement_digest,
    )
    reasons = {  # of two words of one person the later stands
        (word.operator, each.finding): each.reason
        for word in _decisions(reader, row)
        for each in word.accepted
    }
    told = tuple(_with_reasons(each, reasons) for each in proof.exceptions)
    return proof.model_copy(update={"exceptions": told})


def _with_reasons(view: AcceptedView, reasons: Mapping[tuple[str, str], str]) -> AcceptedView:
    theirs = tuple(reasons.get((who, view.finding), "") for who in view.accepted_by)
    return view.model_copy(update={"reasons": theirs})


def foresee(reader: Reader, row: Checkpoint, operator: str, now: datetime) -> Prospect:
    """What a word of this operator would do at a checkpoint now."""
    identity, case = reader.get(Identity, operator), _case_of(reader, row)
    decisions = counted_decisions(reader, row.id)
    foreseen = prospect(
        asked_of(row),
        OperatorFacts(
            principal=operator,
            active=identity is not None and identity.status == ACTIVE,
            roles=() if identity is None else roles_of(identity),
            stands_in_for=stands_in_for(reader, operator, case.process, now),
        ),
        standing_of(row, decisions),
        row.evidence_digest,
        row.requirement_digest,
        now,
    )
    return foreseen.model_copy(update={"held_on": held_on(reader, case.subject)})


def delegations(reader: Reader, person: str) -> list[DelegationView]:
    """What a person has handed over, and what was handed over to them."""
    given = reader.all(Delegation, Delegation.giver == person, order_by=[Delegation.entry])
    taken = reader.all(Delegation, Delegation.delegate == person, order_by=[Delegation.entry])
    return [
        DelegationView(
            act=each.id,
            giver=each.giver,
            delegate=each.delegate,
            process=each.process,
            starts_at=each.starts_at,
            ends_at=each.ends_at,
            ended_at=each.ended_at,
        )
        for each in (*given, *taken)
    ]
