"""Many open checkpoints at once, put straight into the store: for lists and their cost."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert

from placet.authority._lines import relist
from placet.authority._store import (
    Case,
    Checkpoint,
    ListedBarred,
    ListedCheckpoint,
    ListedRole,
    ListedWord,
    Tx,
    table_of,
)
from placet.authority._store._base import Row
from placet.model import (
    CheckpointStatus,
    Evidence,
    EvidenceItem,
    Exclusion,
    ExclusionReason,
    ExpiryStatus,
    Finding,
    Need,
    Outcome,
    Proposal,
    Requirement,
    Schedule,
    canonical_json,
    digest_json,
    parse_money,
    spell_id,
)

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
DIGEST = "sha-256:" + "A" * 43
SALT = "A" * 43


def number_id(prefix: str, number: int) -> str:
    """An id that sorts as its number does."""
    return spell_id(prefix, number.to_bytes(16))


def parcel_case(number: int, **more: object) -> Case:
    """The row of a parcel's case that runs in Temporal, with what is otherwise of it."""
    case = number_id("case", number)
    row: dict[str, Any] = {
        "id": case,
        "process": "parcel-check",
        "version": 1,
        "subject": f"depot/D1/parcel/{number}",
        "status": "open",
        "opened_by": "operator:pat",
        "opened_at": NOON,
        "workflow_id": case,
        "workflow_type": "ParcelCheck",
        "task_queue": "orchestrator",
        "request_id": "r",
        "run_id": "first",
    }
    return Case(**{**row, **more})


@dataclass(frozen=True)
class Asked:
    """One checkpoint of the crowd."""

    number: int
    process: str = "loan-draw"
    version: int = 1
    name: str = "release"
    subject: str = ""
    status: str = "open"
    amount: str | None = "100.00"
    due: timedelta = timedelta(days=1)
    opened: timedelta = timedelta(0)
    severities: tuple[str, ...] = ()
    excepting: bool = False
    roles: tuple[str, ...] = ("clerk",)
    count: int = 1
    excluded: tuple[str, ...] = ()
    claimed_by: str | None = None
    schedule: Schedule | None = None
    expires_as: ExpiryStatus = "expired"
    decided_by: str | None = None
    now: datetime = NOON

    @property
    def id(self) -> str:
        """The checkpoint's id."""
        return number_id("ckpt", self.number)

    @property
    def case(self) -> str:
        """Its case's id."""
        return number_id("case", self.number)

    @property
    def record(self) -> str:
        """What it is about."""
        return self.subject or f"loan/L-{self.number}/draw/1"


def put(tx: Tx, asked: Asked) -> None:
    """Put one into the store as the authority would, and list it."""
    case = Case(
        id=asked.case,
        process=asked.process,
        version=asked.version,
        subject=asked.record,
        status="open",
        opened_by="operator:pat",
        opened_at=asked.now + asked.opened,
        workflow_id=asked.case,
        workflow_type="W",
        task_queue="q",
        request_id="r",
    )
    tx.add(case)
    row = _row(asked)
    tx.add(row)
    relist(tx, row.id)


