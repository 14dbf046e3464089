"""Where an entry stands: in a case that was opened, on its record, by whom such entries are.

What an entry repeats of others is held against them; a reader of the log alone would believe it.
"""

from placet.audit._scene import Scene
from placet.ledger import Entry, EntryType
from placet.model import AUTHORITY

EMERGENCY = {"emergency", "emergency_over"}
"""What an entry of a checkpoint has that is opened anew for an emergency, or after it."""

_OF_THE_AUTHORITY = {
    EntryType.LOG_CREATED,
    EntryType.KEY_PUBLISHED,
    EntryType.KEY_RETIRED,
    EntryType.KEY_ROTATED,
    EntryType.SESSION_STARTED,
    EntryType.ACT_LAPSED,
    EntryType.IDENTITY_EXCEEDED,
    EntryType.IDENTITY_FOLLOWED,
    EntryType.IDENTITY_ORPHANED,
    EntryType.IDENTITY_DISOWNED,
    EntryType.IDENTITY_PROVEN,
    EntryType.IDENTITY_REVIEWED,
    EntryType.CASE_STARTED,
    EntryType.CASE_CONTINUED,
    EntryType.CASE_ARCHIVED,
    EntryType.CASE_ALARM,
    EntryType.CASE_LOST,
    EntryType.CASE_STOPPED,
    EntryType.TOOL_BEGUN,
    EntryType.PART_TOLD,
    EntryType.GRANT_EXPIRED,
    EntryType.CHECKPOINT_RESOLVED,
    EntryType.CHECKPOINT_EXPIRED,
    EntryType.CHECKPOINT_VOIDED,
    EntryType.CHECKPOINT_REMINDED,
    EntryType.CHECKPOINT_ESCALATED,
}
"""What nobody but the authority writes."""

_IN_A_CASE = {
    "case",
    "checkpoint",
    "decision",
    "grant",
    "action",
    "glass",
    "review",
    "part",
    "tool",
    "payloads",
}
_ON_ITS_RECORD = _IN_A_CASE - {"grant", "action"}
_ON_ANOTHER = {EntryType.CASE_RESUBMITTED, EntryType.DECISION_REFUSED}
"""A part of the case's record, and none at all."""


def _of_the_authority(entry: Entry) -> bool:
    match entry.type:
        case EntryType.SESSION_ENDED:
            return "act" not in entry.data
        case EntryType.CHECKPOINT_OPENED:
            return not EMERGENCY.isdisjoint(entry.data)
        case EntryType.KEY_ENROLLED:
            return "act" in entry.data and entry.data["act"] is None
        case _:
            return entry.type in _OF_THE_AUTHORITY


def placed(scene: Scene, entry: Entry) -> None:
    """Name what does not fit of an entry's actor, case and record."""
    if _of_the_authority(entry) and entry.actor != AUTHORITY:
        scene.trouble("entry-actor", f"{entry.actor} writes no {entry.type}")
    kind = entry.type.value.partition(".")[0]
    if entry.case is None:
        if kind in _IN_A_CASE and entry.type is not EntryType.GRANT_DENIED:
            scene.trouble("entry-case", f"a {entry.type} is of a case, and it names none")
        return
    case = scene.cases.get(entry.case)
    if entry.type is EntryType.CASE_OPENED:
        return
    if case is None:
        scene.trouble("case-unopened", f"{entry.case} was never opened")
    elif kind in _ON_ITS_RECORD and entry.type not in _ON_ANOTHER and entry.record != case.subject:
        scene.trouble("entry-record", f"{entry.case} is on {case.subject}")
