"""Counts of what is open, each read no further than :data:`MOST_COUNTED` along an index."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, literal, select

from placet.authority._lines import GRAVITY
from placet.authority._lists import BARRED, CASES, LINES, ROLES, STANDSTILLS
from placet.authority._paging import bare
from placet.authority._seats import Asker
from placet.authority._store import ProcessVersion, Reader, table_of
from placet.model import CaseStatus, CheckpointStatus, Count, Overview

MOST_COUNTED = 10_000
"""How far anything is counted: reading so many keys of an index takes a few milliseconds."""

_OPEN = CheckpointStatus.OPEN.value


def overview(reader: Reader, asker: Asker, now: datetime) -> Overview:
    """The numbers that a person's day begins with."""
    count = counter(reader)
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
                LINES.c.claimed_by == asker.principal, bare(LINES.c.status) == _OPEN
            )
        ),
        blocking=count(lines.where(LINES.c.severity == max(GRAVITY.values()))),
        overdue=count(lines.where(due < literal(now, due.type))),
        due_today=count(lines.where(due < literal(now + timedelta(days=1), due.type))),
        standing=count(select(literal(1)).select_from(STANDSTILLS)),
        processes={row.name: count(lines.where(LINES.c.process == row.name)) for row in published},
    )


def _mine(reader: Reader, asker: Asker) -> Count:
    """How many wait for the asker: seat by seat, each checkpoint with its first such seat."""
    found = 0
    roles = asker.seats
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
        each = counter(reader)(waiting)
        found += each.count
        if each.more or found > MOST_COUNTED:
            return Count(count=MOST_COUNTED, more=True)
    return Count(count=found)


def counter(reader: Reader) -> Callable[[Select[Any]], Count]:
    def count(rows: Select[Any]) -> Count:
        bounded = rows.limit(MOST_COUNTED + 1).subquery()
        found = reader.scalar(select(func.count()).select_from(bounded))
        return Count(count=min(found, MOST_COUNTED), more=found > MOST_COUNTED)

    return count
