"""Which key a log's heads are under now, for a witness that knows one of before (I8).

The log says it (``handovers``); each step is proven from its files: a head that the known key has
signed, in which the entry stands that names the next.
"""

import json
from collections.abc import Callable

from placet.cli._output import fail
from placet.ledger import (
    TILE_WIDTH,
    Bundle,
    Checkpoint,
    LogError,
    NoteError,
    NoteVerifier,
    Subtrees,
    Tile,
    bundle_of,
    decode_entry,
    inclusion_path,
    leaf_hash,
    next_key,
    open_checkpoint,
    require_extension,
    split_note,
    tile_subtrees,
    verify_inclusion,
)

Read = Callable[[str], bytes]
"""Gives what stands at a path under the log's prefix; ``FileNotFoundError`` if nothing does."""


def open_log_head(read: Read, note: str, known: NoteVerifier) -> tuple[Checkpoint, NoteVerifier]:
    """A log's head, and the key of the log that signed it: the known one, or where it leads.

    Raises:
        LedgerError: it is under no such key, or what the log says of its keys does not hold.
        CommandFailed: the log lacks a file.
    """
    try:
        return open_checkpoint(note, [known]), known
    except NoteError:
        told = _told(read)
        if not told:
            raise
    head = Checkpoint.parse(split_note(note)[0])  # believed once its key is
    subtrees = tile_subtrees(tiles(read), head.size)
    key = known
    for index, handover in told:
        try:
            before = open_checkpoint(handover, [key])
        except NoteError:
            continue  # from before the known key, or none of ours
        if before.size > head.size:
            break  # the log has grown since the head was read
        require_extension(before, head, lambda: subtrees)
        key = _named(read, index, before, head, subtrees, key)
    return open_checkpoint(note, [key]), key


def tiles(read: Read) -> Callable[[Tile], bytes]:
    """Gives a tile's bytes, from a wider one where the log has dropped that."""

    def tile(wanted: Tile) -> bytes:
        try:
            return read(wanted.path)
        except FileNotFoundError:
            # The log may have dropped a partial tile since it has the full one.
            full = Tile(wanted.level, wanted.index)
        try:
            return b"".join(full.decode(read(full.path))[: wanted.width])
        except FileNotFoundError:
            raise fail(f"the log has no {wanted.path}, which its head needs") from None

    return tile


def _told(read: Read) -> list[tuple[int, str]]:
    """What the log says of its handovers: the entry that names a key, and the head."""
    try:
        said = json.loads(read("handovers"))["handovers"]
        return [(int(each["entry"]), str(each["head"])) for each in said]
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        raise LogError("what the log says of its keys can't be read") from None


def _named(
    read: Read,
    index: int,
    before: Checkpoint,
    head: Checkpoint,
    subtrees: Subtrees,
    key: NoteVerifier,
) -> NoteVerifier:
    """The key that an entry names in another's place; the same one if it names none."""
    if not 0 <= index < before.size:
        raise LogError(
            f"entry {index}, which is to name a key, is not in the head of {before.size}"
        )
    data = _entry(read, index, head.size)
    proof = inclusion_path(subtrees, index, head.size)
    verify_inclusion(leaf_hash(data), index, head.size, proof, head.root)
    try:
        return next_key(key, decode_entry(data))
    except NoteError:
        return key  # it led to the known key, not from it


def _entry(read: Read, index: int, size: int) -> bytes:
    wanted = bundle_of(index // TILE_WIDTH, size)
    try:
        return wanted.decode(read(wanted.path))[index % TILE_WIDTH]
    except FileNotFoundError:
        full = Bundle(wanted.index)
    try:
        return full.decode(read(full.path))[index % TILE_WIDTH]
    except FileNotFoundError:
        raise fail(f"the log has no {wanted.path}, which its keys need") from None
