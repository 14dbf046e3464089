"""The keys of a log's heads, one after the other, and how whoever trusts one is led to the next.

The origin names a log; its key may change. An entry (``log.rekeyed``, a person's signed act) names
the next one, and heads that have it carry both signatures for a while (C2SP signed-note takes any
number, and tlog-checkpoint names rotation as a reason). Then another (``key.retired``) ends the
one before.

1. A key speaks for heads that have the entry which names it, and for none that has the entry which
   retires it.
2. Who trusts a key believes the next if the key itself has signed a head that has the entry which
   names that next one: a handover. It must lie in the past of whatever the next one signs.
3. So whoever has a later key alone changes nothing of what an earlier one has signed.
"""

import base64
import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from placet.ledger._entries import Entry, EntryType, decode_entry
from placet.ledger._errors import EntryError, NoteError
from placet.ledger._notes import Checkpoint, NoteVerifier, open_checkpoint
from placet.model import quantity

HEADS = "heads"
"""The purpose of a key of heads, as entries name it."""

_MARKS = tuple(
    each.value.encode()
    for each in (EntryType.KEY_PUBLISHED, EntryType.LOG_REKEYED, EntryType.KEY_RETIRED)
)


@dataclass(frozen=True, slots=True)
class LogKey:
    """A key of heads: the entry that names it (the first one: 0), and the one that retires it."""

    verifier: NoteVerifier
    named: int = 0
    retired: int | None = None

    def speaks_for(self, size: int) -> bool:
        """Whether a head of so many entries may be under this key alone."""
        return self.named < size and (self.retired is None or size <= self.retired)


@dataclass(frozen=True, slots=True)
class Trail:
    """Where a trusted key leads: to ``keys``, over ``handovers``; ``named`` are all of the log's.

    The handovers were signed by keys of the trail. That they lie in the past of the head that is
    opened is for the caller to prove.
    """

    keys: tuple[LogKey, ...]
    named: tuple[LogKey, ...] = ()
    handovers: tuple[Checkpoint, ...] = ()

    def open(self, note: str) -> Checkpoint:
        """Verify a head.

        Raises:
            NoteError: malformed, or under no key of the trail that speaks for it.
        """
        return _open(note, self.keys)

    def open_kept(self, note: str) -> Checkpoint:
        """Verify a head from before: keys that the log names as earlier ones vouch for it, too.

        Raises:
            NoteError: malformed, or under no key that speaks for it.
        """
        return _open(note, (*self.keys, *self.named))


def log_verifier(origin: str, jwk: Mapping[str, str]) -> NoteVerifier:
    """The verifier of a log's heads from its published Ed25519 key."""
    x = jwk["x"]
    return NoteVerifier(origin, base64.urlsafe_b64decode(x + "=" * (-len(x) % 4)))


def log_keys(origin: str, entries: Iterable[tuple[int, bytes]]) -> tuple[LogKey, ...]:
    """The keys that a log's entries name, in order; what does not follow from the last is none.

    Raises:
        NoteError, KeyError, TypeError, ValueError: the first one is malformed.
    """
    found: list[LogKey] = []
    for index, data in entries:
        if any(mark in data for mark in _MARKS):
            with contextlib.suppress(EntryError):  # it is told where the entries are verified
                _take(found, origin, index, decode_entry(data))
    return tuple(found)


def next_key(before: NoteVerifier, entry: Entry) -> NoteVerifier:
    """The key that an entry names in the place of another.

    Raises:
        NoteError: it names none of this log, or not in that one's place.
    """
    if entry.type is not EntryType.LOG_REKEYED or entry.data.get("replaces") != before.vkey:
        raise NoteError(f"the entry names no key in the place of {before.vkey}")
    found = NoteVerifier.from_vkey(str(entry.data.get("key")))
    if found.name != before.name:
        raise NoteError(f"the entry names a key of {found.name}, not of {before.name}")
    return found


def follow(trusted: NoteVerifier, named: Sequence[LogKey], handovers: Iterable[str]) -> Trail:
    """Where a trusted key leads, by signed heads that may be handovers.

    One that the log does not name leads nowhere.
    """
    at = next((n for n, each in enumerate(named) if each.verifier == trusted), None)
    if at is None:
        return Trail((LogKey(trusted),), tuple(named))
    notes = tuple(handovers)
    keys, heads = [named[at]], list[Checkpoint]()
    for before, following in pairwise(named[at:]):
        head = _handover(before, following, notes)
        if head is None:
            break
        keys.append(following)
        heads.append(head)
    return Trail(tuple(keys), tuple(named), tuple(heads))


def _handover(before: LogKey, following: LogKey, notes: Sequence[str]) -> Checkpoint | None:
    for note in notes:
        with contextlib.suppress(NoteError):
            head = open_checkpoint(note, [before.verifier])
            if following.named < head.size and before.speaks_for(head.size):
                return head
    return None


def _take(found: list[LogKey], origin: str, index: int, entry: Entry) -> None:
    data = entry.data
    if not found:
        jwk = data.get("jwk")
        if entry.type is EntryType.KEY_PUBLISHED and data.get("purpose") == HEADS:
            found.append(LogKey(log_verifier(origin, jwk)))  # type: ignore[arg-type]  # it raises
    elif entry.type is EntryType.LOG_REKEYED:
        with contextlib.suppress(NoteError):
            key = next_key(found[-1].verifier, entry)
            if all(each.verifier != key for each in found):
                found.append(LogKey(key, index))
    elif entry.type is EntryType.KEY_RETIRED and data.get("purpose") == HEADS:
        for number, each in enumerate(found[:-1]):  # the newest goes on
            if each.verifier.vkey == data.get("key") and each.retired is None:
                found[number] = replace(each, retired=index)


def _open(note: str, keys: Sequence[LogKey]) -> Checkpoint:
    head = open_checkpoint(note, [each.verifier for each in keys])
    for each in keys:
        if each.speaks_for(head.size):
            with contextlib.suppress(NoteError):
                return open_checkpoint(note, [each.verifier])
    raise NoteError(
        f"no key that signed the head of {quantity(head.size, 'entry', 'entries')} speaks for it: "
        "none was named by then, or it was retired"
    )
