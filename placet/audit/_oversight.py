"""How people oversee: where they overrode, and where they may only have stamped.

Regulation (EU) 2024/1689 (the AI Act), Article 14, asks that people can understand and override
what a system proposes, and stay aware of the pull to trust it. The figures here are a beginning of
a conversation, not a verdict: someone may have read the packet elsewhere before.
"""

from collections.abc import Iterable
from datetime import datetime
from statistics import median

from placet.ledger import Entry, EntryType, decode_entry
from placet.model import Model, UtcTime

HASTY_SECONDS = 30
"""An approval given sooner after the evidence was opened is listed, unless another limit is set."""

_OVERRIDES = {
    EntryType.CHECKPOINT_ADJUSTED: "lowered",
    EntryType.CHECKPOINT_KEYED: "keyed",
    EntryType.CHECKPOINT_RECALLED: "recalled",
}


class OverseenDecision(Model):
    """One decision that is worth a look. ``kind`` says why; no seconds: never opened before it."""

    entry: int
    time: UtcTime
    operator: str
    checkpoint: str
    case: str
    kind: str
    seconds: int | None = None


class PersonOverseen(Model):
    """One person's decisions. ``median_seconds`` is of those whose evidence was opened before."""

    operator: str
    approvals: int = 0
    rejections: int = 0
    returns: int = 0
    abstentions: int = 0
    withdrawals: int = 0
    exceptions_accepted: int = 0
    lowered: int = 0
    hasty: int = 0
    unopened: int = 0
    median_seconds: int | None = None


class Oversight(Model):
    """Overrides, and approvals in seconds."""

    hasty_seconds: int
    decisions: int
    people: tuple[PersonOverseen, ...]
    overrides: tuple[OverseenDecision, ...]
    hasty: tuple[OverseenDecision, ...]


_COUNTED = {
    "approve": "approvals",
    "reject": "rejections",
    "return": "returns",
    "abstain": "abstentions",
    "withdraw": "withdrawals",
}


class _Tally:
    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.seconds: list[int] = []

    def add(self, name: str, count: int = 1) -> None:
        self.counts[name] = self.counts.get(name, 0) + count


def _seen(index: int, entry: Entry, kind: str, seconds: int | None = None) -> OverseenDecision:
    return OverseenDecision(
        entry=index,
        time=entry.time,
        operator=entry.actor,
        checkpoint=str(entry.data.get("checkpoint")),
        case=entry.case or "",
        kind=kind,
        seconds=seconds,
    )


def oversight(
    entries: Iterable[bytes],
    *,
    hasty_seconds: int = HASTY_SECONDS,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Oversight:
    """Count a log's decisions by person, and list the overrides and the hasty approvals.

    Raises:
        EntryError: an entry is none.
    """
    people: dict[str, _Tally] = {}
    overrides: list[OverseenDecision] = []
    hasty: list[OverseenDecision] = []
    decisions = 0
    for index, data in enumerate(entries):
        entry = decode_entry(data)
        early = since is not None and entry.time < since
        if early or (until is not None and entry.time >= until):
            continue
        said = entry.data

        if entry.type in _OVERRIDES:
            tally = people.setdefault(entry.actor, _Tally())
            if entry.type is EntryType.CHECKPOINT_ADJUSTED:
                tally.add("lowered")
            overrides.append(_seen(index, entry, _OVERRIDES[entry.type]))
        if entry.type not in {EntryType.DECISION_RECORDED, EntryType.DECISION_WITHDRAWN}:
            continue
        decisions += 1
        tally = people.setdefault(entry.actor, _Tally())
        verdict = str(said.get("verdict"))
        tally.add(_COUNTED.get(verdict, "approvals"))
        seconds = said.get("seconds_open")
        opened = seconds if isinstance(seconds, int) else None
        if opened is not None:
            tally.seconds.append(opened)
        accepted = said.get("exceptions")
        if isinstance(accepted, list) and accepted:
            tally.add("exceptions_accepted", len(accepted))
            overrides.append(_seen(index, entry, "exceptions_accepted", opened))
        if verdict in {"reject", "return"}:
            overrides.append(_seen(index, entry, verdict, opened))
        if verdict == "approve" and (opened is None or opened < hasty_seconds):
            tally.add("unopened" if opened is None else "hasty")
            hasty.append(_seen(index, entry, "unopened" if opened is None else "hasty", opened))
    return Oversight(
        hasty_seconds=hasty_seconds,
        decisions=decisions,
        people=tuple(
            PersonOverseen.model_validate(
                {
                    "operator": name,
                    **tally.counts,
                    "median_seconds": int(median(tally.seconds)) if tally.seconds else None,
                }
            )
            for name, tally in sorted(people.items())
        ),
        overrides=tuple(overrides),
        hasty=tuple(hasty),
    )
