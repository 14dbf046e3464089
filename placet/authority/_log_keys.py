"""Another key for the ledger's heads, in three steps, of which a person signs the second.

1. ``placet authority make-log-key`` makes it; nothing is signed with it, and no entry names it.
2. (I6, I8) An administrator's act names it (``log.rekeyed``): from there on heads have two
   signatures, and the first of these heads is the handover: whoever trusts the old key is led to
   the new one by it (:mod:`placet.ledger._log_keys`).
3. When the time that was signed is over, and the handover is there, the authority retires the old
   one (``key.retired``) and deletes it: nobody signs with it any more.
"""

from pydantic import JsonValue
from sqlmodel import col

from placet.authority._erasing import ERASED
from placet.authority._errors import Conflict
from placet.authority._signing import NEXT_HEADS, note_verifier
from placet.authority._store import LogKeyRow, Reader, SignedHead, SigningKey, Store, Tx
from placet.ledger import HEADS, NoteError, NoteVerifier, open_checkpoint
from placet.model import AUTHORITY, RekeyLog


def newest(reader: Reader) -> SigningKey:
    """The key of heads that no other has taken the place of."""
    last = reader.first(LogKeyRow, order_by=[col(LogKeyRow.named).desc()])
    if last is not None:
        found = reader.get(SigningKey, last.kid)
    else:
        found = reader.first(SigningKey, SigningKey.purpose == HEADS)
    assert found is not None
    return found


def name_log_key(tx: Tx, origin: str, body: RekeyLog) -> tuple[SigningKey, SigningKey]:
    """The key of now and the one that is to take its place.

    Raises:
        Conflict: the one to be replaced is another, one is on its way already, or the authority
            has made no such key.
    """
    before = newest(tx)
    if note_verifier(origin, before).vkey != body.replaces:
        raise Conflict("replaces: the log's key is another")
    if _waiting(tx) is not None:
        raise Conflict("the key before this one still signs; wait until it is retired")
    for row in tx.all(SigningKey, SigningKey.purpose == NEXT_HEADS):
        if note_verifier(origin, row).vkey == body.key:
            return before, row
    raise Conflict("key: the authority has made no such key; run: placet authority make-log-key")


async def retire_log_key(store: Store) -> None:
    """Retire the key before, when its time is over and its successor can be reached from it."""
    now = store.clock()
    due = await store.read(_waiting)
    if due is not None and due.overlaps_until <= now:
        await store.write(_retire)


def handover(reader: Reader, row: LogKeyRow) -> str | None:
    """The first head that has the entry which names a key, if it is signed by now.

    It is by the key before, since that one signs until it is retired, and that is later.
    """
    head = reader.first(SignedHead, SignedHead.size > row.named, order_by=[col(SignedHead.size)])
    return None if head is None else head.note


def handovers(reader: Reader) -> dict[str, JsonValue]:
    """The heads by which each key handed over to the next, with the entry that names it."""
    rows = reader.all(LogKeyRow, order_by=[col(LogKeyRow.named)])
    found = [(row.named, handover(reader, row)) for row in rows]
    return {"handovers": [{"entry": named, "head": note} for named, note in found if note]}


def _waiting(reader: Reader) -> LogKeyRow | None:
    """The key whose predecessor signs beside it."""
    return reader.first(LogKeyRow, LogKeyRow.retired.is_(None))  # type: ignore[union-attr]  # a column on the class


def _retire(tx: Tx) -> None:
    row = _waiting(tx)
    if row is None or tx.now < row.overlaps_until or not _handed_over(tx, row):
        return
    told: dict[str, JsonValue] = {"purpose": HEADS, "key": row.replaces}
    tx.change(LogKeyRow, row.named, retired=tx.append("key.retired", AUTHORITY, told))
    tx.remove(SigningKey, row.before)
    tx.notify(ERASED)


def _handed_over(reader: Reader, row: LogKeyRow) -> bool:
    """Whether the key before has signed the handover: without it nobody could follow."""
    note = handover(reader, row)
    if note is None:
        return False
    try:
        open_checkpoint(note, [NoteVerifier.from_vkey(row.replaces)])
    except NoteError:
        return False
    return True
