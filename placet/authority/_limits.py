"""Identities are watched: what goes beyond the rules' limits is slowed, shown, or suspended.

1. (I4) That a limit was met stands on the ledger before anything follows from it, in words and once
   for each time: a throttled agent that asks on leaves no entry each time.
2. What is counted is what the ledger shows: grants, the records they were for, and denials, since
   the last time that a person was to look; so an admission starts the count anew.
3. (I10) A suspended agent gets nothing from that instant, and its live grants end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import JsonValue
from sqlalchemy import BindParameter, bindparam, func, select

from placet.authority._alarms import stop_case
from placet.authority._governance import governance
from placet.authority._notices import put_notice
from placet.authority._registry import owner_of
from placet.authority._store import Case, Denial, Grant, LimitState, Tx, table_of
from placet.authority._suspending import suspend
from placet.model import (
    ADMINISTRATOR,
    AUTHORITY,
    Beyond,
    CaseStatus,
    Limit,
    Measure,
    WorkingHours,
)
from placet.rules import (
    Counts,
    denial_counts,
    exceeded_in_words,
    hours_of,
    limits_of,
    opens_next,
)

_GRANT, _DENIAL, _STATE = table_of(Grant), table_of(Denial), table_of(LimitState)
_AGENT: BindParameter[str] = bindparam("agent")
_SINCE: BindParameter[datetime] = bindparam("since")
_MOST: BindParameter[int] = bindparam("most")
_GRANTS = (
    select(_GRANT.c.issued_at)
    .where(_GRANT.c.agent == _AGENT, _GRANT.c.issued_at > _SINCE)
    .order_by(_GRANT.c.issued_at.desc())
    .limit(_MOST)
)
_LATEST = func.max(_GRANT.c.issued_at)
_RECORDS = (
    select(_LATEST)
    .where(
        _GRANT.c.agent == _AGENT,
        _GRANT.c.issued_at > _SINCE,
        _GRANT.c.record != bindparam("record"),
    )
    .group_by(_GRANT.c.record)
    .order_by(_LATEST.desc())
    .limit(_MOST)
)
_DENIALS = (
    select(_DENIAL.c.at)
    .where(_DENIAL.c.agent == _AGENT, _DENIAL.c.at > _SINCE)
    .order_by(_DENIAL.c.at.desc())
    .limit(_MOST)
)
_CASE_DENIALS = _DENIALS.where(_DENIAL.c.case_id == bindparam("case"))
_BEFOREHAND = {Measure.GRANTS, Measure.RECORDS}
"""What one more grant adds to; denials are counted when they have happened."""

_INSTANT = timedelta(microseconds=1)
_STATES = select(_STATE).where(_STATE.c.agent == _AGENT)


@dataclass(frozen=True)
class Held:
    """An agent is held back: why, and until when, if it may simply ask again."""

    description: str
    measure: Measure
    until: datetime | None = None


@dataclass(frozen=True)
class _Who:
    agent: str
    case: Case
    record: str


def hold_back(tx: Tx, agent: str, case: Case, record: str) -> Held | None:
    """Whether an agent that asks for one more grant goes beyond a limit; what follows is done."""
    rules, who = governance(tx).identities, _Who(agent, case, record)
    limits, kept = limits_of(rules, agent, *Measure), hours_of(rules, agent)
    beforehand = [each for each in limits if each.measure in _BEFOREHAND]
    slow = {each.measure.value for each in limits if each.beyond is Beyond.THROTTLE}
    if any(each.beyond is Beyond.THROTTLE for each in kept):
        slow.add(Measure.HOURS.value)
    if not (beforehand or kept or slow):
        return None
    states = _states(tx, agent)
    for state in states.values():
        mine = state.measure in slow and state.case_id in {"", case.id}
        if mine and state.until is not None and tx.now < state.until:
            said = f"{agent} is slowed down: it went beyond its limit of {state.measure}"
            return Held(said, Measure(state.measure), state.until)
    for hours in kept:
        opens = opens_next(hours.calendar, tx.now)
        if opens > tx.now:
            return _exceeded(tx, who, hours, opens)
    for limit in beforehand:
        times = _counted(tx, who, limit, states, limit.at_most)
        if len(times) >= limit.at_most:
            return _exceeded(tx, who, limit, _room_at(times, limit))
    return None


def note_denial(tx: Tx, agent: str, case: Case | None, record: str, reasons: Sequence[str]) -> None:
    """An agent was denied something, and the ledger says so; what follows from that is done."""
    counts = denial_counts(reasons)
    if counts is Counts.NOTHING or case is None:
        return
    in_case = counts is Counts.CASE
    tx.add(Denial(agent=agent, case_id=case.id if in_case else None, at=tx.now))
    rules, who = governance(tx).identities, _Who(agent, case, record)
    measures = (Measure.DENIALS, *((Measure.CASE_DENIALS,) if in_case else ()))
    states = _states(tx, agent)
    for limit in limits_of(rules, agent, *measures):
        times = _counted(tx, who, limit, states, limit.at_most + 1)
        if len(times) > limit.at_most:
            _exceeded(tx, who, limit, _room_at(times[: limit.at_most], limit), stops=in_case)
            return


def _states(tx: Tx, agent: str) -> dict[tuple[str, str], LimitState]:
    rows = tx.rows(LimitState, _STATES, {"agent": agent})
    return {(row.measure, row.case_id): row for row in rows}


def _counted(
    tx: Tx,
    who: _Who,
    limit: Limit,
    states: dict[tuple[str, str], LimitState],
    most: int,
) -> list[datetime]:
    """The newest times of what is counted, within the limit's time, newest first."""
    since = tx.now - timedelta(seconds=limit.within_seconds)
    state = states.get((limit.measure.value, _place(limit.measure, who.case)))
    if state is not None and state.since is not None:
        since = max(since, state.since)
    values = {"agent": who.agent, "since": since, "most": most}
    match limit.measure:
        case Measure.GRANTS:
            rows = tx.execute(_GRANTS, values)
        case Measure.RECORDS:
            rows = tx.execute(_RECORDS, {**values, "record": who.record})
        case Measure.DENIALS:
            rows = tx.execute(_DENIALS, values)
        case _:
            rows = tx.execute(_CASE_DENIALS, {**values, "case": who.case.id})
    return [row[0] for row in rows]


