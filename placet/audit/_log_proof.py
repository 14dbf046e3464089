"""Verifying one entry's proof, a C2SP tlog-proof, with nothing but what the examiner brought (I8).

1. The head is signed by the log's key, and is one of the heads that were kept, where these are of
   its size; so say the witnesses who are trusted.
2. The entry that the proof brings is one, and stands in the head's tree at the place that is told.

What the entry says is its own word: who signed the act or the decision that it names, and whether
it was right, a case's bundle or the whole log shows.
"""

from collections.abc import Mapping
from typing import Any

from placet.audit._files import LogFiles
from placet.audit._report import Collector, Report
from placet.audit._witnesses import look_for_cosignatures
from placet.ledger import (
    Checkpoint,
    Entry,
    LedgerError,
    LogProof,
    NoteVerifier,
    decode_entry,
    open_checkpoint,
    split_note,
)
from placet.model import quantity

_HEAD = "the signed head"


def log_proof(files: LogFiles, index: int) -> LogProof:
    """One entry of a bundle with its proof.

    Raises:
        LedgerError: the bundle has no such entry, or does not prove it.
    """
    numbers = [number for number, _ in files.numbered()]
    if index not in numbers:
        raise LedgerError(
            f"the bundle has no entry {index}: it has {len(numbers)}, from {numbers[0]} to "
            f"{numbers[-1]}; placet audit timeline says which is which"
            if numbers
            else "the bundle has no entry"
        )
    at = numbers.index(index)
    proof = LogProof(index, files.proofs[at], files.head, files.entries[at])
    proof.require(files.entries[at])
    return proof


def verify_log_proof(text: str, trust: Mapping[str, Any] | None) -> tuple[Report, Entry | None]:
    """Verify a proof: what held and what did not, and the entry that it is of if it does hold."""
    collector = Collector()
    try:
        proof = LogProof.parse(text)
        head = proof.head()
    except LedgerError as error:
        collector.trouble("proof", "the proof", str(error))
        return collector.report(), None
    files = LogFiles(head.origin, "", (), proof.note).trusting(trust or {})
    signed = _signed(files, collector)
    kept = _kept(files, head, collector)
    look_for_cosignatures(files, head, collector)
    entry = _entry(proof, collector)
    if not (signed or kept):
        collector.unchecked(
            "signature",
            "a proof does not say the log's key: bring that with --trust as log_key, or a head of "
            "this size that you kept as one of its heads",
        )
    report = collector.report(trusted=signed or kept)
    return report, entry if report.holds else None


def _signed(files: LogFiles, collector: Collector) -> bool:
    """Whether the head is signed by the key that the examiner got elsewhere."""
    if files.trusted_log_key is None:
        return False
    try:
        open_checkpoint(files.head, [NoteVerifier.from_vkey(files.trusted_log_key)])
    except LedgerError as error:
        found = f"{error}; if the log has another key since, it is that which is needed"
        collector.trouble("head", _HEAD, found)
        return False
    collector.count("signed heads")
    return True


def _kept(files: LogFiles, head: Checkpoint, collector: Collector) -> bool:
    """Whether a head that the examiner kept is this one."""
    agreed = False
    for note in files.kept_heads:
        try:
            kept = Checkpoint.parse(split_note(note)[0])
        except LedgerError as error:
            collector.trouble("head", "a head kept from before", str(error))
            continue
        if (kept.origin, kept.size) != (head.origin, head.size):
            collector.count("kept heads of another log or size, which prove nothing here")
        elif kept.root != head.root:
            size = quantity(head.size, "entry", "entries")
            collector.trouble("fork", f"the head of {size}", "another root was kept")
        else:
            agreed = True
            collector.count("kept heads")
    return agreed


def _entry(proof: LogProof, collector: Collector) -> Entry | None:
    place = f"entry {proof.index}"
    if proof.extra is None:
        collector.unchecked("entry", "the proof does not bring it (extra): of what, it can't say")
        return None
    try:
        proof.require(proof.extra)
        entry = decode_entry(proof.extra)
    except LedgerError as error:
        collector.trouble("proof", place, str(error))
        return None
    collector.count("entries")
    return entry
