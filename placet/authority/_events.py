"""Server-sent events: that something changed, for whoever has the console open.

1. An event is a ledger entry's kind and the ids of its case and checkpoint: no content, no person.
   What changed is read through the API, under the reader's own session.
2. Its id is the ledger's size after the entry, so ``Last-Event-ID`` goes on where a connection
   broke, at whichever authority process answers: every process follows the one ledger.
3. (I10) A stream ends with the session that opened it, and within seconds once its person or key
   is no longer active.
"""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Iterable
from datetime import timedelta

from placet.authority._core import Core
from placet.authority._errors import Forbidden, Unauthenticated, Unavailable
from placet.authority._identities import require_active
from placet.authority._seats import Asker
from placet.authority._store import LedgerEntry, Reader, StoreUnavailable
from placet.ledger import EntryType
from placet.model import Event
from placet.tokens import SessionClaims

MAX_STREAMS = 1000
"""Streams that one process keeps open; each costs a connection and some kilobytes."""

HEARTBEAT = timedelta(seconds=10)
"""How long a stream is silent at most: proxies close what says nothing for half a minute or so."""

STANDING = timedelta(seconds=2)
"""How often a stream looks whether its person is still active."""

_TURN = 1.0
_COALESCE = 0.1
"""Seconds between two looks at the ledger: a busy second makes ten pages, not a thousand."""

_PAGE = 256
_KEPT = 4096
_LEDGER = "ledger"
_RETRY = 1000

_WORK = {
    "case",
    "checkpoint",
    "decision",
    "delegation",
    "glass",
    "hold",
    "matrix",
    "process",
    "review",
}
_RULE = {"agent", "operator", "system", "key", "policy", "governance", "act"}
_OVERSEERS = {"administrator", "auditor"}


def _kinds(families: set[str]) -> frozenset[str]:
    return frozenset(each.value for each in EntryType if each.value.partition(".")[0] in families)


SHOWN = _kinds(_WORK | _RULE)
EVERYONE = _kinds(_WORK)


def kinds_for(roles: Iterable[str]) -> frozenset[str]:
    """The kinds of events that someone is told: who oversees the rules hears of them, too."""
    return SHOWN if _OVERSEERS & set(roles) else EVERYONE


class Events:
    """Follows the ledger once for all streams of this process."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._kept: deque[Event] = deque(maxlen=_KEPT)
        self._from: int | None = None
        self._size = 0
        self._seen = -1
        self._looking = asyncio.Lock()
        self._streams = 0
        self._stopping = False

    def stop(self) -> None:
        """End every stream: the process is about to stop."""
        self._stopping = True

    def require_room(self) -> None:
        """Go on if one more stream can be kept open.

        Raises:
            Unavailable: there are too many.
        """
        if self._stopping or self._streams >= MAX_STREAMS:
            raise Unavailable("too many event streams are open here; ask again")

    async def stream(
        self, session: SessionClaims, asker: Asker, after: int | None
    ) -> AsyncIterator[bytes]:
        """What happened after ``after`` (from now on, if ``None``), until the session ends."""
        self._streams += 1
        try:
            async for piece in self._stream(session, asker, after):
                yield piece
        except StoreUnavailable:
            return  # whoever listens comes back
        finally:
            self._streams -= 1

    async def _stream(
        self, session: SessionClaims, asker: Asker, after: int | None
    ) -> AsyncIterator[bytes]:
        kinds = kinds_for(asker.roles)
        await self._look()
        cursor = self._size if after is None else min(after, self._size)
        yield f"retry: {_RETRY}\nid: {cursor}\n\n".encode()
        spoken = looked = self._core.clock()
        while not self._stopping and (now := self._core.clock()).timestamp() < session.exp:
            if now - looked >= STANDING:
                if not await self._stands(session):
                    return
                looked = now
            seen = self._core.store.number(_LEDGER)
            await self._look()
            events, cursor = await self._after(cursor)
            told = [each for each in events if each.kind in kinds]
            if told or now - spoken >= HEARTBEAT:
                spoken = now
                yield b"".join(_spell(each) for each in told) or f"id: {cursor}\n\n".encode()
            if cursor == self._size:
                await self._core.store.changed(_LEDGER, seen, _TURN)
                await asyncio.sleep(_COALESCE)

    async def _stands(self, session: SessionClaims) -> bool:
        now = self._core.clock()

        def look(reader: Reader) -> bool:
            try:
                require_active(reader, session.sub, session.cnf.jkt, now)
            except (Unauthenticated, Forbidden):
                return False
            return True

        return await self._core.store.read(look)

    async def _look(self) -> None:
        """Read what the ledger has got since the last look; one look serves every stream."""
        async with self._looking:
            number = self._core.store.number(_LEDGER)
            if number == self._seen:
                return
            size, _ = await self._core.store.head()
            if self._from is None:
                self._from = self._size = size
            while self._size < size:
                first = self._size
                events, self._size = await self._read(first, size)
                for each in events:
                    if len(self._kept) == _KEPT:
                        self._from = self._kept[0].id
                    self._kept.append(each)
            self._seen = number

    async def _after(self, cursor: int) -> tuple[list[Event], int]:
        """A page of what came after ``cursor``, and how far it goes."""
        if self._from is not None and cursor >= self._from:
            return [each for each in self._kept if each.id > cursor], self._size
        return await self._read(cursor, self._size)

    async def _read(self, start: int, size: int) -> tuple[list[Event], int]:
        rows = await self._core.store.read(
            lambda reader: reader.all(
                LedgerEntry,
                LedgerEntry.index >= start,
                LedgerEntry.index < size,
                LedgerEntry.type.in_(SHOWN),  # type: ignore[attr-defined]  # a column on the class
                order_by=[LedgerEntry.index],
                limit=_PAGE,
            )
        )
        return [_event(row) for row in rows], rows[-1].index + 1 if len(rows) == _PAGE else size


def _event(row: LedgerEntry) -> Event:
    checkpoint = json.loads(row.content)["data"].get("checkpoint")
    return Event(id=row.index + 1, kind=row.type, case=row.case_id, checkpoint=checkpoint)


def _spell(event: Event) -> bytes:
    data = event.model_dump_json(exclude_none=True)
    return f"id: {event.id}\nevent: {event.kind}\ndata: {data}\n\n".encode()
