"""The authority's store: state and ledger in one database, written by one thread per process."""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from types import TracebackType
from typing import Self, TypeVar

from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import col

from placet.authority._store._access import Reader
from placet.authority._store._engines import READERS, Engines, Waits, make_engines
from placet.authority._store._errors import StoreUnavailable, first_line, is_outage
from placet.authority._store._ledger_tables import SignedHead, TreeState
from placet.authority._store._partitions import keep_ahead
from placet.authority._store._schema import prepare
from placet.authority._store._sweeping import MOST, sweep
from placet.authority._store._topics import Topics
from placet.authority._store._tx import Tx
from placet.authority._store._writer import Member, Writer
from placet.clock import system_clock

T = TypeVar("T")
_log = logging.getLogger("placet.authority.store")


LOOK_FOR_OTHERS = 1.0
"""Seconds between two looks for what other processes have written; takes half a millisecond."""


class Store:
    """State and ledger in one SQLite file or PostgreSQL database.

    ``write`` runs a function in the writer thread and answers when its work is durable; ``read``
    runs one on a snapshot. Both functions are plain, quick code: no network, no waiting. Open it
    with :meth:`open` inside the event loop that will use it, and close it there.
    """

    def __init__(self, engines: Engines, origin: str, clock: Callable[[], datetime]) -> None:
        self.origin = origin
        self.clock = clock
        self.engines = engines
        self._loop = asyncio.get_running_loop()
        self._topics = Topics()
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="placet-store-reader")
        self._others: asyncio.Task[None] | None = None
        self._writer = Writer(engines, secrets.token_hex(16), clock, self._committed)

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        origin: str,
        clock: Callable[[], datetime] = system_clock,
        waits: Waits | None = None,
    ) -> Self:
        """Open the database at ``url``, making its tables if it has none.

        ``origin`` is the log's name in its heads; ``clock`` gives aware times.

        Raises:
            ValueError: the URL is not ``sqlite:///path`` or ``postgresql://…``.
            StoreMismatch: the database is another log's, or of another version.
            StoreUnavailable: it can't be reached.
        """
        engines = make_engines(url, waits or Waits())
        store = cls(engines, origin, clock)
        try:
            await asyncio.to_thread(prepare, engines, origin)
            store._topics.start(await store.read(_batches))
        except SQLAlchemyError as error:
            engines.dispose()
            raise StoreUnavailable(f"the database can't be opened: {first_line(error)}") from None
        except BaseException:
            engines.dispose()
            raise
        store._writer.start()
        store._others = asyncio.create_task(store._hear_others(), name="placet-store-others")
        return store

    async def close(self) -> None:
        """Finish the writes that are queued, then close every connection. Twice does no harm."""
        if self._others is not None:
            self._others.cancel()
            await asyncio.wait([self._others])
        await asyncio.to_thread(self._writer.close)
        await asyncio.to_thread(self._readers.shutdown)
        self.engines.dispose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def write(self, run: Callable[[Tx], T]) -> T:
        """Run ``run`` in the writer thread and return its answer once it is durable (I4).

        It sees everything that was written before it, and nothing changes under it. What it
        raises comes out here, and nothing of it remains. A caller that is cancelled does not
        undo a write that has begun.

        Raises:
            StoreUnavailable: the database did not take it. Asking again is safe for a function
                that looks for its own earlier work first (an idempotency key).
        """
        member = Member(run, self._loop, self._loop.create_future())
        self._writer.put(member)
        answer: T = await member.future
        return answer

    def waiting(self) -> int:
        """How many writes wait for the writer."""
        return self._writer.waiting()

    async def read(self, run: Callable[[Reader], T]) -> T:
        """Run ``run`` on a snapshot in a reader thread and return its answer.

        Raises:
            StoreUnavailable: the database could not be read.
        """
        return await self._loop.run_in_executor(self._readers, self._read, run)

    def _read(self, run: Callable[[Reader], T]) -> T:
        try:
            # The first statement begins the snapshot; leaving the block rolls it back.
            with self.engines.reader.connect() as connection:
                return run(Reader(connection))
        except SQLAlchemyError as error:
            if not is_outage(error):
                raise
            said = f"the database could not be read: {first_line(error)}"
            raise StoreUnavailable(said) from None

    async def forget(self) -> None:
        """Leave nothing of what was deleted or overwritten in SQLite's write-ahead file.

        On PostgreSQL that is for VACUUM and the cluster's own log to do.

        Raises:
            StoreUnavailable: somebody reads an older state just now; try again.
        """
        await self._loop.run_in_executor(self._readers, self._forget)

    def _forget(self) -> None:
        if self.engines.is_postgresql:
            return
        connection = self.engines.writer.raw_connection()
        try:
            cursor = connection.cursor()
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            busy = cursor.fetchone()
        finally:
            connection.close()
        if busy is None or busy[0]:
            raise StoreUnavailable("the write-ahead file is in use; it is emptied later")

    async def sweep(self) -> None:
        """Remove what no request can be about any more, a page at a time."""
        while await self.write(sweep) == MOST:
            pass

    async def keep_ahead(self) -> int:
        """See that PostgreSQL has ranges for the entries to come; how many were made.

        Raises:
            StoreUnavailable: the database did not do it now.
        """
        try:
            return await self._loop.run_in_executor(self._readers, keep_ahead, self.engines)
        except SQLAlchemyError as error:
            raise StoreUnavailable(f"no range was made ahead: {first_line(error)}") from None

    # --- following --------------------------------------------------------------------------------

    def number(self, topic: str) -> int:
        """How often ``topic`` has changed here: take it before reading, then wait for more."""
        return self._topics.number(topic)

    async def changed(self, topic: str, seen: int, timeout: float = 1.0) -> bool:
        """Wait until ``topic`` has changed since its number was ``seen``; False after ``timeout``.

        ``"ledger"`` changes with every entry; other topics are what write functions give to
        :meth:`Tx.notify`. When another process has written, every topic changes, about a second
        later: True means that it is worth looking.
        """
        return await self._topics.changed(topic, seen, timeout)

    def _committed(self, batch: int, topics: frozenset[str]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody follows any more
            self._loop.call_soon_threadsafe(self._topics.hear_own, batch, topics)

    async def _hear_others(self) -> None:
        """Wake every follower when there are commits that were not made here."""
        while True:
            await asyncio.sleep(LOOK_FOR_OTHERS)
            try:
                self._topics.hear(await self.read(_batches))
            except StoreUnavailable:
                continue  # nothing was heard; the next look may
            except Exception:  # noqa: BLE001 - whoever follows must not go deaf over one look
                _log.exception("what other processes wrote could not be looked for")

    # --- heads ------------------------------------------------------------------------------------

    async def head(self) -> tuple[int, bytes]:
        """The ledger's size and root now."""
        return await self.read(_head)

    async def latest_head(self) -> str | None:
        """The newest signed head, a C2SP checkpoint; ``None`` before the first."""
        newest = await self.read(
            lambda reader: reader.first(SignedHead, order_by=[col(SignedHead.size).desc()])
        )
        return None if newest is None else newest.note

    async def sign_heads(
        self, sign: Callable[[int, bytes], Awaitable[str]], *, pause: float = 0.25
    ) -> None:
        """Sign a head whenever the ledger has grown, until cancelled; heads are kept for ever.

        Each that is kept is larger than all before it.

        ``sign`` makes the note for a size and a root. At most one head per ``pause`` seconds.
        While the database is away it tries again.
        """
        while True:
            seen = self.number("ledger")
            try:
                await self._sign_head(sign)
            except StoreUnavailable:  # the database, or whoever keeps the key
                seen = -1  # look again, after the pause
            await asyncio.sleep(pause)
            await self.changed("ledger", seen)

    async def _sign_head(self, sign: Callable[[int, bytes], Awaitable[str]]) -> None:
        size, root = await self.head()
        newest = await self.read(lambda reader: reader.get(SignedHead, size))
        if size == 0 or newest is not None:
            return
        note = await sign(size, root)

        def keep(tx: Tx) -> None:
            last = tx.first(SignedHead, order_by=[col(SignedHead.size).desc()])
            if last is None or last.size < size:  # another process may have been quicker
                tx.add(SignedHead(size=size, note=note, signed_at=tx.now))
                tx.notify("head")

        await self.write(keep)


def _head(reader: Reader) -> tuple[int, bytes]:
    state = _tree_state(reader)
    return state.size, state.root


def _batches(reader: Reader) -> int:
    return _tree_state(reader).batches


def _tree_state(reader: Reader) -> TreeState:
    state = reader.first(TreeState)
    if state is None:
        raise LookupError("the database has lost its tree_state row")
    return state
