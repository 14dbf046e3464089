"""People are told of what ends within a week, while there is time to do something about it.

1. The owner of what ends altogether, and administrators, are told once of each day on which
   something of theirs does: an inventory may end thousands of identities on one.
2. Whoever is away and whoever stands in for them are told where that lasts for longer.
3. It decides nothing, and is on no ledger: what ends does so by itself (invariant I10).
"""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from sqlmodel import col

from placet.authority._core import Core
from placet.authority._notices import is_told, put_notice
from placet.authority._store import Delegation, Reader, Tx
from placet.authority._usage import PAGE, SOON, end_of, ending
from placet.model import ADMINISTRATOR
from placet.telemetry import metrics

_NAMED = 20
_IDENTITY, _DELEGATION = "identity.ending", "delegation.ending"
_Ending = dict[tuple[str | None, date], list[str]]


async def tell_endings(core: Core) -> None:
    """Tell of what ends soon and was not told yet, and count it."""
    now = core.clock()
    identities, delegations = await core.store.read(
        lambda reader: (_identities(reader, now), _delegations(reader, now))
    )
    metrics.ENDING.set(sum(map(len, identities.values())))

    def tell(tx: Tx) -> None:
        for (owner, day), ids in identities.items():
            put_notice(
                tx,
                _IDENTITY,
                _key(owner, day),
                to=(f"role:{ADMINISTRATOR}", *((owner,) if owner else ())),
                data={"identities": [*ids[:_NAMED]], "all": len(ids), "on": day.isoformat()},
            )
        for each in delegations:
            until = each.ends_at.isoformat()
            put_notice(
                tx, _DELEGATION, each.id, to=(each.giver, each.delegate), data={"until": until}
            )

    def untold(reader: Reader) -> bool:
        return any(not is_told(reader, _IDENTITY, _key(*each)) for each in identities) or any(
            not is_told(reader, _DELEGATION, each.id) for each in delegations
        )

    if await core.store.read(untold):
        await core.store.write(tell)


def _key(owner: str | None, day: date) -> str:
    return f"{owner or 'nobody'} {day}"


def _identities(reader: Reader, now: datetime) -> _Ending:
    """What ends altogether, by its owner and its day."""
    found: _Ending = {}
    for row in _pages(reader, now):
        end, _ = end_of(reader, row, now)
        found.setdefault((row.owner, end.date()), []).append(row.identity)
    return found


def _pages(reader: Reader, now: datetime) -> Iterator[Any]:
    page = ending(reader, "", now, wholly=True)
    yield from page
    while len(page) == PAGE:
        page = ending(reader, page[-1].identity, now, wholly=True)
        yield from page


def _delegations(reader: Reader, now: datetime) -> list[Delegation]:
    rows = reader.all(
        Delegation,
        col(Delegation.ended_at).is_(None),
        Delegation.ends_at > now,
        Delegation.ends_at <= now + SOON,
    )
    return [each for each in rows if each.ends_at - each.starts_at > SOON]
