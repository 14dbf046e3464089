"""The story of a case, in order: who did what, under which grant, and why it was allowed."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from pydantic import JsonValue

from placet.audit._files import LogFiles
from placet.audit._report import spelled
from placet.ledger import Entry, EntryError, EntryType, decode_entry
from placet.model import Model, digest_bytes, format_time


class Moment(Model):
    """One moment of a case."""

    index: int
    time: str
    actor: str
    type: str
    record: str | None = None
    text: str


def timeline(files: LogFiles, case: str, *, words: bool = False) -> Iterator[Moment]:
    """The moments of a case in the ledger's order; ``words``: with what people said in deciding.

    The texts are harmless to a terminal, whoever wrote what they tell. The entries are taken as
    they are: :func:`placet.audit.verify` says whether they are the log's.

    Raises:
        EntryError: an entry is damaged; the message names it.
    """
    activities: dict[str, str] = {}
    for index, data in files.numbered():
        try:
            entry = decode_entry(data)
        except EntryError as error:
            raise EntryError(f"entry {index}: {error}") from None
        if entry.case != case:
            continue
        said = _words(files, entry.data) if words and entry.type in _DECISIONS else ""
        yield Moment(
            index=index,
            time=_spell(entry.time),
            actor=entry.actor,
            type=entry.type.value,
            record=entry.record,
            text=spelled(_tell(entry, files, activities) + said),
        )


def _spell(moment: datetime) -> str:
    return format_time(moment.replace(microsecond=0))


_DECISIONS = {EntryType.DECISION_RECORDED, EntryType.DECISION_WITHDRAWN}
_PLAIN = {
    EntryType.CASE_CONTINUED: "goes on in a new run, as its workflow asked",
    EntryType.GLASS_BROKEN: "an emergency: others may approve it for a while",
    EntryType.REVIEW_CLOSED: "the emergency was reviewed",
    EntryType.CHECKPOINT_ADJUSTED: "lowers the amount, row by row",
    EntryType.CHECKPOINT_KEYED: "keys what could not be read",
    EntryType.CHECKPOINT_RECALLED: "takes the checkpoint back, to ask anew",
    EntryType.DELEGATION_GIVEN: "hands over for a time",
    EntryType.PART_TOLD: "tells word for word what people are shown",
    EntryType.PAYLOADS_OPENED: "reads payloads of its workflow in clear",
    EntryType.TOOL_BEGUN: "lets the owner's tool be called",
    EntryType.IDENTITY_PROVEN: "takes the proof of the owner's tool",
}
"""What is told of entries that need no more than a few words."""


def _tell(entry: Entry, files: LogFiles, activities: dict[str, str]) -> str:
    data = entry.data
    grant = str(data.get("grant", ""))
    match entry.type:
        case EntryType.GRANT_ISSUED:
            activities[grant] = step = _step(data)
            permitted = f"{data.get('action')}{_amount(data)} permitted by"
            return f"{step}: {permitted} {_names(data.get('policies'))}"
        case EntryType.GRANT_DENIED:
            asked = f"{data.get('action')} on {entry.record or '?'}{_amount(data)}"
            return f"{_step(data)}: {asked} denied: {_names(data.get('reasons'))}"
        case EntryType.GRANT_SETTLED:
            reason = _reasoning(files, str(data.get("reasoning_digest")))
            return f"{activities.get(grant, '?')} {data.get('outcome')}{reason}"
        case EntryType.GRANT_REVOKED:
            return f"{activities.get(grant, '?')}: grant revoked, {data.get('reason')}"
        case EntryType.CHECKPOINT_OPENED:
            return f"{data.get('name')}: asks {_needs(data.get('needs'))}"
        case kind if kind in _DECISIONS:
            return f"{data.get('verdict')} as {_names(data.get('roles'))}{_opened(data)}"
        case (
            EntryType.DECISION_REFUSED
            | EntryType.ACT_REFUSED
            | EntryType.CHECKPOINT_VOIDED
            | EntryType.CASE_ALARM
        ):
            return f"{entry.type.value.partition('.')[2]}: {_names(data.get('reasons'))}"
        case EntryType.CHECKPOINT_RESOLVED | EntryType.CHECKPOINT_EXPIRED:
            return str(data.get("status"))
        case EntryType.CHECKPOINT_ESCALATED:
            return f"escalated: {_names(data.get('roles'))} may decide, too"
        case EntryType.CASE_CLOSED | EntryType.CASE_STOPPED | EntryType.CASE_ERASED:
            return _ended(entry.type, data)
        case EntryType.ACTION_REQUESTED:
            return f"{data.get('action')} begins"
        case EntryType.ACTION_PERFORMED | EntryType.GRANT_USED:
            return f"{data.get('action')} ends with status {data.get('status')}"
        case _:
            return _PLAIN.get(entry.type, entry.type.value.replace(".", " "))


def _step(data: Mapping[str, JsonValue]) -> str:
    activity = data.get("activity")
    return str(activity.get("activity_type")) if isinstance(activity, dict) else "?"


def _amount(data: Mapping[str, JsonValue]) -> str:
    """The amount that a model asked for, where its tool has one."""
    return f" of {data['amount']}" if "amount" in data else ""


def _ended(kind: EntryType, data: Mapping[str, object]) -> str:
    if kind is EntryType.CASE_STOPPED:
        return f"stopped: {data.get('reason')}"
    if kind is EntryType.CASE_ERASED:
        return f"erased, signed by two: {_counts(data.get('erased'))}"
    by = " by a person" if "act" in data else ""
    return f"closed{by}: {data.get('result')}"


def _opened(data: Mapping[str, object]) -> str:
    seconds, absent = data.get("seconds_open"), data.get("stands_in_for")
    instead = f", standing in for {absent}" if absent else ""
    return instead + (f", {seconds} s after opening it" if isinstance(seconds, int) else "")


def _words(files: LogFiles, data: Mapping[str, JsonValue]) -> str:
    """Why someone decided so, and why they accept each finding: as they signed it."""
    view = files.checkpoints.get(str(data.get("checkpoint")))
    decisions = () if view is None else view.decisions
    signed = next((each for each in decisions if each.jti == data.get("decision")), None)
    if signed is None:
        accepted = data.get("exceptions")
        findings = f"; accepts {_names(accepted)}" if accepted else ""
        gone = "was erased" if view is not None and view.erased else "is not there"
        return f"{findings}; why {gone}"
    if digest_bytes(signed.jws.encode()) != data.get("decision_digest"):
        return ", but the decision kept is not the one that was recorded"
    why = f": {signed.said}" if signed.said else ""
    return why + "".join(f"; accepts {each.finding}: {each.reason}" for each in signed.accepted)


def _reasoning(files: LogFiles, digest: str) -> str:
    kept = files.kept.get(digest)
    if kept is None:
        return ""
    if not kept.fits(digest):
        return ", but the words kept are not the ones that were settled"
    return f": {kept.content}"


def _counts(value: object) -> str:
    return (
        ", ".join(f"{count} {what}" for what, count in value.items())
        if isinstance(value, Mapping)
        else str(value)
    )


def _names(value: object) -> str:
    return ", ".join(str(each) for each in value) if isinstance(value, list) else str(value)


def _needs(value: object) -> str:
    if not isinstance(value, list) or not value:
        return "nobody (automatic mode)"
    return " and ".join(_need(each) for each in value if isinstance(each, Mapping))


def _need(need: Mapping[str, object]) -> str:
    roles = need.get("roles")
    named = " or ".join(str(role) for role in roles) if isinstance(roles, list) else "?"
    return f"{need.get('count')} {named}"
