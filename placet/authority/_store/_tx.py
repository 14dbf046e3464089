"""One write: rows and ledger entries that become durable together, or not at all."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import JsonValue
from sqlalchemy import Connection, insert

from placet.authority._store._access import Access, table_of
from placet.authority._store._errors import is_outage
from placet.authority._store._ledger_tables import LedgerEntry
from placet.authority._store._prepared import say
from placet.ledger import Entry, EntryType, Frontier, encode_entry, leaf_hash
from placet.telemetry import metrics

_INSERT_ENTRY = insert(table_of(LedgerEntry))

LEDGER = "ledger"
"""The topic that every new entry changes."""


@dataclass
class Batch:
    """What the members of one database transaction share."""

    connection: Connection
    tree: Frontier
    clock: Callable[[], datetime]
    number: int
    """Which batch of all processes it is: they are counted under the head's row."""

    size_before: int
    topics: set[str] = field(default_factory=set[str])
    told: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]])


class Tx(Access):
    """What a write function is given. Only valid inside it.

    Nothing that it does takes effect before the function's caller has its answer; if the
    function raises, nothing of it remains (I4).
    """

    def __init__(self, batch: Batch) -> None:
        super().__init__(batch.connection)
        self._tree = batch.tree
        self._topics: set[str] = set()
        self._last: dict[str, Callable[[], None]] = {}
        self._told: list[Callable[[], None]] = []
        self.now = batch.clock()
        """The time of this write."""

    def append(
        self,
        type: EntryType | str,  # noqa: A002  # the entry's own member of that name
        actor: str,
        data: Mapping[str, JsonValue],
        *,
        case: str | None = None,
        record: str | None = None,
        time: datetime | None = None,
    ) -> int:
        """Append an entry to the ledger and return its index.

        ``time`` is when it happened, if not now. ``data`` holds ids, digests and policy facts: no
        personal data, no document text, no secret (I7).

        Raises:
            ValueError: a member is not well-formed (pydantic's ``ValidationError`` is one).
            EntryError: the entry has no canonical form, or more than 65,535 bytes.
        """
        entry = Entry(
            time=time or self.now,
            type=EntryType(type),
            actor=actor,
            case=case,
            record=record,
            data=dict(data),
        )
        encoded = encode_entry(entry)
        leaf = leaf_hash(encoded)
        index = self._tree.size
        self.fetch(
            _INSERT_ENTRY,
            {
                "index": index,
                "content": encoded,
                "leaf_hash": leaf,
                "type": entry.type.value,
                "case_id": case,
                "record": record,
                "time": entry.time,
            },
        )
        self._tree = self._tree.append(leaf)
        self._topics.add(LEDGER)
        self.when_durable(metrics.APPENDED.labels(entry.type.value).inc)
        return index

    @contextlib.contextmanager
    def part(self) -> Iterator[None]:
        """A part of the write that leaves nothing behind if it raises; the rest may go on."""
        tree, topics, told = self._tree, set(self._topics), len(self._told)
        say(self.connection, "SAVEPOINT placet_part")
        try:
            yield
        except BaseException as error:
            if is_outage(error):  # the writer gives the whole transaction up
                raise
            self._tree, self._topics = tree, topics
            del self._told[told:]
            say(self.connection, "ROLLBACK TO SAVEPOINT placet_part")
            say(self.connection, "RELEASE SAVEPOINT placet_part")
            raise
        say(self.connection, "RELEASE SAVEPOINT placet_part")

    def notify(self, topic: str) -> None:
        """Wake the followers of ``topic`` once this write is durable."""
        self._topics.add(topic)

    def when_durable(self, tell: Callable[[], None]) -> None:
        """Count something once this write is durable: quick, in the writer's thread, no failure."""
        self._told.append(tell)

    def at_end(self, key: str, run: Callable[[], None]) -> None:
        """Run something when this write's own work is done, before it is durable: once per key.

        Of one key the first is run.
        """
        self._last.setdefault(key, run)

    def finish(self) -> None:
        """Do what was left for the end. The writer's part, not the function's."""
        while self._last:
            self._last.pop(next(iter(self._last)))()

    def hand_over(self, batch: Batch) -> None:
        """Give the batch what this member has done. The writer's part, not the function's."""
        batch.tree = self._tree
        batch.topics |= self._topics
        batch.told += self._told
