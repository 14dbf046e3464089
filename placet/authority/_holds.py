"""Holds: a signed stop on a record and everything below it."""

from collections.abc import Collection, Mapping

from sqlalchemy import bindparam, select
from sqlmodel import col

from placet.authority._revocations import revoke
from placet.authority._store import Grant, HoldRow, Reader, Tx, table_of

_HOLD = table_of(HoldRow)
_LEVELS = tuple(f"level_{number}" for number in range(8))  # a record has at most eight segments
_ABOVE = (
    select(_HOLD.c.record)
    .where(_HOLD.c.record.in_([bindparam(name) for name in _LEVELS]), _HOLD.c.lifted_at.is_(None))
    .limit(1)
)


def on_hold(reader: Reader, record: str) -> bool:
    """Whether a hold covers ``record``: on itself or on a record above it."""
    return held_on(reader, record) is not None


def held_on(reader: Reader, record: str) -> str | None:
    """The record on which such a hold is."""
    segments = record.split("/")
    above = {
        name: "/".join(segments[: count + 1])  # beyond its last segment, the record itself
        for count, name in enumerate(_LEVELS)
    }
    row = reader.one(_ABOVE, above)
    return None if row is None else str(row[0])


def held_among(reader: Reader, records: Collection[str]) -> Mapping[str, str]:
    """Those of these records that a hold covers, each with the record that it is on: one query."""
    above = {each: _from_the_root(each) for each in records}
    names = sorted({name for each in above.values() for name in each})
    rows = reader.all(HoldRow, col(HoldRow.record).in_(names), col(HoldRow.lifted_at).is_(None))
    held = {row.record for row in rows}
    found = {each: next((name for name in above[each] if name in held), None) for each in above}
    return {each: name for each, name in found.items() if name is not None}


def _from_the_root(record: str) -> list[str]:
    """The records above a record, the root first, and at last itself."""
    segments = record.split("/")
    return ["/".join(segments[: count + 1]) for count in range(len(segments))]


def revoke_below(tx: Tx, record: str) -> None:
    """Revoke the live guarded grants on ``record`` and below it, so that the hold holds now.

    Other steps go on: a hold stops what is done to a record, not the looking at it.
    """
    for grant in tx.all(Grant, Grant.status == "issued", Grant.guarded_json.is_not(None)):  # type: ignore[union-attr]  # a column on the class
        if grant.record == record or grant.record.startswith(record + "/"):
            revoke(tx, grant, "hold")