def _room_at(times: Sequence[datetime], limit: Limit) -> datetime:
    """When there is room for one more: the oldest of those that fill the limit is past then."""
    return times[-1] + timedelta(seconds=limit.within_seconds)


def _place(measure: Measure, case: Case) -> str:
    return case.id if measure is Measure.CASE_DENIALS else ""


def _exceeded(
    tx: Tx, who: _Who, limit: Limit | WorkingHours, until: datetime, *, stops: bool = True
) -> Held:
    """Write it, and do what the limit says; ``stops`` is whether that may stop the case."""
    said = exceeded_in_words(who.agent, limit)
    measure = Measure.HOURS if isinstance(limit, WorkingHours) else limit.measure
    data: dict[str, JsonValue] = {
        "target": who.agent,
        "measure": measure.value,
        "beyond": limit.beyond.value,
        "reason": said,
    }
    if isinstance(limit, Limit):
        data |= {"at_most": limit.at_most, "within_seconds": limit.within_seconds}
    if limit.beyond is Beyond.THROTTLE:
        data["until"] = until.isoformat()
    if limit.beyond is Beyond.SUSPEND:
        data["revoked_grants"] = suspend(tx, who.agent, "limit")
    entry = tx.append("identity.exceeded", AUTHORITY, data, case=who.case.id, record=who.record)
    throttled = limit.beyond is Beyond.THROTTLE
    _remember(tx, who, measure, **({"until": until} if throttled else {"since": tx.now}))
    if throttled:
        return Held(said, measure, until)
    tx.now += _INSTANT  # of what else this request asks for, all comes after it, and counts anew
    if stops and who.case.status == CaseStatus.OPEN:
        stop_case(tx, who.case, said)
    owner = owner_of(tx, who.agent)
    put_notice(
        tx,
        "identity.exceeded",
        f"{who.agent} {entry}",
        case=who.case.id,
        to=(f"role:{ADMINISTRATOR}", *((owner,) if owner else ())),
        data={"identity": who.agent, "measure": measure.value, "beyond": limit.beyond.value},
    )
    return Held(said, measure)


def _remember(tx: Tx, who: _Who, measure: Measure, **values: datetime) -> None:
    key = (who.agent, measure.value, _place(measure, who.case))
    if tx.get(LimitState, key) is None:
        tx.add(LimitState(agent=key[0], measure=key[1], case_id=key[2], **values))
    else:
        tx.change(LimitState, key, **values)
