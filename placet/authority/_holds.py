"""Holds: a signed stop on a record and everything below it."""

from placet.authority._revocations import revoke
from placet.authority._store import Grant, HoldRow, Reader, Tx


def on_hold(reader: Reader, record: str) -> bool:
    """Whether a hold covers ``record``: on itself or on a record above it."""
    segments = record.split("/")
    above = ["/".join(segments[:count]) for count in range(1, len(segments) + 1)]
    return (
        reader.first(
            HoldRow,
            HoldRow.record.in_(above),  # type: ignore[attr-defined]  # a column on the class
            HoldRow.lifted_at.is_(None),  # type: ignore[union-attr]  # a column on the class
        )
        is not None
    )


def revoke_below(tx: Tx, record: str) -> None:
    """Revoke the live guarded grants on ``record`` and below it, so that the hold holds now.

    Other steps go on: a hold stops what is done to a record, not the looking at it.
    """
    for grant in tx.all(Grant, Grant.status == "issued", Grant.guarded_json.is_not(None)):  # type: ignore[union-attr]  # a column on the class
        if grant.record == record or grant.record.startswith(record + "/"):
            revoke(tx, grant, "hold")
