"""One write: rows and ledger entries that become durable together, or not at all."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import JsonValue
from sqlalchemy import Connection, insert

from placet.authority._store._access import Access, table_of
from placet.authority._store._log import Tree, make_entry
from placet.authority._store._tables import LedgerEntry

_INSERT_ENTRY = insert(table_of(LedgerEntry))

LEDGER = "ledger"
"""The topic that every new entry changes."""


@dataclass
class Batch:
    """What the members of one database transaction share."""

    connection: Connection
    tree: Tree
    clock: Callable[[], datetime]
    size_before: int
    topics: set[str] = field(default_factory=set[str])


class Tx(Access):
    """What a write function is given. Only valid inside it.

    Nothing that it does takes effect before the function's caller has its answer; if the
    function raises, nothing of it remains (I4).
    """

    def __init__(self, batch: Batch) -> None:
        super().__init__(batch.connection)
        self._tree = batch.tree
        self._topics: set[str] = set()
        self.now = batch.clock()
        """The time of this write."""

    def append(
        self,
        type: str,
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
            ValueError: the entry is not well-formed, or larger than 65,535 bytes.
        """
        moment = time or self.now
        encoded = make_entry(moment, type, actor, data, case=case, record=record)
        tree, leaf = self._tree.append(encoded)
        index = self._tree.size
        self.connection.execute(
            _INSERT_ENTRY,
            {
                "index": index,
                "content": encoded,
                "leaf_hash": leaf,
                "type": type,
                "case_id": case,
                "record": record,
                "time": moment,
            },
        )
        self._tree = tree
        self._topics.add(LEDGER)
        return index

    def notify(self, topic: str) -> None:
        """Wake the followers of ``topic`` once this write is durable."""
        self._topics.add(topic)

    def hand_over(self, batch: Batch) -> None:
        """Give the batch what this member has done. The writer's part, not the function's."""
        batch.tree = self._tree
        batch.topics |= self._topics
