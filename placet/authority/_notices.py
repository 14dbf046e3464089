"""Notices: people are told that something waits, nears its deadline, or is decided.

1. A notice is written with the state it tells of, in one transaction (I4), once for its key.
2. (I11) Nobody is told twice for one thing, whatever is killed.
3. (I7) It says what kind of thing waits and where: ids, no evidence. Who and which record is added
   only if the lender says so.
"""

import json
import logging
from collections.abc import Mapping

from pydantic import JsonValue

from placet.authority._core import Core
from placet.authority._store import OutboxRow, Reader, Tx
from placet.model import canonical_json

NOTICE = "notice"
"""The outbox's kind of a notice that was not handed to its channels yet."""

NOTICES = "notices"
"""The topic that wakes whoever hands them over."""

_log = logging.getLogger("placet.authority.notices")


def put_notice(
    tx: Tx,
    kind: str,
    key: str,
    *,
    case: str | None = None,
    checkpoint: str | None = None,
    record: str | None = None,
    to: tuple[str, ...] = (),
    data: Mapping[str, JsonValue] | None = None,
) -> None:
    """Tell people of something, once for this kind and key.

    Args:
        tx: the transaction of the state that it tells of.
        kind: what happened: ``checkpoint.waiting``, ``checkpoint.reminder``, ``act.proposed``, …
        key: what it is about; the same kind and key again is no second notice.
        case: the case that it is about.
        checkpoint: the checkpoint's id.
        record: the record; leaves the house only if the lender says so.
        to: whom it concerns: ``role:<role>`` or principals.
        data: more of it; leaves the house only if the lender says so.
    """
    name = f"notice/{kind}/{key}"
    if tx.first(OutboxRow, OutboxRow.key == name) is not None:
        return
    told: dict[str, JsonValue] = {
        "kind": kind,
        "case": case,
        "checkpoint": checkpoint,
        "record": record,
        "to": list(to),
        "data": dict(data or {}),
    }
    tx.add(
        OutboxRow(
            kind=NOTICE,
            key=name,
            payload_json=canonical_json(told).decode(),
            created_at=tx.now,
            next_try_at=tx.now,
        )
    )
    tx.notify(NOTICES)


class Notices:
    """Hands notices to the channels."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def deliver(self) -> None:
        """Tell the log of everything that waits."""

        def take(tx: Tx) -> list[OutboxRow]:
            waiting = _waiting(tx, 100)
            for row in waiting:
                tx.change(OutboxRow, row.id, done_at=tx.now)
            return waiting

        if await self._core.store.read(_any_waits):
            for row in await self._core.store.write(take):
                told = json.loads(row.payload_json)
                _log.info("%s %s", told["kind"], told["checkpoint"] or told["case"] or "")


def _any_waits(reader: Reader) -> bool:
    return bool(_waiting(reader, 1))


def _waiting(reader: Reader, limit: int) -> list[OutboxRow]:
    return reader.all(
        OutboxRow,
        OutboxRow.kind == NOTICE,
        OutboxRow.done_at.is_(None),  # type: ignore[union-attr]  # a column on the class
        order_by=[OutboxRow.id],
        limit=limit,
    )
