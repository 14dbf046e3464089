"""Erasing a closed case: the act ``case.erase``, which always needs two administrators.

1. Refused before the lender's retention is over, under a hold on the case's record, while its
   archive is not sealed, and before an emergency in it was reviewed.
2. Destroyed are the case's payload keys (and with them every payload in Temporal and the archived
   histories, wherever copies lie), what evidence parts and checkpoints said, texts kept apart from
   the ledger, bodies of acts, and signed decisions that carry words of their own.
3. The ledger stays as it is: it holds ids and salted digests, and still verifies. So do the seal,
   what was decided by whom, and the digests of all that is gone.
"""

import base64
import json
from datetime import timedelta

from placet.authority._contents import case_entries
from placet.authority._core import Core
from placet.authority._errors import Conflict
from placet.authority._holds import on_hold
from placet.authority._store import (
    Archive,
    Case,
    Checkpoint,
    ContextBlob,
    DecisionRow,
    PartRow,
    Remark,
    ReviewRow,
    SignedActRow,
    Tx,
)
from placet.model import AuthorityMatrix, CaseStatus, Evidence, Proposal, canonical_json

ERASE = "case.erase"
ERASED = "erased"
"""The topic that empties what the database still holds of what was erased."""

_TEXTS = ("reasoning_digest", "reason_digest")
_SAYS = ("comment", "exceptions", "exception_reasons")
"""Claims of a decision that are people's own words."""

_NO_SALT = "A" * 43


def erase_case(tx: Tx, core: Core, case: Case, matrix: AuthorityMatrix | None) -> dict[str, int]:
    """Destroy what may go of a case; how many of each there were.

    Raises:
        Conflict: it may not go (yet).
    """
    _require_erasable(tx, case, matrix)
    entries = case_entries(tx, case.id)
    counts = {
        "keys": core.keys.payloads.destroy(tx, case.id),
        "histories": _histories(tx, case.id),
        "parts": _parts(tx, case.id),
        "texts": _texts(tx, entries),
        "checkpoints": _checkpoints(tx, case),
        "remarks": _remarks(tx, case.id),
        "decisions": _decisions(tx, case.id),
        "acts": _acts(tx, entries),
    }
    tx.notify(ERASED)
    tx.change(Case, case.id, erased_at=tx.now, archive_trouble=None, alarm=None)
    return counts


def _require_erasable(tx: Tx, case: Case, matrix: AuthorityMatrix | None) -> None:
    if case.erased_at is not None:
        raise Conflict(f"the case was erased at {case.erased_at:%Y-%m-%d %H:%M:%S} UTC")
    if case.status != CaseStatus.CLOSED or case.closed_at is None:
        raise Conflict(f"the case is {case.status}: only a closed one is erased")
    if case.archived_at is None and case.lost_at is None:
        raise Conflict("the case's history is not sealed yet")
    days = None if matrix is None else matrix.retention_days
    if days is None:
        raise Conflict(f"no retention is set for {case.process}: publish retention_days first")
    until = case.closed_at + timedelta(days=days)
    if tx.now < until:
        raise Conflict(f"the case must be kept until {until:%Y-%m-%d %H:%M:%S} UTC")
    if on_hold(tx, case.subject):
        raise Conflict(f"{case.subject} is on hold: lift the hold first")
    review = tx.first(ReviewRow, ReviewRow.case_id == case.id, ReviewRow.closed_at.is_(None))  # type: ignore[union-attr]  # a column on the class
    if review is not None:
        raise Conflict(f"nobody has looked at its emergency: close its review first: {review.id}")


def _histories(tx: Tx, case: str) -> int:
    row = tx.get(Archive, case)
    if row is None or row.runs is None:
        return 0
    tx.change(Archive, case, runs=None)
    return 1


def _parts(tx: Tx, case: str) -> int:
    rows = tx.all(PartRow, PartRow.case_id == case)
    for row in rows:
        tx.change(PartRow, row.seq, content=b"", salt="", proposal_json=None)
    return len(rows)


def _texts(tx: Tx, entries: list[dict[str, object]]) -> int:
    named: set[str] = set()
    for entry in entries:
        data = entry.get("data")
        if isinstance(data, dict):
            named |= {data[name] for name in _TEXTS if isinstance(data.get(name), str)}
    there = [digest for digest in sorted(named) if tx.get(ContextBlob, digest) is not None]
    for digest in there:
        tx.remove(ContextBlob, digest)
    return len(there)


def _checkpoints(tx: Tx, case: Case) -> int:
    rows = tx.all(Checkpoint, Checkpoint.case_id == case.id)
    for row in rows:
        shown = Evidence.model_validate_json(row.evidence_json)
        left = shown.model_copy(update={"salt": _NO_SALT, "proposal": Proposal()})
        tx.change(Checkpoint, row.id, evidence_json=canonical_json(left).decode())
    return len(rows)


def _remarks(tx: Tx, case: str) -> int:
    checkpoints = tx.all(Checkpoint, Checkpoint.case_id == case)
    rows = [r for each in checkpoints for r in tx.all(Remark, Remark.checkpoint_id == each.id)]
    for row in rows:
        tx.change(Remark, row.id, content=b"", salt="", name=None)
    return len(rows)


def _decisions(tx: Tx, case: str) -> int:
    checkpoints = tx.all(Checkpoint, Checkpoint.case_id == case)
    rows = [
        row
        for each in checkpoints
        for row in tx.all(DecisionRow, DecisionRow.checkpoint_id == each.id)
        if _has_words(row.jws)
    ]
    for row in rows:
        tx.change(DecisionRow, row.jti, jws="")
    return len(rows)


def _has_words(jws: str) -> bool:
    try:
        payload = jws.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return any(claims.get(name) for name in _SAYS)
    except (ValueError, IndexError, AttributeError):
        return True  # what can't be read is not kept


def _acts(tx: Tx, entries: list[dict[str, object]]) -> int:
    named = {
        data["act"]
        for entry in entries
        if isinstance(data := entry.get("data"), dict) and isinstance(data.get("act"), str)
    }
    rows = [row for jti in sorted(named) if (row := tx.get(SignedActRow, jti)) is not None]
    for row in rows:
        tx.change(SignedActRow, row.jti, body_json=None)
    return len(rows)
