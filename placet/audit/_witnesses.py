"""Witnesses whom the auditor trusts, and what they say: that a head extends all before it (I8).

1. Each cosignature under a key that the auditor brought is verified, on the head and on each head
   that was kept; one that does not hold is told. A line under another key is nobody's word.
2. If no witness of these cosigned the newest head, that is told as unchecked.
"""

from placet.audit._files import LogFiles
from placet.audit._report import Collector
from placet.ledger import Checkpoint, LedgerError, WitnessVerifier, cosignatures, split_note
from placet.model import quantity

WITNESSES = "witnesses"
"""The name of what no witness has seen."""


def look_for_cosignatures(files: LogFiles, head: Checkpoint, collector: Collector) -> None:
    """Tell which cosignatures do not hold, and whether the newest head has none that does.

    Whose log it is, they do not say: a witness follows many. That a kept head agrees with this one
    is for the caller to prove.
    """
    seen = _cosigned(files, collector)
    if not files.trusted_witnesses or head in seen:
        return
    newest = max((each.size for each in seen if each.origin == head.origin), default=None)
    found = f"no witness that you trust has cosigned the head of {_entries(head.size)}"
    if newest is not None:
        found += f"; the newest that one of them has, of what is here, is of {_entries(newest)}"
    collector.unchecked(WITNESSES, f"{found}: nobody but the log's owner says that it is no fork")


def _cosigned(files: LogFiles, collector: Collector) -> list[Checkpoint]:
    """The heads that have a cosignature of a witness who is trusted; a wrong one is told."""
    found: list[Checkpoint] = []
    for note in dict.fromkeys((files.head, *files.kept_heads)):
        place = "the signed head" if note == files.head else "a head kept from before"
        try:
            head = Checkpoint.parse(split_note(note)[0])
        except LedgerError:
            continue  # it is told where it is opened
        for vkey in files.trusted_witnesses:
            try:
                held = cosignatures(note, [WitnessVerifier.from_vkey(vkey)])
            except LedgerError as error:
                collector.trouble("cosignature", place, str(error))
                continue
            for each in held:
                collector.count(f"cosignatures of {each.name}")
                found.append(head)
    return found


def _entries(size: int) -> str:
    return quantity(size, "entry", "entries")
