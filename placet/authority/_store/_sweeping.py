"""Removing what no request can be about any more."""

from datetime import timedelta

from sqlalchemy import bindparam, delete, select, tuple_

from placet.authority._store._access import table_of
from placet.authority._store._identity_tables import UsedJti
from placet.authority._store._ledger_tables import WriterState
from placet.authority._store._tx import Tx

MOST = 2000
"""Rows of one write: they take some milliseconds of everybody's."""

_LONGER = timedelta(minutes=5)
"""More than the clocks of two processes may differ."""

_GONE = timedelta(days=7)
"""A writer that has committed nothing for so long is no more; one that is says so again."""

_JTI, _WRITER = table_of(UsedJti), table_of(WriterState)
_KEY = tuple_(_JTI.c.issuer, _JTI.c.jti)
_OLD = (
    select(_JTI.c.issuer, _JTI.c.jti)
    .where(_JTI.c.expires_at < bindparam("before"))
    .order_by(_JTI.c.expires_at)
    .limit(MOST)
)
_SWEEP = delete(_JTI).where(_KEY.in_(_OLD))
_LEAVE = delete(_WRITER).where(_WRITER.c.at < bindparam("before"))


def sweep(tx: Tx) -> int:
    """Remove each ``jti`` whose token could verify nowhere now, a page of them; how many."""
    tx.execute(_LEAVE, {"before": tx.now - _GONE})
    return tx.execute(_SWEEP, {"before": tx.now - _LONGER}).rowcount
