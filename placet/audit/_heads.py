"""Opening a log's head: under the key that the auditor trusts, or one that it leads to (I8)."""

from placet.audit._files import LogFiles
from placet.audit._report import Collector
from placet.audit._select import head_size
from placet.audit._witnesses import look_for_cosignatures
from placet.ledger import (
    Checkpoint,
    LedgerError,
    NoteVerifier,
    Trail,
    follow,
    log_keys,
)


def open_head(files: LogFiles, collector: Collector) -> tuple[Trail, Checkpoint] | None:
    """The log's head and the keys that it was believed by; what does not hold is told."""
    trail = _trail(files, collector)
    if trail is None:
        return None
    try:
        if not files.head:
            raise LedgerError("the log has signed no head yet; the first comes within a second")
        head = trail.open(files.head)
        if head.origin != files.origin:
            raise LedgerError(f"it is of the log {head.origin}, not of {files.origin}")
    except LedgerError as error:
        collector.trouble("head", "the signed head", str(error))
        return None
    return trail, head


def open_whole(files: LogFiles, collector: Collector) -> tuple[Checkpoint, list[Checkpoint]] | None:
    """A whole log's head, and the heads that must lie on the way to it: kept ones, handovers."""
    opened = open_head(files, collector)
    if opened is None:
        return None
    trail, head = opened
    try:
        kept = [trail.open_kept(each) for each in files.kept_heads]
    except LedgerError as error:
        collector.trouble("head", "the signed head", str(error))
        return None
    look_for_cosignatures(files, head, collector)
    return head, [*kept, *trail.handovers]


def _trail(files: LogFiles, collector: Collector) -> Trail | None:
    """Where the key leads that the auditor brought, or that the log says of itself.

    The entries are not verified yet: they must be, and the handovers must lie on the way, before
    anything holds. One beyond the head names no key that speaks for it.
    """
    try:
        size = _size(files.head)
        named = log_keys(files.origin, files.numbered())
        if files.trusted_log_key is not None:
            trusted = NoteVerifier.from_vkey(files.trusted_log_key)
            return follow(trusted, named, _handovers(files, size))
        if named:
            return follow(named[0].verifier, named, _handovers(files, size))
    except (LedgerError, ValueError, KeyError, TypeError, RecursionError) as error:
        collector.trouble("log-key", "the log's key", str(error))
        return None
    collector.trouble("log-key", "the log's first entries", "no key for heads was published")
    return None


def _size(note: str) -> int:
    try:
        return head_size(note)
    except LedgerError:
        return 0  # it is told when it is opened


def _handovers(files: LogFiles, size: int) -> tuple[str, ...]:
    """Heads that may be handovers, up to the head itself, which may be one."""
    found = [each for each in files.handovers if 0 < _size(each) <= size]
    return (*found, files.head)
