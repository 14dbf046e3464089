"""Inventories of identities that others own, kept in step (invariants I10, I11).

1. (I11) The same file again changes nothing.
2. (I10) Whatever a file tells, what was done here since stands: a suspension, an end, the day of
   the next review that the last one has set, and the grace after an owner who left.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import bindparam, select

from placet.authority._core import Core
from placet.authority._errors import NotFound
from placet.authority._registry import register, said_of
from placet.authority._store import Reader, Registered, Tx, table_of
from placet.model import ImportedIdentity, RegisterIdentity

PAGE = 5000
_REGISTERED = table_of(Registered)
_NAMES = (
    select(_REGISTERED.c.identity)
    .where(
        _REGISTERED.c.source == bindparam("source"),
        _REGISTERED.c.identity > bindparam("after"),
    )
    .order_by(_REGISTERED.c.identity)
    .limit(PAGE)
)


def changes(
    reader: Reader, source: str, rows: Iterable[ImportedIdentity]
) -> list[tuple[ImportedIdentity, bool]]:
    """The rows that say something else than the registry, each with whether it is new.

    Where a row names no owner, those that stand stay; where it names an older credential than the
    owner's tool has proven since, that stays.
    """
    found: list[tuple[ImportedIdentity, bool]] = []
    for row in rows:
        known = reader.get(Registered, row.identity)
        if known is None:
            found.append((row, True))
            continue
        said = row.said
        if said.owner is None:
            stands = {"owner": known.owner, "deputy": known.deputy}
            said = said.model_copy(update=stands)
        proven, told = known.proven_since, said.credential_since
        if proven is not None and (told is None or told < proven):
            said = said.model_copy(update={"credential_since": proven})
        stood = said_of(known)
        if (stood, known.last_used, known.source) != (said, row.last_used, source):
            found.append((row.model_copy(update={"said": said}), False))
    return found


def take_in(tx: Tx, source: str, row: ImportedIdentity, entry: int, by: str) -> None:
    """Register what an inventory says of an identity."""
    known = tx.get(Registered, row.identity)
    stands = {} if known is None else _stands(known, row.said)
    told = {"last_used": row.last_used, "source": source, **stands}
    register(tx, row.identity, row.said, entry, by, **told)


def _stands(known: Registered, told: RegisterIdentity) -> dict[str, Any]:
    """What was done to an identity and goes on, whatever its inventory tells.

    A day that is another one than was said last was set by an act or a review.
    """
    said, day = said_of(known), known.review_by
    stands: dict[str, Any] = {
        "suspended_for": known.suspended_for,
        "narrowed_json": known.narrowed_json,
    }
    if said is not None and known.ends_at != said.ends_at:
        stands["ends_at"] = known.ends_at
    if said is not None and day is not None and day != said.review_by:
        stands["review_by"] = min(day, told.ends_at)
    return stands


class Inventories:
    """Reads for operators."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def names(self, source: str, after: str) -> list[str]:
        """A page of the identities that a source named, by id.

        Raises:
            NotFound: nothing was ever imported from it.
        """

        def read(reader: Reader) -> list[str]:
            if reader.first(Registered, Registered.source == source) is None:
                raise NotFound("nothing was imported from this source")
            asked = {"source": source, "after": after}
            return [row.identity for row in reader.execute(_NAMES, asked)]

        return await self._core.store.read(read)
