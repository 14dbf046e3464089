"""Notices: people are told that something waits, nears its deadline, or is decided.

1. A notice is written with the state it tells of, in one transaction (I4), once for its key.
2. (I11) Nobody is told twice for one thing, whatever is killed: a delivery is claimed before it is
   sent. One that may have been sent when its process died goes again only where the receiver knows
   it by its id; elsewhere it becomes a dead letter, which a person sends again or not.
3. (I7) It says what kind of thing waits and where: ids, no evidence. Who and which record is added
   only if the lender says so.
"""

import hashlib
import json
import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from pydantic import JsonValue

from placet.authority._channels import Channel, Notice, NotSent
from placet.authority._core import Core
from placet.authority._store import DeliveryRow, OutboxRow, Reader, Tx
from placet.kill import kill_point
from placet.model import DeliveryStatus, DeliveryView, canonical_json

NOTICE = "notice"
"""The outbox's kind of a notice that was not handed to its channels yet."""

NOTICES = "notices"
"""The topic that wakes whoever hands them over, one channel beside the other."""

MAX_TRIES = 10
"""About a quarter of an hour; after that a person looks."""

PAGE = 100
WAITING, SENDING, DONE, DEAD = (each.value for each in DeliveryStatus)
_OPEN = (WAITING, SENDING)
_LEASE = timedelta(seconds=60)
_LONGEST_WAIT = timedelta(minutes=5)
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
    if is_told(tx, kind, key):
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
            key=_name(kind, key),
            payload_json=canonical_json(told).decode(),
            created_at=tx.now,
            next_try_at=tx.now,
        )
    )
    tx.notify(NOTICES)


def is_told(reader: Reader, kind: str, key: str) -> bool:
    """Whether people were told of this kind and key already, or will be."""
    return reader.first(OutboxRow, OutboxRow.key == _name(kind, key)) is not None


def _name(kind: str, key: str) -> str:
    return f"notice/{kind}/{key}"


