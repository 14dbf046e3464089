"""What stops a case, and what is told of it when Temporal shows what nobody here has done.

1. (I4) The alarm, what it changes and its ledger entry are one transaction, and each is told once.
2. People are told of the first case of a process that is stopped for a reason, and not of each
   while that one waits: a policy that permits nothing may stop thousands. Of closed cases, which
   nothing stops, they are told of the first that an alarm is about, once a day for each reason.
"""

from collections.abc import Sequence

from placet.authority._notices import put_notice
from placet.authority._revocations import revoke
from placet.authority._store import Case, CaseRun, Grant, StandstillRow, Tx
from placet.model import ADMINISTRATOR, AUTHORITY, CaseStatus, digest_bytes

_MOST = 20
"""Reasons that one alarm spells out: an entry has room for more, a reader has not."""


def as_seen(tx: Tx, seen: Case) -> Case | None:
    """The case, if it is open, in the run and with the admissions with which it was looked at.

    What a person has admitted since is not stopped for what Temporal was asked before.
    """
    case = tx.get(Case, seen.id)
    if case is None or case.status != CaseStatus.OPEN:
        return None
    same = (case.run_id, case.admissions) == (seen.run_id, seen.admissions)
    return case if same else None


def stop_case(tx: Tx, case: Case, reason: str, but: str = "") -> None:
    """Stop a case for a person to look at, and end its live grants but the one that stops it.

    It gets no more grants until an operator admits it.
    """
    like = (Case.status == CaseStatus.STOPPED, Case.process == case.process)
    first = tx.first(Case, *like, Case.stopped_for == reason) is None
    tx.change(Case, case.id, status=CaseStatus.STOPPED.value, stopped_for=reason)
    forget_standstill(tx, case.id)
    entry = tx.append(
        "case.stopped", AUTHORITY, {"reason": reason}, case=case.id, record=case.subject
    )
    if first:
        _tell(tx, case, "case.stopped", str(entry), reason)
    for grant in tx.all(Grant, Grant.case_id == case.id, Grant.status == "issued"):
        if grant.id != but:
            revoke(tx, grant, "case_stopped")


def _tell(tx: Tx, case: Case, kind: str, key: str, reason: str) -> None:
    put_notice(
        tx,
        kind,
        key,
        case=case.id,
        record=case.subject,
        to=(f"role:{ADMINISTRATOR}", case.opened_by),
        data={"reason": reason},
    )


def _tell_of_closed(tx: Tx, case: Case, reason: str, like: str) -> None:
    if case.status == CaseStatus.CLOSED:  # an open one is stopped, and told of then
        key = f"{case.process} {digest_bytes(like.encode())} {tx.now.date()}"
        _tell(tx, case, "case.alarm", key, reason)


def forget_standstill(tx: Tx, case_id: str) -> bool:
    """Forget what a case stood still for; whether it did. It goes on, or is stopped or closed."""
    stood = tx.get(StandstillRow, case_id) is not None
    if stood:
        tx.remove(StandstillRow, case_id)
    return stood


def raise_alarm(tx: Tx, case: Case, reasons: Sequence[str]) -> None:
    """Write an alarm to the ledger, once for the same reasons, and keep it with the case."""
    told = spelled_out(reasons)
    said = "; ".join(told)
    if case.alarm == said:
        return
    tx.append("case.alarm", AUTHORITY, {"reasons": [*told]}, case=case.id, record=case.subject)
    tx.change(Case, case.id, alarm=said, alarm_admitted=False)
    _tell_of_closed(tx, case, said, said)


def spelled_out(reasons: Sequence[str]) -> list[str]:
    """The first reasons, each short and harmless to a terminal: they repeat what Temporal says."""
    told = ["".join(c if c.isprintable() else "?" for c in each)[:300] for each in reasons[:_MOST]]
    if len(reasons) > _MOST:
        told.append(f"and {len(reasons) - _MOST} more")
    return told


def meet_run(tx: Tx, case: Case, run_id: str) -> None:
    """Tell of a run that nobody here started or admitted; once for each run."""
    if tx.get(CaseRun, (case.id, run_id)) is not None:
        return
    add_run(tx, case, run_id, admitted=False)
    of = "the closed case" if case.status == CaseStatus.CLOSED else "the case"
    raise_alarm(tx, case, [f"run {run_id} of {of} was reset, or started by someone else"])


def add_run(tx: Tx, case: Case, run_id: str, *, admitted: bool) -> None:
    """Put a run into the case's chain, or (not admitted) on the list of those that were met."""
    known = tx.get(CaseRun, (case.id, run_id))
    if known is None:
        seq = len(tx.all(CaseRun, CaseRun.case_id == case.id))
        tx.add(CaseRun(case_id=case.id, run_id=run_id, seq=seq, admitted=admitted, at=tx.now))
    elif admitted and not known.admitted:
        tx.change(CaseRun, (case.id, run_id), admitted=True)


def lose(tx: Tx, case: Case, reason: str) -> None:
    """Write that a case's execution has vanished from Temporal; once."""
    if case.lost_at is not None:
        return
    tx.append(
        "case.lost",
        AUTHORITY,
        {"run_id": case.run_id, "reason": reason},
        case=case.id,
        record=case.subject,
    )
    tx.change(Case, case.id, lost_at=tx.now)
    _tell_of_closed(tx, case, reason, "lost")
