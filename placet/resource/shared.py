"""What several processes of one system share: used proofs, in the system's own database.

1. (I11) Of requests with the same proof one is taken, whichever processes they reach and however
   many at once: a key of the table is unique, and the row is on the disk before the answer.
2. A proof is remembered for longer than any of the processes could accept it; then it is swept.
3. (I12) A database that does not answer lets nothing through: the request is refused (503).
4. (I7) A row holds a digest and a time.

It is no part of :mod:`placet.resource`, so that a guard which shares nothing loads no database.
"""

import asyncio
import logging
from datetime import datetime, timedelta

import anyio.to_thread
from sqlalchemy import BigInteger, Connection, Engine, Table, delete, insert, select
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlmodel import Field, SQLModel

from placet.model import Name, digest_bytes
from placet.resource._errors import CannotJudge
from placet.resource._replay import REMEMBERED, used_before
from placet.tokens import Proof

__all__ = ["SharedReplayCache", "UsedProofs"]

_APART = timedelta(minutes=5)
"""More than the clocks of two processes may differ."""

_PAUSE = timedelta(seconds=1)
_MOST = 2000
"""Rows of one sweep, which each process makes once a second at most: they take milliseconds."""

_log = logging.getLogger("placet.resource")


class UsedProofs(SQLModel):
    """The columns of a system's table of used proofs: inherit it with ``table=True``."""

    proof: str = Field(primary_key=True)
    until: int = Field(sa_type=BigInteger, index=True)


class SharedReplayCache:
    """The proofs that were used at a system, whichever of its processes took them.

    Args:
        system: the system's name: several may share a table.
        engine: connections to the database, whose waits are bounded; each proof is a transaction.
        table: the table, which is there.
    """

    def __init__(self, system: Name, engine: Engine, table: type[UsedProofs]) -> None:
        self._system = system
        self._engine = engine
        self._table: Table = table.__table__  # type: ignore[attr-defined]  # SQLModel's, of a table
        self._swept: datetime | None = None

    async def use(self, proof: Proof, now: datetime) -> None:
        """Use up a proof.

        Who is cancelled still waits for the end: a process that is stopped leaves no transaction.

        Raises:
            BadToken: it was used before.
            CannotJudge: the database does not answer, or did not take it.
        """
        using = asyncio.ensure_future(
            anyio.to_thread.run_sync(self._use, proof, now, self._sweeps(now))
        )
        try:
            await asyncio.shield(using)
        except asyncio.CancelledError:
            await asyncio.gather(using, return_exceptions=True)
            raise

    def _sweeps(self, now: datetime) -> bool:
        """Whether this request sweeps."""
        if self._swept is not None and timedelta(0) <= now - self._swept < _PAUSE:
            return False
        self._swept = now
        return True

    def _use(self, proof: Proof, now: datetime, sweeps: bool) -> None:
        # One spelling for each: neither a system's name nor a thumbprint has a space.
        told = f"{self._system} {proof.jkt} {proof.jti}"
        row = {
            "proof": digest_bytes(told.encode()),
            "until": int((now + REMEMBERED + _APART).timestamp()),
        }
        try:
            with self._engine.begin() as connection:
                if sweeps:
                    self._sweep(connection, int(now.timestamp()))
                connection.execute(insert(self._table), row)
        except IntegrityError:
            raise used_before() from None
        except SQLAlchemyError as error:
            cause = error.orig if isinstance(error, DBAPIError) else error
            _log.warning("%s: used proofs can't be told: %s", self._system, type(cause).__name__)
            raise CannotJudge(
                "whether this proof was used before can't be told now; make a new one"
            ) from error

    def _sweep(self, connection: Connection, now: int) -> None:
        """Delete what is over; what another process is deleting is left to it."""
        key, until = self._table.c.proof, self._table.c.until
        over = select(key).where(until < now).order_by(until).limit(_MOST)
        connection.execute(
            delete(self._table).where(key.in_(over.with_for_update(skip_locked=True)))
        )
