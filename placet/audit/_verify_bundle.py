"""Verifying a bundle: what :mod:`placet.audit._verify` asks of a log, of one case's entries alone.

1. (I8) The head is signed; each entry stands in its tree, at its place. What the examiner kept or
   got elsewhere agrees with it, and so does each head by which a key of heads handed over.
2. The entries are those of one case, and what their proof needs; the rest of the bundle is what
   they refer to, and its report tells no other story.
3. Everything else as in a whole log (I3 to I6, I13).

That no entry of the case was left out, no bundle can show: only the whole log does.
"""

import dataclasses

from placet.audit._bundle import FORGED, REPORT, Bundle, plainly
from placet.audit._files import LogFiles
from placet.audit._heads import open_head
from placet.audit._html import REPORT_VERSION
from placet.audit._report import Collector, Report
from placet.audit._scene import Scene
from placet.audit._select import select
from placet.audit._verify import Walk
from placet.audit._witnesses import look_for_cosignatures
from placet.audit._write_bundle import first_difference
from placet.ledger import (
    Checkpoint,
    LedgerError,
    Trail,
    decode_entry,
    leaf_hash,
    split_note,
    verify_consistency,
    verify_inclusion,
)
from placet.model import quantity


def verify_bundle(bundle: Bundle) -> Report:
    """Verify a bundle, with nothing but what is in it and what the examiner brought."""
    collector = Collector()
    files = bundle.files
    opened = open_head(files, collector)
    if opened is None:
        return collector.report()
    trail, head = opened
    if head.size != bundle.manifest.size:
        told = f"it is of {quantity(head.size, 'entry', 'entries')} of the log {head.origin}"
        collector.trouble("head", "the signed head", told)
        return collector.report()
    kept = _kept_heads(bundle, head, trail, collector)
    look_for_cosignatures(files, head, collector)
    _handovers(files, head, collector)
    _members(bundle, collector)
    _entries(bundle, head, collector)
    return collector.report(trusted=files.trusted_log_key is not None or kept)


def _kept_heads(bundle: Bundle, head: Checkpoint, trail: Trail, collector: Collector) -> bool:
    """Whether a head that the examiner kept is this one."""
    agreed = False
    for note in bundle.files.kept_heads:
        try:
            kept = trail.open_kept(note)
        except LedgerError as error:
            collector.trouble("head", "a head kept from before", str(error))
            continue
        if kept.origin != head.origin:
            collector.trouble("head", "a head kept from before", f"it is of {kept.origin}")
        elif kept.size != head.size:
            _kept_before(bundle.files, kept, head, collector)
        elif kept.root != head.root:
            collector.trouble(
                "fork",
                f"the head of {quantity(head.size, 'entry', 'entries')}",
                "another root was kept",
            )
        else:
            agreed = True
            collector.count("kept heads")
    return agreed


def _kept_before(files: LogFiles, kept: Checkpoint, head: Checkpoint, collector: Collector) -> None:
    """A head of another size: it is held against this one where somebody signed with its size."""
    proof = (files.past or {}).get(kept.size)
    if proof is None:
        collector.count("kept heads of another size, which prove nothing here")
        return
    collector.count("kept heads of another size")
    try:
        verify_consistency(kept.size, head.size, proof, kept.root, head.root)
    except LedgerError as error:
        size = quantity(kept.size, "entry", "entries")
        collector.trouble("fork", f"the head of {size} that was kept", str(error))


def _handovers(files: LogFiles, head: Checkpoint, collector: Collector) -> None:
    """Each head by which a key handed over to the next lies in the past of this one."""
    for note, proof in zip(files.handovers, files.handover_proofs, strict=True):
        collector.count("handovers")
        try:
            before = Checkpoint.parse(split_note(note)[0])
            verify_consistency(before.size, head.size, proof, before.root, head.root)
        except LedgerError as error:
            collector.trouble("handover", "a head by which a key handed over", str(error))


def _members(bundle: Bundle, collector: Collector) -> None:
    try:
        other = first_difference(bundle)
    except FORGED as error:
        collector.trouble("bundle", "the bundle", f"it can't be written again: {plainly(error)}")
        return
    except Exception as error:  # noqa: BLE001 - it is told, and nothing holds then
        collector.fault("the bundle", error)
        return
    for _ in bundle.members:
        collector.count("members")
    if bundle.manifest.report != REPORT_VERSION:
        collector.unchecked(
            REPORT,
            f"it is of version {bundle.manifest.report}, and this program writes version "
            f"{REPORT_VERSION}: what stands in it was compared with nothing, and may be anything; "
            "verify with that version, or say --without-report and believe nothing of it",
        )
    if other == REPORT:
        collector.trouble("report", REPORT, "it tells another story than the bundle's entries")
    elif other is not None:
        collector.trouble("bundle", other, "it is not what the bundle's entries make of it")


def _entries(bundle: Bundle, head: Checkpoint, collector: Collector) -> None:
    files = bundle.files
    numbers = [index for index, _ in files.numbered()]
    if numbers != sorted(set(numbers)):
        collector.trouble("bundle", "proofs.json", "the entries are not in the log's order")
    walk = Walk(Scene(dataclasses.replace(files, kept_heads=()), collector))
    for (index, data), proof in zip(files.numbered(), files.proofs, strict=True):
        try:
            verify_inclusion(leaf_hash(data), index, head.size, proof, head.root)
            entry = decode_entry(data)
        except LedgerError as error:
            collector.trouble("log", f"entry {index}", str(error))
            continue
        if entry.case not in {None, bundle.case}:
            collector.trouble("foreign-entry", f"entry {index}", f"it is of case {entry.case}")
        walk.entry(index, entry)
    walk.end()
    try:
        needed = select(files.entries, bundle.case)
    except LedgerError as error:
        collector.trouble("log", "the entries", str(error))
        return
    if not needed:
        collector.trouble("case", bundle.case, "no entry is of this case")
    for at in sorted(set(range(len(numbers))) - set(needed)):
        collector.trouble("foreign-entry", f"entry {numbers[at]}", "the case's proof needs it not")
