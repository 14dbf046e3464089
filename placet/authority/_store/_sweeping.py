"""Removing what no request can be about any more."""

from datetime import timedelta

from sqlalchemy import bindparam, delete, func, select, tuple_

from placet.authority._store._access import table_of
from placet.authority._store._grant_tables import GrantRevocation
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
_ENDED = table_of(GrantRevocation)
_KEY = tuple_(_JTI.c.issuer, _JTI.c.jti)
_OLD = (
    select(_JTI.c.issuer, _JTI.c.jti)
    .where(_JTI.c.expires_at < bindparam("before"))
    .order_by(_JTI.c.expires_at)
    .limit(MOST)
)
_SWEEP = delete(_JTI).where(_KEY.in_(_OLD))
_EXPIRED = (
    select(_ENDED.c.cursor)
    .where(_ENDED.c.expires_at < bindparam("before"))
    .where(_ENDED.c.cursor < select(func.max(_ENDED.c.cursor)).scalar_subquery())
    .order_by(_ENDED.c.expires_at)
    .limit(MOST)
)
"""Not the newest: it says how far the feed has come, to who looks whether it went back."""
_FORGET = delete(_ENDED).where(_ENDED.c.cursor.in_(_EXPIRED))
_LEAVE = delete(_WRITER).where(_WRITER.c.at < bindparam("before"))


def sweep(tx: Tx) -> int:
    """Remove a page of what could verify nowhere now; how many at most of one kind.

    That is each ``jti``, and each grant of the revocation feed: a system of record that starts
    reads the feed from its beginning, and until then it asks about every grant.
    """
    before = {"before": tx.now - _LONGER}
    tx.execute(_LEAVE, {"before": tx.now - _GONE})
    return max(tx.execute(each, before).rowcount for each in (_SWEEP, _FORGET))
