"""Lists of checkpoints and cases: filtered, sorted and paged by the database.

What a page costs does not grow with how much is open. Each order has an index that the page is
read along, from the cursor on. A filter that leaves few rows (:data:`FEW`) is looked up first,
along an index of its own, and only those rows are read and sorted; one that leaves many fills the
page soon, and is written so that no database takes its index for the better way.

Whom a checkpoint waits for: those in a role that it still needs who have not decided and are not
barred. Nothing here says who may decide; the authority looks at that when a decision comes.
"""

import base64
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, func, literal, select, text, tuple_

from placet.authority._cases import view
from placet.authority._errors import Invalid
from placet.authority._lines import GRAVITY, words_of
from placet.authority._store import (
    Case,
    ListedBarred,
    ListedCheckpoint,
    ListedRole,
    ListedWord,
    ProcessVersion,
    Reader,
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
    Count,
    Overview,
    WaitsFor,
    digest_json,
)

FEW = 1000
"""Rows that are looked up by their keys and sorted then, rather than read along the order."""

MOST_COUNTED = 10_000
"""How far anything is counted: reading so many keys of an index takes a few milliseconds."""

LINES, ROLES = table_of(ListedCheckpoint), table_of(ListedRole)
BARRED, WORDS, CASES = table_of(ListedBarred), table_of(ListedWord), table_of(Case)
_LAST_CHARACTER = "\U0010ffff"
_OPEN = CheckpointStatus.OPEN.value
_MOST = 2**62

Condition = ColumnElement[bool]


@dataclass(frozen=True)
class Asker:
    """Who asks for a list."""

    principal: str
    roles: tuple[str, ...]


@dataclass(frozen=True)
class _Branch:
    """One range of an index, read in its order: the columns of the order, and the range."""

    base: Select[Any]
    order: tuple[Column[Any], Column[Any]]


@dataclass(frozen=True)
class _Filter:
    """A condition, and how the keys of the rows that meet it are found along its own index."""

    condition: Condition
    keys: Select[Any] | None = None


def _bare(column: Column[Any]) -> ColumnElement[Any]:
    """The column as no index has it: its order's index is the one to read along."""
    return func.coalesce(column, column)


# --- checkpoints ------------------------------------------------------------------------------


def list_checkpoints(
    reader: Reader, query: CheckpointQuery, asker: Asker, after: str | None, now: datetime
) -> CheckpointPage:
    """A page of checkpoints.

    Raises:
        Invalid: the cursor is none, or of another query.
    """
    name, down = _ORDERS[query.sort]
    filters = list(_filters(query, asker, now))
    branches = _branches(query, asker, name)
    cursor = _read_cursor(query, after)
    whole = _whole(query, asker)
    found = _page(reader, LINES.c.id, whole, branches, filters, cursor, query.limit, down=down)
    return CheckpointPage(
        checkpoints=tuple(_line(row, asker) for row in found[: query.limit]),
        next=_next(query, found, name, query.limit),
    )


def _line(row: Any, asker: Asker) -> CheckpointLine:
    waits = json.loads(row.waits_json)
    mine = not set(waits["roles"]).isdisjoint(asker.roles) and asker.principal not in waits["but"]
    return CheckpointLine.model_validate_json(row.line_json).model_copy(update={"mine": mine})


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
        return asker.roles
    return (query.role,) if query.role else None


def _whole(query: CheckpointQuery, asker: Asker) -> Select[Any]:
    """Every row that could be listed, in no order."""
    roles = _roles(query, asker)
    if roles is not None:
        return select(LINES).where(_needs(roles))
    is_open = query.waits_for is WaitsFor.OTHERS
    return select(LINES).where(LINES.c.status == _OPEN) if is_open else select(LINES)


def _branches(query: CheckpointQuery, asker: Asker, name: str) -> list[_Branch]:
    roles = _roles(query, asker)
    if roles is not None:
        joined = select(LINES).join(ROLES, ROLES.c.checkpoint_id == LINES.c.id)
        order = (ROLES.c[name], ROLES.c.checkpoint_id)
        return [_Branch(joined.where(ROLES.c.role == role), order) for role in sorted(set(roles))]
    statuses = [query.status] if query.status else list(CheckpointStatus)
    if query.waits_for is WaitsFor.OTHERS:
        statuses = [CheckpointStatus.OPEN]
    order = (LINES.c[name], LINES.c.id)
    return [_Branch(select(LINES).where(LINES.c.status == each.value), order) for each in statuses]


