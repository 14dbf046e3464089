"""Lists of checkpoints and cases: filtered, sorted and paged by the database.

What a page costs does not grow with how much is open; how, :mod:`placet.authority._paging` says.

Whom a checkpoint waits for: those in a role that it still needs who have not decided and are not
barred; where one named person decides, them alone (:mod:`placet.authority._seats`). Nothing here
says who may decide; the authority looks at that when a decision comes.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, literal, select
from sqlmodel import col

from placet.authority._cases import view
from placet.authority._holds import held_among
from placet.authority._lines import GRAVITY
from placet.authority._paging import (
    Branch,
    Condition,
    Filter,
    bare,
    next_of,
    page_of,
    read_cursor,
    starting,
    worded,
)
from placet.authority._seats import Asker
from placet.authority._standstills import standstills_of
from placet.authority._store import (
    Case,
    ListedBarred,
    ListedCheckpoint,
    ListedRole,
    Reader,
    ReviewRow,
    StandstillRow,
    table_of,
)
from placet.model import (
    CaseOrder,
    CasePage,
    CaseQuery,
    CaseStatus,
    CheckpointLine,
    CheckpointOrder,
    CheckpointPage,
    CheckpointQuery,
    CheckpointStatus,
    Claimed,
    Due,
    Gravest,
    Severity,
    WaitsFor,
)

LINES, ROLES = table_of(ListedCheckpoint), table_of(ListedRole)
BARRED, CASES = table_of(ListedBarred), table_of(Case)
STANDSTILLS = table_of(StandstillRow)
_OPEN = CheckpointStatus.OPEN.value
_MOST = 2**62


# --- checkpoints ------------------------------------------------------------------------------


def list_checkpoints(
    reader: Reader, query: CheckpointQuery, asker: Asker, after: str | None, now: datetime
) -> CheckpointPage:
    """A page of checkpoints.

    Raises:
        Invalid: the cursor is none, or of another query.
    """
    name, down = _ORDERS[query.sort]
    filters = list(filters_of(query, asker, now))
    branches = _branches(query, asker, name)
    cursor = read_cursor(query, after)
    whole = whole_of(query, asker)
    found = page_of(reader, LINES.c.id, whole, branches, filters, cursor, query.limit, down=down)
    shown = found[: query.limit]
    held = held_among(reader, [row.subject for row in shown])
    until = _emergencies_among(reader, [row.id for row in shown], now)
    return CheckpointPage(
        checkpoints=tuple(
            _line(row, asker, held.get(row.subject), until.get(row.id)) for row in shown
        ),
        next=next_of(query, found, name, query.limit),
    )


def _emergencies_among(
    reader: Reader, checkpoints: Collection[str], now: datetime
) -> Mapping[str, datetime]:
    """Those of these that are asked by the emergency path now, each with when that ends."""
    asked = col(ReviewRow.checkpoint_id).in_(checkpoints)
    found = reader.all(ReviewRow, asked, col(ReviewRow.until) > now)
    return {row.checkpoint_id: row.until for row in found}


def _line(
    row: Any, asker: Asker, held_on: str | None, emergency_until: datetime | None
) -> CheckpointLine:
    waits = json.loads(row.waits_json)
    mine = not set(waits["roles"]).isdisjoint(asker.seats) and asker.principal not in waits["but"]
    told = {"mine": mine, "held_on": held_on, "emergency_until": emergency_until}
    return CheckpointLine.model_validate_json(row.line_json).model_copy(update=told)


_ORDERS = {
    CheckpointOrder.URGENCY: ("due_at", False),
    CheckpointOrder.AMOUNT: ("amount", False),
    CheckpointOrder.AMOUNT_DOWN: ("amount", True),
    CheckpointOrder.OPENED: ("opened_at", False),
    CheckpointOrder.OPENED_DOWN: ("opened_at", True),
}


def _roles(query: CheckpointQuery, asker: Asker) -> tuple[str, ...] | None:
    """The roles that what is listed waits for, if it is listed by that."""
    if query.waits_for is WaitsFor.ME:
        return asker.seats
    return (query.role,) if query.role else None


def whole_of(query: CheckpointQuery, asker: Asker) -> Select[Any]:
    """Every row that could be listed, in no order."""
    roles = _roles(query, asker)
    if roles is not None:
        return select(LINES).where(_needs(roles))
    is_open = query.waits_for is WaitsFor.OTHERS
    return select(LINES).where(LINES.c.status == _OPEN) if is_open else select(LINES)


def _branches(query: CheckpointQuery, asker: Asker, name: str) -> list[Branch]:
    roles = _roles(query, asker)
    if roles is not None:
        joined = select(LINES).join(ROLES, ROLES.c.checkpoint_id == LINES.c.id)
        order = (ROLES.c[name], ROLES.c.checkpoint_id)
        return [Branch(joined.where(ROLES.c.role == role), order) for role in sorted(set(roles))]
    statuses = [query.status] if query.status else list(CheckpointStatus)
    if query.waits_for is WaitsFor.OTHERS:
        statuses = [CheckpointStatus.OPEN]
    order = (LINES.c[name], LINES.c.id)
    return [Branch(select(LINES).where(LINES.c.status == each.value), order) for each in statuses]


def filters_of(query: CheckpointQuery, asker: Asker, now: datetime) -> Iterable[Filter]:
    ids = select(LINES.c.id)
    if query.case:
        condition = LINES.c.case_id == query.case
        yield Filter(condition, ids.where(condition))
    if query.record:
        yield starting(LINES.c.subject, query.record, ids)
    if query.text:
        yield from worded(LINES.c.id, query.text)
    if query.claimed is Claimed.ME:
        yield Filter(
            bare(LINES.c.claimed_by) == asker.principal,
            ids.where(LINES.c.claimed_by == asker.principal),
        )
    elif query.claimed is not None:
        free = query.claimed is Claimed.NONE
        claimed_by = bare(LINES.c.claimed_by)
        yield Filter(
            claimed_by.is_(None) if free else claimed_by.is_not(None),
            None if free else ids.where(LINES.c.claimed_by.is_not(None)),
        )
    if query.severity:
        yield _ranged(LINES.c.severity, query, GRAVITY[query.severity], max(GRAVITY.values()))
    if query.amount_min is not None or query.amount_max is not None:
        least = 0 if query.amount_min is None else int(query.amount_min * 100)
        most = _MOST if query.amount_max is None else int(query.amount_max * 100)
        yield _ranged(LINES.c.amount, query, least, most)
    if query.overdue:
        due, until = LINES.c.due_at, literal(now, LINES.c.due_at.type)
        is_open = LINES.c.status == _OPEN
        yield Filter((bare(due) < until) & is_open, ids.where(is_open, due < until))
    yield from _grouped(query, now)
    if query.waits_for is not None:
        mine = query.waits_for is WaitsFor.ME
        yield Filter(~_barred(asker) if mine else ~_needs(asker.seats, ~_barred(asker)))
    if query.status:
        yield Filter(LINES.c.status == query.status.value)


def _grouped(query: CheckpointQuery, now: datetime) -> Iterable[Filter]:
    """Which of the groups that lists fall into."""
    if query.due:
        keys = select(LINES.c.id).where(due_within(query.due, now))
        yield Filter(due_within(query.due, now, bare(LINES.c.due_at)), keys)
    if query.gravest:
        grave = GRAVEST[query.gravest]
        yield _ranged(LINES.c.severity, query, grave, grave)
    if query.process:
        yield Filter(LINES.c.process == query.process)
    if query.name:
        yield Filter(LINES.c.name == query.name)


def due_within(due: Due, now: datetime, column: ColumnElement[Any] = LINES.c.due_at) -> Condition:
    """When an open one is due; as it stands, the range of an index."""
    kind = LINES.c.due_at.type
    day, week = now + timedelta(days=1), now + timedelta(days=7)
    since, until = {
        Due.OVERDUE: (None, now),
        Due.DAY: (now, day),
        Due.WEEK: (day, week),
        Due.LATER: (week, None),
    }[due]
    within = LINES.c.status == _OPEN
    if since is not None:
        within &= column >= literal(since, kind)
    if until is not None:
        within &= column < literal(until, kind)
    return within


GRAVEST = {Gravest.NONE: 0, **{Gravest(each.value): GRAVITY[each] for each in Severity}}


def _ranged(column: Column[Any], query: CheckpointQuery, least: int, most: int) -> Filter:
    statuses = [query.status] if query.status else list(CheckpointStatus)
    return Filter(
        bare(column).between(least, most),
        select(LINES.c.id).where(
            LINES.c.status.in_([each.value for each in statuses]), column.between(least, most)
        ),
    )


def _barred(asker: Asker) -> Condition:
    barred = select(BARRED.c.person).where(
        BARRED.c.checkpoint_id == LINES.c.id, BARRED.c.person == asker.principal
    )
    return barred.correlate(LINES).exists()


def _needs(roles: tuple[str, ...], *also: Condition) -> Condition:
    needed = select(ROLES.c.role).where(
        ROLES.c.checkpoint_id == LINES.c.id, ROLES.c.role.in_(roles), *also
    )
    return needed.correlate(LINES).exists()


# --- cases ------------------------------------------------------------------------------------


def list_cases(reader: Reader, query: CaseQuery, after: str | None) -> CasePage:
    """A page of cases.

    Raises:
        Invalid: the cursor is none, or of another query.
    """
    statuses = [query.status] if query.status else list(CaseStatus)
    branches = [
        Branch(select(CASES).where(CASES.c.status == each.value), (CASES.c.opened_at, CASES.c.id))
        for each in statuses
    ]
    filters: list[Filter] = []
    if query.status:
        filters.append(Filter(CASES.c.status == query.status.value))
    if query.standing:
        stands = select(STANDSTILLS.c.case_id)
        mine = stands.where(STANDSTILLS.c.case_id == CASES.c.id).correlate(CASES)
        filters.append(Filter(mine.exists(), stands))
    if query.process:
        filters.append(Filter(CASES.c.process == query.process))
    if query.record:
        filters.append(starting(CASES.c.subject, query.record, select(CASES.c.id)))
    if query.text:
        filters += worded(CASES.c.id, query.text)
    found = page_of(
        reader,
        CASES.c.id,
        select(CASES),
        branches,
        filters,
        read_cursor(query, after),
        query.limit,
        down=query.sort is CaseOrder.OPENED_DOWN,
    )
    shown = found[: query.limit]
    standing = standstills_of(reader, [row.id for row in shown])
    held = held_among(reader, [row.subject for row in shown])
    cases = (
        view(row, standing.get(row.id)).model_copy(update={"held_on": held.get(row.subject)})
        for row in shown
    )
    return CasePage(
        cases=tuple(cases),
        next=next_of(query, found, "opened_at", query.limit),
    )
