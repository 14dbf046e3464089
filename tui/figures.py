"""What can be said of the newest part of the ledger: counts and times. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from placet.ledger import EntryType
from tui.answers import Listed

_ENDS = {EntryType.GRANT_SETTLED, EntryType.GRANT_REVOKED, EntryType.GRANT_EXPIRED}
_TICKS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class AgentFigures:
    """What one agent did."""

    issued: int = 0
    denied: int = 0
    live: int = 0
    last: datetime | None = None
    actions: tuple[str, ...] = ()


def by_agent(entries: Sequence[Listed]) -> dict[str, AgentFigures]:
    """What each agent did, as far as these entries tell."""
    issued: Counter[str] = Counter()
    denied: Counter[str] = Counter()
    open_: dict[str, str] = {}
    last: dict[str, datetime] = {}
    actions: dict[str, Counter[str]] = {}
    for each in entries:
        entry = each.entry
        if entry is None:
            continue
        grant = str(entry.data.get("grant"))
        if entry.type is EntryType.GRANT_ISSUED:
            issued[entry.actor] += 1
            open_[grant] = entry.actor
            last[entry.actor] = entry.time
            actions.setdefault(entry.actor, Counter())[str(entry.data.get("action"))] += 1
        elif entry.type is EntryType.GRANT_DENIED:
            denied[entry.actor] += 1
        elif entry.type in _ENDS:
            open_.pop(grant, None)
    live = Counter(open_.values())
    return {
        name: AgentFigures(
            issued[name],
            denied[name],
            live[name],
            last.get(name),
            tuple(f"{action} × {n}" for action, n in actions.get(name, Counter()).most_common()),
        )
        for name in issued.keys() | denied.keys()
    }


def of_types(entries: Sequence[Listed], *kinds: EntryType) -> list[Listed]:
    """The entries of some types."""
    return [each for each in entries if each.entry is not None and each.entry.type in kinds]


def decision_times(entries: Sequence[Listed]) -> list[float]:
    """Seconds from a checkpoint's opening to each decision on it."""
    opened: dict[str, datetime] = {}
    found: list[float] = []
    for each in entries:
        entry = each.entry
        if entry is None:
            continue
        checkpoint = str(entry.data.get("checkpoint"))
        if entry.type is EntryType.CHECKPOINT_OPENED:
            opened[checkpoint] = entry.time
        elif entry.type is EntryType.DECISION_RECORDED and checkpoint in opened:
            found.append((entry.time - opened[checkpoint]).total_seconds())
    return found


@dataclass(frozen=True)
class Ranked:
    """How many seconds were measured, the median, and what one in ten reaches."""

    count: int
    middle: float
    slow: float


def ranked(values: Sequence[float]) -> Ranked | None:
    """The median and the slow end; none of nothing."""
    if not values:
        return None
    return Ranked(len(values), median(values), sorted(values)[int(len(values) * 0.9)])


def growth(entries: Sequence[Listed], now: datetime, *, minutes: int, width: int) -> list[int]:
    """Entries in each of ``width`` equal spans up to now."""
    start = now - timedelta(minutes=minutes)
    spans = [0] * width
    for each in entries:
        if each.entry is not None and each.entry.time >= start:
            place = (each.entry.time - start) / timedelta(minutes=minutes)
            spans[min(width - 1, int(place * width))] += 1
    return spans


def sparkline(values: Sequence[int]) -> str:
    """A line of small bars."""
    most = max(values, default=0)
    if not most:
        return _TICKS[0] * len(values)
    return "".join(_TICKS[(value * (len(_TICKS) - 1) + most - 1) // most] for value in values)