def _filters(query: CheckpointQuery, asker: Asker, now: datetime) -> Iterable[_Filter]:
    ids = select(LINES.c.id)
    if query.case:
        condition = LINES.c.case_id == query.case
        yield _Filter(condition, ids.where(condition))
    if query.record:
        yield _starting(LINES.c.subject, query.record, ids)
    if query.text:
        yield from _worded(LINES.c.id, query.text)
    if query.claimed is Claimed.ME:
        yield _Filter(
            _bare(LINES.c.claimed_by) == asker.principal,
            ids.where(LINES.c.claimed_by == asker.principal),
        )
    elif query.claimed is not None:
        free = query.claimed is Claimed.NONE
        claimed_by = _bare(LINES.c.claimed_by)
        yield _Filter(
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
        yield _Filter((_bare(due) < until) & is_open, ids.where(is_open, due < until))
    if query.process:
        yield _Filter(LINES.c.process == query.process)
    if query.name:
        yield _Filter(LINES.c.name == query.name)
    if query.waits_for is not None:
        mine = query.waits_for is WaitsFor.ME
        yield _Filter(~_barred(asker) if mine else ~_needs(asker.roles, ~_barred(asker)))
    if query.status:
        yield _Filter(LINES.c.status == query.status.value)


def _ranged(column: Column[Any], query: CheckpointQuery, least: int, most: int) -> _Filter:
    statuses = [query.status] if query.status else list(CheckpointStatus)
    return _Filter(
        _bare(column).between(least, most),
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
        _Branch(select(CASES).where(CASES.c.status == each.value), (CASES.c.opened_at, CASES.c.id))
        for each in statuses
    ]
    filters: list[_Filter] = []
    if query.status:
        filters.append(_Filter(CASES.c.status == query.status.value))
    if query.process:
        filters.append(_Filter(CASES.c.process == query.process))
    if query.record:
        filters.append(_starting(CASES.c.subject, query.record, select(CASES.c.id)))
    if query.text:
        filters += _worded(CASES.c.id, query.text)
    found = _page(
        reader,
        CASES.c.id,
        select(CASES),
        branches,
        filters,
        _read_cursor(query, after),
        query.limit,
        down=query.sort is CaseOrder.OPENED_DOWN,
    )
    return CasePage(
        cases=tuple(view(row) for row in found[: query.limit]),
        next=_next(query, found, "opened_at", query.limit),
    )


# --- what lists have in common ----------------------------------------------------------------


def _starting(column: Column[Any], prefix: str, ids: Select[Any]) -> _Filter:
    end = prefix + _LAST_CHARACTER
    bare = _bare(column)
    return _Filter((bare >= prefix) & (bare < end), ids.where((column >= prefix) & (column < end)))


def _worded(key: Column[Any], text: str) -> Iterable[_Filter]:
    for word in words_of(text):
        begins = (WORDS.c.word >= word) & (WORDS.c.word < word + _LAST_CHARACTER)
        has = select(WORDS.c.word).where(WORDS.c.item == key, begins).exists()
        yield _Filter(has, select(WORDS.c.item).where(begins))


def _page(
    reader: Reader,
    key: Column[Any],
    whole: Select[Any],
    branches: Sequence[_Branch],
    filters: Sequence[_Filter],
    cursor: tuple[Any, str] | None,
    limit: int,
    *,
    down: bool,
) -> list[Any]:
    """One row more than the page has, if there is one: then there is a next page."""
    few = _few(reader, filters)
    conditions = [each.condition for each in filters]
    name = branches[0].order[0].name if branches else ""
    found: dict[str, tuple[Any, str, Any]] = {}
    if few is not None:
        rows = iter(reader.execute(whole.where(key.in_(few), *conditions))) if few else ()
    else:
        _read_along(reader)
        rows = chain.from_iterable(
            reader.execute(_range(each, conditions, cursor, limit, down=down)) for each in branches
        )
    for row in rows:
        found[row.id] = (getattr(row, name), row.id, row)
    ordered = sorted(found.values(), key=lambda each: each[:2], reverse=down)
    if few is not None and cursor is not None:
        ordered = [each for each in ordered if (each[:2] < cursor if down else each[:2] > cursor)]
    return [row for _, _, row in ordered[: limit + 1]]


def _range(
    branch: _Branch,
    conditions: Sequence[Condition],
    cursor: tuple[Any, str] | None,
    limit: int,
    *,
    down: bool,
) -> Select[Any]:
    """The next rows of one branch, from the cursor on."""
    statement = branch.base.where(*conditions)
    first, second = branch.order
    if cursor is not None:
        here = tuple_(first, second)
        there = tuple_(literal(cursor[0], first.type), literal(cursor[1]))
        statement = statement.where(here < there if down else here > there)
    by = (first.desc(), second.desc()) if down else (first, second)
    return statement.order_by(*by).limit(limit + 1)


def _read_along(reader: Reader) -> None:
    """Let PostgreSQL sort nothing and read no table as a whole, in this snapshot.

    It guesses that a filter leaves few rows where it leaves many, and then reads them all.
    """
    if reader.connection.dialect.name == "postgresql":
        for way in ("sort", "seqscan", "bitmapscan", "hashjoin", "mergejoin"):
            reader.execute(text(f"SET LOCAL enable_{way} = off"))


def _few(reader: Reader, filters: Iterable[_Filter]) -> list[str] | None:
    """The keys that the first filter with few rows leaves, or ``None`` if each leaves many."""
    for each in filters:
        if each.keys is not None:
            keys = [row[0] for row in reader.execute(each.keys.limit(FEW + 1))]
            if len(keys) <= FEW:
                return keys
    return None


# --- cursors ----------------------------------------------------------------------------------


def _next(query: CheckpointQuery | CaseQuery, found: Sequence[Any], name: str, limit: int) -> Any:
    if len(found) <= limit:
        return None
    value = getattr(found[limit - 1], name)
    told = [value if isinstance(value, int) else value.isoformat(), found[limit - 1].id]
    spelled = json.dumps([_of(query), *told]).encode()
    return base64.urlsafe_b64encode(spelled).decode().rstrip("=")


def _read_cursor(query: CheckpointQuery | CaseQuery, after: str | None) -> tuple[Any, str] | None:
    if after is None:
        return None
    try:
        told = json.loads(base64.urlsafe_b64decode(after + "=" * (-len(after) % 4)))
        of, value, key = told
        if of != _of(query) or not isinstance(key, str):
            raise ValueError(of)
        if query.sort in {CheckpointOrder.AMOUNT, CheckpointOrder.AMOUNT_DOWN}:
            if not isinstance(value, int) or abs(value) >= 2**62:
                raise ValueError(value)
            return value, key
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError(value)
    except (ValueError, TypeError, RecursionError):
        raise Invalid(
            "invalid_request", "after is no cursor of this query: take it from a page's next"
        ) from None
    return moment, key


def _of(query: CheckpointQuery | CaseQuery) -> str:
    """What a cursor is bound to: the query, whatever its pages' length."""
    return digest_json(query.model_copy(update={"limit": 1}))[8:24]


# --- counts -----------------------------------------------------------------------------------


def overview(reader: Reader, asker: Asker, now: datetime) -> Overview:
    """The numbers that a person's day begins with."""
    count = _counter(reader)
    is_open = LINES.c.status == _OPEN
    lines = select(literal(1)).where(is_open)
    published = reader.execute(select(table_of(ProcessVersion).c.name).distinct())
    due = LINES.c.due_at
    return Overview(
        cases={
            each: count(select(literal(1)).where(CASES.c.status == each.value))
            for each in CaseStatus
        },
        open=count(lines),
        mine=_mine(reader, asker),
        claimed=count(
            select(literal(1)).where(
                LINES.c.claimed_by == asker.principal, _bare(LINES.c.status) == _OPEN
            )
        ),
        blocking=count(lines.where(LINES.c.severity == max(GRAVITY.values()))),
        overdue=count(lines.where(due < literal(now, due.type))),
        due_today=count(lines.where(due < literal(now + timedelta(days=1), due.type))),
        processes={row.name: count(lines.where(LINES.c.process == row.name)) for row in published},
    )


def _mine(reader: Reader, asker: Asker) -> Count:
    """How many wait for the asker: role by role, each checkpoint with its first such role."""
    found = 0
    roles = sorted(set(asker.roles))
    for number, role in enumerate(roles):
        barred = select(BARRED.c.person).where(
            BARRED.c.checkpoint_id == ROLES.c.checkpoint_id, BARRED.c.person == asker.principal
        )
        also = ROLES.alias()
        earlier = select(also.c.role).where(
            also.c.checkpoint_id == ROLES.c.checkpoint_id, also.c.role.in_(roles[:number])
        )
        waiting = select(literal(1)).where(
            ROLES.c.role == role, ~barred.exists(), ~earlier.exists()
        )
        each = _counter(reader)(waiting)
        found += each.count
        if each.more or found > MOST_COUNTED:
            return Count(count=MOST_COUNTED, more=True)
    return Count(count=found)


def _counter(reader: Reader) -> Callable[[Select[Any]], Count]:
    def count(rows: Select[Any]) -> Count:
        bounded = rows.limit(MOST_COUNTED + 1).subquery()
        found = reader.scalar(select(func.count()).select_from(bounded))
        return Count(count=min(found, MOST_COUNTED), more=found > MOST_COUNTED)

    return count
