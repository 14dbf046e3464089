"""The one thread that writes: group commit under the head's row.

1. (I4) Nobody is answered before the COMMIT of the transaction that holds their write.
2. (I4) The head's row is locked before anything is read, so that all writers of all processes
   make one sequence, and nothing that a write function reads can change under it.
3. A member of a batch that raises leaves the others as if it had never been there.
4. (I11) After a COMMIT whose answer was lost, the writer looks up whether it happened, under the
   same lock (a commit still under way holds it), and never writes anything a second time.
"""

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from placet.authority._store._access import Reader, table_of
from placet.authority._store._engines import Engines
from placet.authority._store._errors import StoreUnavailable, first_line, is_outage
from placet.authority._store._ledger_tables import TreeState, WriterState
from placet.authority._store._nodes import keep_tile_tops
from placet.authority._store._prepared import run, say
from placet.authority._store._tx import Batch, Tx
from placet.kill import kill_point
from placet.ledger import Frontier
from placet.telemetry import metrics

MAX_BATCH = 256
"""Members of one transaction: bounds how long the first of them waits."""

MAX_QUEUED = 4096
"""Writes waiting; above it the store is unavailable rather than slower and slower."""

LOOK_UP_SECONDS = 5.0
"""How long to try to learn what became of a COMMIT; a PostgreSQL restart takes about two."""

_TREE = table_of(TreeState)
_WRITER = table_of(WriterState)
_LOCK_HEAD = select(_TREE.c.batches, _TREE.c.size, _TREE.c.frontier).with_for_update()
_SAVE_HEAD = update(_TREE).values(
    {name: bindparam(name) for name in ("batches", "size", "frontier", "root")}
)
_MINE = _WRITER.c.id == bindparam("mine")
_SAVE_BATCH = update(_WRITER).where(_MINE).values(batch=bindparam("last"), at=bindparam("now"))
_LAST_BATCH = select(_WRITER.c.batch).where(_MINE)
_SAVEPOINT, _ROLLBACK, _RELEASE = (
    f"{verb} placet_member" for verb in ("SAVEPOINT", "ROLLBACK TO SAVEPOINT", "RELEASE SAVEPOINT")
)


