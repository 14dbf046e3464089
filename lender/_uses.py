"""Each use of a grant reaches the ledger: written with what was done, told until it was heard.

1. (I4) What a request did and its use are one transaction; the use is told from an outbox.
2. (I4) A guarded action's intent is durable at the authority before it is done, and every intent
   has its result, also when the action was refused.
"""

import contextlib
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from typing import TypeVar

from fastapi import Request
from sqlalchemy import insert
from sqlmodel import Field, Session, delete, select

from lender._scope import ANY, Reach, Scope
from lender._service import Base, Database, Failure
from placet.clock import system_clock
from placet.model import Digest, FactsAnswer, GrantId, GrantUse, UseStage
from placet.resource import GRANTS_KEPT, CannotJudge, Guard, Refused, VerifiedGrant
from placet.tokens import SKEW

T = TypeVar("T")
_LOOKING = timedelta(seconds=30)
"""How long a look for the authority may take."""
_PAGE = 256
"""Uses of one page: as many as the authority takes at once."""

_log = logging.getLogger("lender")


class Told(Base, table=True):
    """A use that the authority must hear of; gone once it has."""

    __tablename__ = "use_outbox"
    __table_args__ = {  # noqa: RUF012 - as SQLAlchemy reads it
        "sqlite_autoincrement": True,
        **Reach("body::json ->> 'grant' = (SELECT granted(':grant'))", reads=False, adds=ANY).info,
    }
    seq: int | None = Field(default=None, primary_key=True)
    id: str = Field(unique=True)
    body: str


class Outbox:
    """The uses that the authority has not heard of yet."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def pending(self) -> Sequence[GrantUse]:
        """The oldest uses that were not told."""

        def read(session: Session) -> list[GrantUse]:
            rows = session.exec(select(Told).order_by(Told.seq).limit(_PAGE))  # type: ignore[arg-type]  # a column on the class
            return [GrantUse.model_validate_json(row.body) for row in rows]

        return await self._database.run(read)

    async def told(self, ids: Sequence[str]) -> None:
        """These were told."""

        def write(session: Session) -> None:
            session.exec(delete(Told).where(Told.id.in_(ids)))  # type: ignore[attr-defined]  # a column on the class

        await self._database.run(write)


class Use:
    """One use of a grant, from the request to its answer."""

    def __init__(self, database: Database, guard: Guard, grant: VerifiedGrant) -> None:
        self.grant = grant
        self._database = database
        self._guard = guard
        what, ends = grant.claims.details, grant.claims.expires_at + SKEW
        self._scope = Scope(grant.id, what.action, what.identifier, ends)
        self._number = secrets.token_hex(8)  # one grant may be used, and refused, many times
        self._stage = UseStage.USE
        self._body: Digest | None = None

    async def intend(self, body: Digest) -> None:
        """Make the intent of a guarded action durable before it is done.

        Raises:
            Refused: the authority refused it or could not take it; nothing may be done.
        """
        self._body = body
        try:
            await self._guard.record_intent(self.grant, self._id("intent"), body)
        except CannotJudge:
            self._stage = UseStage.RESULT  # it may be durable all the same: only the answer lacks
            raise
        self._stage = UseStage.RESULT

    async def read(self, work: Callable[[Session], T]) -> T:
        """Look something up on the way to what is done.

        Raises:
            Failure: what the work raises, or the database is busy.
        """
        return await self._database.run(work, self._scope)

    async def run(self, work: Callable[[Session], T], body: Digest | None = None) -> T:
        """Do the work and write its use, in one transaction.

        Raises:
            Failure: what the work raises, or the database is busy; nothing was written.
        """
        self._body = self._body or body

        def both(session: Session) -> T:
            done = work(session)
            self._put(session, 200)
            return done

        return await self._database.run(both, self._scope)

    async def refused(self, status: int) -> None:
        """Write that nothing came of it."""
        try:
            await self._database.run(lambda session: self._put(session, status))
        except Failure as failure:
            _log.error("the refusal is not told: %s", failure, extra={"grant": self.grant.id})

    def _put(self, session: Session, status: int) -> None:
        use = self._guard.use(
            self.grant, self._id(self._stage.value), self._stage, status, self._body
        )
        # Inline: who may not read the outbox can't be given its number either.
        told = insert(Told).values(id=use.id, body=use.model_dump_json()).inline()
        session.execute(told)

    def _id(self, what: str) -> str:
        return f"{what}-{self.grant.id}-{self._number}"


class Desk:
    """Where requests come in: behind its guard, with its database, each use written down."""

    def __init__(self, database: Database, guard: Guard) -> None:
        self.database = database
        self.guard = guard

    @contextlib.asynccontextmanager
    async def using(self, request: Request, *, action: str, record: str) -> AsyncIterator[Use]:
        """Require a live grant for this action on this record, and write down what came of it.

        Raises:
            Refused: there is no such grant.
        """
        grant = await self.guard.require(request, action=action, record=record)
        use = Use(self.database, self.guard, grant)
        try:
            yield use
        except (Failure, Refused) as refusal:
            await use.refused(refusal.status)
            raise
        except Exception:
            await use.refused(500)
            raise

    async def tell_facts(
        self, request: Request, record: str, read: Callable[[Session], FactsAnswer]
    ) -> FactsAnswer:
        """Tell the authority of a record, which is all that the looking reaches.

        Raises:
            Refused: it is not the authority who asks, or it asks about another record.
            Failure: what reading raises, or the database is busy.
        """
        await self.guard.require_inquiry(request, record)
        return await self.database.run(read, Scope("", "facts", record, system_clock() + _LOOKING))

    async def end(self, grants: Sequence[GrantId]) -> None:
        """The guard has heard that these grants ended.

        Raises:
            Failure: the database is away.
        """
        await self.database.end(grants, system_clock() + GRANTS_KEPT)
