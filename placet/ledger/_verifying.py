"""Verifying a whole log from its entries: one pass, flat memory, the first wrong place by name."""

from collections.abc import Iterable, Iterator, Sequence

from placet.ledger._entries import Entry, decode_entry
from placet.ledger._errors import EntryError, LogError, ProofError
from placet.ledger._merkle import EMPTY_ROOT, Frontier, leaf_hash, verify_consistency
from placet.ledger._notes import Checkpoint
from placet.model import quantity


def require_one_past(older: Checkpoint, newer: Checkpoint, proof: Sequence[bytes]) -> None:
    """Require that two heads are of one log, and that it only grew from one to the other.

    Raises:
        ProofError: it does not follow from the proof.
    """
    if older.origin != newer.origin:
        raise ProofError(f"they are two logs': {older.origin}, and {newer.origin}")
    verify_consistency(older.size, newer.size, proof, older.root, newer.root)


def verify_log(
    entries: Iterable[bytes], head: Checkpoint, kept: Iterable[Checkpoint] = ()
) -> Iterator[tuple[int, Entry]]:
    """Give each entry with its index, and hold them against a head and heads kept from before.

    The caller must exhaust it: the last step compares the roots.

    Args:
        entries: canonical bytes, from the log's first entry on.
        head: the head that was verified; entries beyond its size are not read.
        kept: heads that someone kept; each must lie on the way.

    Raises:
        LogError: an entry is not one or is missing, or a root differs; the message names where.
    """
    waiting = sorted(kept, key=lambda each: each.size)
    for each in waiting:
        if each.origin != head.origin or each.size > head.size:
            size = quantity(each.size, "entry", "entries")
            raise LogError(f"the kept head of {size} is beyond this log's head")
    frontier, before = Frontier(), 0
    source = iter(entries)
    while True:
        while waiting and waiting[0].size == frontier.size:
            _compare(frontier, waiting.pop(0), f"a head kept from before, after entry {before}")
        if frontier.size == head.size:
            break
        data = next(source, None)
        if data is None:
            raise LogError(f"entry {frontier.size} is missing; the head has {head.size}")
        before = frontier.size
        try:
            entry = decode_entry(data)
        except EntryError as error:
            raise LogError(f"entry {before}: {error}") from None
        frontier = frontier.append(leaf_hash(data))
        yield before, entry
    _compare(frontier, head, "the head")


def _compare(frontier: Frontier, head: Checkpoint, what: str) -> None:
    root = frontier.root() if frontier.size else EMPTY_ROOT
    if root != head.root:
        raise LogError(f"the first {head.size} entries do not give the root of {what}")