class Notices:
    """Hands notices to the channels, each once."""

    def __init__(self, core: Core, channels: Sequence[Channel]) -> None:
        self._core = core
        self._channels = {each.name: each for each in channels}

    @property
    def channels(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(self._channels)

    async def take(self) -> None:
        """Make deliveries of what was told since; a channel that is gone gets dead letters."""
        if await self._core.store.read(lambda reader: bool(_waiting(reader, 1))):
            for told in await self._core.store.write(self._take):
                _log.info("%s %s", told["kind"], told["checkpoint"] or told["case"] or "")
        for row in await self._core.store.read(lambda reader: _homeless(reader, self.channels)):
            await self._send(row)

    async def deliver(self, channel: str) -> None:
        """Send what is due at one channel: a receiver that is slow holds up nobody else's."""
        now = self._core.clock()
        for row in await self._core.store.read(lambda reader: _due(reader, channel, now)):
            await self._send(row)

    def _take(self, tx: Tx) -> list[dict[str, JsonValue]]:
        """Make a delivery for each channel; the outbox's row is done with that."""
        taken: list[dict[str, JsonValue]] = []
        for row in _waiting(tx, 100):
            told: dict[str, JsonValue] = json.loads(row.payload_json)
            for channel in self._channels:
                tx.add(
                    DeliveryRow(
                        notice=f"msg_{hashlib.sha256((row.key or '').encode()).hexdigest()[:32]}",
                        channel=channel,
                        kind=str(told["kind"]),
                        said_json=canonical_json(self._said(told)).decode(),
                        status=WAITING,
                        told_at=row.created_at,
                        next_try_at=tx.now,
                    )
                )
            tx.change(OutboxRow, row.id, done_at=tx.now)
            taken.append(told)
        tx.notify(NOTICES)  # for each channel to look
        return taken

    def _said(self, told: dict[str, JsonValue]) -> dict[str, JsonValue]:
        """What leaves the house: no person and no record, unless the lender says so."""
        if self._core.settings.notice_details:
            return {name: value for name, value in told.items() if name != "kind"}
        to = told["to"]
        roles = [each for each in to if str(each).startswith("role:")] if type(to) is list else []
        return {"case": told["case"], "checkpoint": told["checkpoint"], "to": roles}

    async def _send(self, row: DeliveryRow) -> None:
        channel = self._channels.get(row.channel)
        if not await self._core.store.write(lambda tx: _claim(tx, row, channel)):
            return
        assert channel is not None
        said = json.loads(row.said_json)
        notice = Notice(row.notice, row.kind, row.told_at, self._core.clock(), said)
        trouble: str | None = None
        kill_point("notice.before-send")
        try:
            await channel.send(notice)
        except NotSent as error:
            trouble = str(error)
            _log.warning("%s for %s: %s", row.kind, row.channel, trouble)
        kill_point("notice.after-send")
        await self._core.store.write(lambda tx: _keep(tx, row, trouble))


def _claim(tx: Tx, row: DeliveryRow, channel: Channel | None) -> bool:
    """Whether this process sends it now. One that was being sent when its process died is unknown.

    A channel that takes a notice once gets it again; at another, a person must say so.
    """
    current = tx.get(DeliveryRow, row.id)
    if current is None or current.attempts != row.attempts or current.status not in _OPEN:
        return False
    if channel is None:
        tx.change(DeliveryRow, row.id, status=DEAD, trouble="its channel is gone")
        return False
    if current.status == SENDING and not channel.takes_once:
        tx.change(DeliveryRow, row.id, status=DEAD, trouble="it may have been sent; ask there")
        return False
    tx.change(
        DeliveryRow,
        row.id,
        status=SENDING,
        attempts=row.attempts + 1,
        next_try_at=tx.now + _LEASE,
    )
    return True


def _keep(tx: Tx, row: DeliveryRow, trouble: str | None) -> None:
    if trouble is None:
        tx.change(DeliveryRow, row.id, status=DONE, done_at=tx.now, trouble=None)
        return
    tries = row.attempts + 1
    current = tx.get(DeliveryRow, row.id)
    if current is None or (current.status, current.attempts) != (SENDING, tries):
        return  # it took longer than its lease: whoever claimed it since says what came of it
    wait = min(timedelta(seconds=2**tries), _LONGEST_WAIT)
    tx.change(
        DeliveryRow,
        row.id,
        status=DEAD if tries >= MAX_TRIES else WAITING,
        next_try_at=tx.now + wait,
        trouble=trouble,
    )


def send_again(tx: Tx, delivery: int) -> bool:
    """Whether there is such a dead letter; it is sent again."""
    row = tx.get(DeliveryRow, delivery)
    if row is None or row.status != DEAD:
        return False
    tx.change(DeliveryRow, delivery, status=WAITING, attempts=0, next_try_at=tx.now)
    tx.notify(NOTICES)
    return True


async def list_deliveries(core: Core, status: str | None, after: int) -> list[DeliveryView]:
    """A page of deliveries by number."""
    where = [DeliveryRow.id > after] + ([DeliveryRow.status == status] if status else [])
    rows = await core.store.read(
        lambda reader: reader.all(DeliveryRow, *where, order_by=[DeliveryRow.id], limit=PAGE)
    )
    return [
        DeliveryView(
            id=row.id,
            notice=row.notice,
            kind=row.kind,
            channel=row.channel,
            status=DeliveryStatus(row.status),
            attempts=row.attempts,
            trouble=row.trouble,
            told_at=row.told_at,
        )
        for row in rows
    ]


def _due(reader: Reader, channel: str, now: datetime) -> list[DeliveryRow]:
    return reader.all(
        DeliveryRow,
        DeliveryRow.channel == channel,
        DeliveryRow.status.in_(_OPEN),  # type: ignore[attr-defined]  # a column on the class
        DeliveryRow.next_try_at <= now,
        order_by=[DeliveryRow.id],
        limit=PAGE,
    )


def _homeless(reader: Reader, channels: Collection[str]) -> list[DeliveryRow]:
    """What was to go to channels that the settings no longer name."""
    return reader.all(
        DeliveryRow,
        DeliveryRow.channel.not_in(channels),  # type: ignore[attr-defined]  # a column on the class
        DeliveryRow.status.in_(_OPEN),  # type: ignore[attr-defined]  # a column on the class
        order_by=[DeliveryRow.id],
        limit=PAGE,
    )


def _waiting(reader: Reader, limit: int) -> list[OutboxRow]:
    return reader.all(
        OutboxRow,
        OutboxRow.kind == NOTICE,
        OutboxRow.done_at.is_(None),  # type: ignore[union-attr]  # a column on the class
        order_by=[OutboxRow.id],
        limit=limit,
    )