def _row(asked: Asked) -> Checkpoint:
    amount = None if asked.amount is None else parse_money(asked.amount)
    findings = tuple(
        Finding.model_validate(
            {"id": f"a.b#{n}", "check": "a.b", "severity": each, "message": "seen"}
        )
        for n, each in enumerate(asked.severities)
    )
    item = EvidenceItem(
        name="weight",
        record=asked.record,
        digest=DIGEST,
        agent="agent:scale",
        grant=number_id("grant", asked.number),
    )
    evidence = Evidence(
        case=asked.case,
        checkpoint=asked.name,
        subject=asked.record,
        salt=SALT,
        items=(item,),
        proposal=Proposal(amount=amount, requested=amount, findings=findings),
    )
    wanted = Requirement(
        checkpoint=asked.name,
        matrix_digest=DIGEST,
        matrix_version=1,
        needs=(Need(roles=asked.roles, count=asked.count),),
        excluded=tuple(
            Exclusion(person=each, why=ExclusionReason.OPENED) for each in asked.excluded
        ),
        exceptions=evidence.proposal.exceptions if asked.excepting else (),
        amount=amount,
        schedule=asked.schedule,
        expires_as=asked.expires_as,
        decided_by=asked.decided_by,
    )
    outcome = Outcome(
        checkpoint_id=asked.id,
        checkpoint=asked.name,
        case=asked.case,
        status=CheckpointStatus(asked.status),
        evidence_digest=DIGEST,
        requirement_digest=DIGEST,
    )
    return Checkpoint(
        id=asked.id,
        case_id=asked.case,
        name=asked.name,
        title="Release the parcel",
        status=asked.status,
        claimed_by=asked.claimed_by,
        opened_at=asked.now + asked.opened,
        deadline=asked.now + asked.due,
        evidence_digest=digest_json(evidence),
        evidence_json=canonical_json(evidence).decode(),
        requirement_digest=digest_json(wanted),
        requirement_json=canonical_json(wanted).decode(),
        outcome_json=outcome.model_dump_json(exclude_none=True),
    )


def put_many(tx: Tx, numbers: range) -> None:
    """Put thousands of rows into the tables that lists read, as fast as the database takes them."""
    rows: dict[type[Row], list[Mapping[str, Any]]] = {
        ListedCheckpoint: [],
        ListedRole: [],
        ListedBarred: [],
        ListedWord: [],
    }
    for number in numbers:
        for table, row in _listed(number):
            rows[table].append(row)
    for each, found in rows.items():
        tx.execute(insert(table_of(each)), found)


def _listed(number: int) -> Iterator[tuple[type[Row], Mapping[str, Any]]]:
    dice = random.Random(number)  # noqa: S311 - the same crowd each time, not a secret
    asked = Asked(
        number,
        process="loan-draw" if number % 10 else "budget-change",
        amount=f"{dice.randrange(1, 900_000)}.00",
        due=timedelta(minutes=dice.randrange(60 * 24 * 30)),
        opened=-timedelta(minutes=dice.randrange(60 * 24 * 30)),
        roles=("clerk",) if number % 3 else ("chief",),
    )
    times = {
        "opened_at": asked.now + asked.opened,
        "due_at": asked.now + asked.due,
        "amount": int(parse_money(asked.amount or "0.00") * 100),
    }
    line = (
        f'{{"id":"{asked.id}","case":"{asked.case}","process":"{asked.process}","name":"release",'
        f'"title":"Release the parcel","subject":"{asked.record}","status":"open",'
        f'"opened_at":"{(asked.now + asked.opened).isoformat()}",'
        f'"due_at":"{(asked.now + asked.due).isoformat()}",'
        f'"deadline":"{(asked.now + asked.due).isoformat()}","amount":"{asked.amount}",'
        f'"needs":[{{"roles":["{asked.roles[0]}"],"count":1}}],"missing":["1 approval"]}}'
    )
    yield (
        ListedCheckpoint,
        {
            "id": asked.id,
            "case_id": asked.case,
            "process": asked.process,
            "name": "release",
            "subject": asked.record,
            "status": "open",
            "severity": 3 if number % 5 == 0 else 0,
            "claimed_by": None,
            "line_json": line,
            "waits_json": f'{{"roles":["{asked.roles[0]}"],"but":["operator:pat"]}}',
            **times,
        },
    )
    yield ListedRole, {"checkpoint_id": asked.id, "role": asked.roles[0], **times}
    yield ListedBarred, {"checkpoint_id": asked.id, "person": "operator:pat"}
    for word in {"loan", f"l-{number}", "l", str(number), "draw", "1", asked.id, asked.case}:
        yield ListedWord, {"word": word, "item": asked.id}
