"""Inventories of identities that others own, kept in step: the same file again changes nothing."""

from collections.abc import Iterable

from sqlalchemy import bindparam, select

from placet.authority._core import Core
from placet.authority._errors import NotFound
from placet.authority._registry import register
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
        stood = known.said_json and RegisterIdentity.model_validate_json(known.said_json)
        if (stood, known.last_used, known.source) != (said, row.last_used, source):
            found.append((row.model_copy(update={"said": said}), False))
    return found


def take_in(tx: Tx, source: str, row: ImportedIdentity, entry: int, by: str) -> None:
    """Register what an inventory says of an identity."""
    register(tx, row.identity, row.said, entry, by, last_used=row.last_used, source=source)


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
