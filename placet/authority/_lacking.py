"""What keeps an identity from being given anything, as the registry has it (invariant I10).

An identity that nobody owns, or whose end date has passed, gets nothing; a system of record needs
no owner.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from placet.authority._store import Reader, Registered


@dataclass(frozen=True)
class NotEntitled:
    """Why an identity gets nothing, in words and in one."""

    description: str
    reason: str


UNOWNED = NotEntitled("no person owns this identity; an administrator names one", "no_owner")
PAST_END = NotEntitled("the identity's end date has passed", "past_end_date")


class Owned(Protocol):
    """What of an identity says whether it is owned, and until when it lasts."""

    @property
    def owner(self) -> str | None: ...
    @property
    def owned_until(self) -> datetime | None: ...
    @property
    def ends_at(self) -> datetime | None: ...


def lacks(row: Owned, now: datetime) -> tuple[NotEntitled, ...]:
    """What an identity lacks for a grant."""
    found = []
    if row.owner is None or (row.owned_until is not None and row.owned_until <= now):
        found.append(UNOWNED)
    if row.ends_at is not None and row.ends_at <= now:
        found.append(PAST_END)
    return tuple(found)


def lacking(reader: Reader, principal: str, now: datetime) -> NotEntitled | None:
    """What an agent or a system of record lacks to be answered; people are in no registry."""
    kind = principal.partition(":")[0]
    if kind not in {"agent", "system"}:
        return None
    row = reader.get(Registered, principal)
    found = (UNOWNED,) if row is None else lacks(row, now)
    return next((each for each in found if kind == "agent" or each is not UNOWNED), None)
