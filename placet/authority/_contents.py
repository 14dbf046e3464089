"""What a case's proof needs besides its history, gathered from the case's entries and rows."""

import json
from collections.abc import Iterable
from typing import Any

from placet.authority._reconciling import SettledGrant
from placet.authority._store import (
    Case,
    CaseCode,
    Checkpoint,
    DecisionRow,
    LedgerEntry,
    Reader,
    SignedActRow,
)
from placet.model import ArchiveContents, digest_bytes

_NAMED = {
    "policy_digest": "policies",
    "matrix_digest": "matrices",
    "context_digest": "contexts",
}


def case_entries(reader: Reader, case: str) -> list[dict[str, Any]]:
    """The case's entries, as the ledger has them, in order."""
    rows = reader.all(LedgerEntry, LedgerEntry.case_id == case, order_by=[LedgerEntry.index])
    return [json.loads(row.content) for row in rows]


def contents_of(reader: Reader, case: Case, entries: Iterable[dict[str, Any]]) -> ArchiveContents:
    """The digests of a case's process, rules, evidence, decisions and acts."""
    named: dict[str, set[str]] = {kind: set() for kind in (*_NAMED.values(), "parts")}
    acts: dict[str, str] = {}
    for entry in entries:
        data = entry.get("data", {})
        for member, kind in _NAMED.items():
            if isinstance(data.get(member), str):
                named[kind].add(data[member])
        if entry["type"] == "grant.settled":
            named["parts"] |= {part["digest"] for part in data.get("parts", ())}
        act = data.get("act")
        row = reader.get(SignedActRow, act) if isinstance(act, str) else None
        if row is not None:
            acts[row.jti] = digest_bytes(row.jws.encode())
    checkpoints = reader.all(Checkpoint, Checkpoint.case_id == case.id)
    decisions = {
        row.jti: digest_bytes(row.jws.encode())
        for each in checkpoints
        for row in reader.all(DecisionRow, DecisionRow.checkpoint_id == each.id)
    }
    code = reader.all(CaseCode, CaseCode.case_id == case.id)
    return ArchiveContents(
        process=case.process_digest or "",
        code=tuple(sorted(row.code for row in code)),
        policies=tuple(sorted(named["policies"])),
        matrices=tuple(sorted(named["matrices"])),
        contexts=tuple(sorted(named["contexts"])),
        parts=tuple(sorted(named["parts"])),
        checkpoints={each.id: each.evidence_digest for each in checkpoints},
        decisions=decisions,
        acts=acts,
    )


def grants_of(entries: Iterable[dict[str, Any]]) -> list[SettledGrant]:
    """The case's grants as the ledger tells of them, with how they were settled."""
    issued: dict[str, dict[str, Any]] = {}
    settled: dict[str, dict[str, Any]] = {}
    for entry in entries:
        if entry["type"] == "grant.issued":
            issued[entry["data"]["grant"]] = entry["data"]["activity"]
        elif entry["type"] == "grant.settled":
            settled[entry["data"]["grant"]] = entry["data"]
    return [
        SettledGrant(
            run_id=activity["run_id"],
            activity_id=activity["activity_id"],
            activity_type=activity["activity_type"],
            attempt=activity["attempt"],
            outcome=settled.get(grant, {}).get("outcome"),
            input_digest=settled.get(grant, {}).get("input_digest"),
            output_digest=settled.get(grant, {}).get("output_digest"),
        )
        for grant, activity in issued.items()
    ]
