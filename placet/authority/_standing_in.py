"""Standing in: someone is away, and a person of the same authority decides meanwhile.

A delegation gives no authority: whoever stands in decides in their own name, by their own roles,
and the two have one word between them. It holds by the authority's clock, from its first instant
and not at its last.
"""

from datetime import datetime

from placet.authority._identities import ACTIVE
from placet.authority._store import Delegation, Identity, Reader
from placet.model import Name, Principal


def delegations_to(
    reader: Reader, delegate: Principal, process: str, now: datetime
) -> tuple[Delegation, ...]:
    """What holds now of what was handed over to a person, for a process."""
    rows = _held(reader, delegate, now)
    return tuple(each for each in rows if each.process in (None, process))


def stands_in_for(
    reader: Reader, delegate: Principal, process: str, now: datetime
) -> tuple[Principal, ...]:
    """The people for whom a person may decide now: away, and active themselves."""
    givers = sorted({each.giver for each in delegations_to(reader, delegate, process, now)})
    return tuple(each for each in givers if _is_active(reader, each))


def absences(
    reader: Reader, delegate: Principal, now: datetime
) -> tuple[tuple[Principal, Name | None], ...]:
    """For whom a person stands in now, in which process: ``None`` is all of them."""
    found = {(each.giver, each.process) for each in _held(reader, delegate, now)}
    return tuple(
        sorted(
            (each for each in found if _is_active(reader, each[0])),
            key=lambda x: (x[0], x[1] or ""),
        )
    )


def _held(reader: Reader, delegate: Principal, now: datetime) -> list[Delegation]:
    return reader.all(
        Delegation,
        Delegation.delegate == delegate,
        Delegation.ends_at > now,
        Delegation.starts_at <= now,
        Delegation.ended_at.is_(None),  # type: ignore[union-attr]  # a column on the class
        order_by=[Delegation.entry],
    )


def _is_active(reader: Reader, person: Principal) -> bool:
    identity = reader.get(Identity, person)
    return identity is not None and identity.status == ACTIVE