@dataclass
class Member:
    """One write function, and whoever waits for it."""

    run: Callable[[Tx], Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None

    def answer(self) -> None:
        """Hand over what came of it; in the member's own loop."""
        if self.future.done():
            return  # its caller was cancelled: the write stands, nobody waits
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


class Writer:
    """The writer thread of one store."""

    def __init__(
        self,
        engines: Engines,
        name: str,
        clock: Callable[[], datetime],
        committed: Callable[[int, frozenset[str]], None],
    ) -> None:
        self._engines = engines
        self._name = name
        self._clock = clock
        self._committed = committed
        self._queue: queue.SimpleQueue[Member | None] = queue.SimpleQueue()
        self._connection: Connection | None = None
        self._batch = 0
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="placet-store-writer", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def put(self, member: Member) -> None:
        """Queue a write.

        Raises:
            StoreUnavailable: the store is closed, or too many writes wait already.
        """
        if self._closed:
            raise StoreUnavailable("the store is closed")
        if self._queue.qsize() >= MAX_QUEUED:
            raise StoreUnavailable(f"{MAX_QUEUED} writes are waiting for the database already")
        self._queue.put(member)

    def waiting(self) -> int:
        """How many writes wait."""
        return self._queue.qsize()

    def close(self) -> None:
        """Finish what is queued, then stop; blocks until it is done."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        stop = False
        while not stop:
            members, stop = self._next_batch()
            if not members:
                continue
            try:
                self._write(members)
            except BaseException as error:  # noqa: BLE001  # a fault here must not leave anyone waiting
                self._drop_connection()
                _fail(members, StoreUnavailable(f"the writer failed: {error!r}", unknown=True))
            _answer(members)
        self._drop_connection()

    def _next_batch(self) -> tuple[list[Member], bool]:
        members: list[Member] = []
        item = self._queue.get()
        while item is not None:
            if not item.future.cancelled():  # given up while it was queued: never started
                members.append(item)
            if len(members) >= MAX_BATCH:
                return members, False
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return members, False
        return members, True

    # --- one batch --------------------------------------------------------------------------------

    def _write(self, members: list[Member]) -> None:
        began = time.perf_counter()
        try:
            batch = self._begin()
            self._run_members(batch, members)
            self._save_head(batch)
        except SQLAlchemyError as error:
            self._drop_connection()
            _fail(members, StoreUnavailable(f"the database could not be written: {_why(error)}"))
            return
        kill_point("store.before-commit")
        try:
            batch.connection.commit()
        except SQLAlchemyError as error:
            self._drop_connection()
            if not self._look_up(members, error):
                return
        kill_point("store.after-commit")
        metrics.APPEND_SECONDS.observe(time.perf_counter() - began)
        for tell in batch.told:
            tell()
        self._committed(batch.number, frozenset(batch.topics))

    def _begin(self) -> Batch:
        if self._connection is None:
            self._connection = self._engines.writer.connect()
        connection = self._connection
        connection.begin()
        ((batches, size, frontier),) = run(connection, _LOCK_HEAD, {})[1]
        self._batch += 1
        tree = Frontier.decode(frontier, size)
        return Batch(connection, tree, self._clock, batches + 1, size)

    def _run_members(self, batch: Batch, members: list[Member]) -> None:
        for member in members:
            say(batch.connection, _SAVEPOINT)
            tx = Tx(batch)
            try:
                member.result = member.run(tx)
                tx.finish()
            except BaseException as error:  # whatever it is, it is its caller's
                if is_outage(error):
                    raise
                member.error = error
                say(batch.connection, _ROLLBACK)
            else:
                tx.hand_over(batch)
            say(batch.connection, _RELEASE)

    def _save_head(self, batch: Batch) -> None:
        tree = batch.tree
        keep_tile_tops(Reader(batch.connection), batch.size_before, tree.size)
        head = {"size": tree.size, "frontier": tree.encode(), "root": tree.root()}
        run(batch.connection, _SAVE_HEAD, {"batches": batch.number, **head})
        done = {"mine": self._name, "last": self._batch, "now": self._clock()}
        if run(batch.connection, _SAVE_BATCH, done)[0] == 0:
            first = {"id": self._name, "batch": self._batch, "at": done["now"]}
            batch.connection.execute(insert(_WRITER), first)

    # --- when the answer to COMMIT was lost -------------------------------------------------------

    def _look_up(self, members: list[Member], error: SQLAlchemyError) -> bool:
        """Whether the last batch is durable; if it isn't, or can't be known, members are told."""
        try:
            last = self._last_batch()
        except SQLAlchemyError as again:
            said = f"the connection was lost at COMMIT ({_why(error)}) and not found again"
            _fail(members, StoreUnavailable(f"{said}: {_why(again)}", unknown=True))
            return False
        if last == self._batch:
            return True
        _fail(members, StoreUnavailable(f"the database did not commit: {_why(error)}"))
        return False

    def _last_batch(self) -> int | None:
        """The last batch of this writer that is durable; tries for a while to reach the database.

        Raises:
            SQLAlchemyError: it could not be reached.
        """
        give_up = time.monotonic() + LOOK_UP_SECONDS
        while True:
            try:
                with self._engines.writer.connect() as connection, connection.begin():
                    connection.execute(_LOCK_HEAD).one()
                    return connection.scalar(_LAST_BATCH, {"mine": self._name})
            except SQLAlchemyError:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.1)

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            connection.invalidate()
            connection.close()
        except SQLAlchemyError:
            return  # it is being thrown away because it no longer works


def _why(error: SQLAlchemyError) -> str:
    return first_line(error)


def _fail(members: list[Member], error: StoreUnavailable) -> None:
    for member in members:
        # Each its own: a traceback grows on an exception that several callers raise.
        member.error = StoreUnavailable(str(error), unknown=error.unknown)
        member.error.__cause__ = error.__cause__


def _answer(members: list[Member]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[Member]] = {}
    for member in members:
        by_loop.setdefault(member.loop, []).append(member)
    for loop, its in by_loop.items():
        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody is waiting any more
            loop.call_soon_threadsafe(_answer_all, its)


def _answer_all(members: list[Member]) -> None:
    for member in members:
        member.answer()
