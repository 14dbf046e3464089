"""What a run does, from its seed alone: the draws, and what befalls which part, and when."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

RUNS_A_STACK = 16
"""So many runs of one stack, one after the other: its start takes as long as a run."""

WORKERS = (
    "worker-orchestrator",
    "worker-draw-intake",
    "worker-draw-analyst",
    "worker-draw-verifier",
    "worker-compliance-checker",
    "worker-disbursement",
)
_AGENT = ("agent.before-grant", "agent.after-grant", "agent.before-settle", "agent.after-settle")
POINTS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(WORKERS, _AGENT),
    "authority": (
        "case.before-start",
        "case.after-start",
        "store.before-commit",
        "store.after-commit",
        "grant.before-answer",
        "settle.before-answer",
        "checkpoint.before-answer",
        "decision.before-answer",
        "outbox.after-signal",
        "close.before-answer",
        "archive.before-seal",
    ),
    "lender": ("servicing.after-intent", "servicing.before-commit", "servicing.after-commit"),
}
"""The steps that the code names, by the part that comes to them in a draw."""

_LATEST = 5.0
"""Seconds of a run in which something may begin: most of its draws are under way until then."""

_SHORTEST, _LONGEST = 0.3, 4.0
_LONG = 11.0
"""Longer than Temporal waits for a worker's heartbeat: its step is given to the next."""

_SKEWS = (-240.0, -30.0, -3.0, 3.0, 30.0, 240.0)


class Kind(StrEnum):
    """What befalls a part."""

    KILL = "kill"
    STOP = "stop"
    DROP = "drop"
    """Its connections are cut, and new ones refused."""

    HOLE = "hole"
    """Its connections stay, and nothing goes through."""

    SKEW = "skew"
    """It is started anew with a wrong clock."""


@dataclass(frozen=True)
class Fault:
    """One thing that befalls a part: at a step that its code names, or at a moment."""

    kind: Kind
    part: str
    point: str | None
    at: float
    """Seconds after the run's beginning; a step counts from then on."""

    lasts: float
    skew: float = 0.0

    def __str__(self) -> str:
        where = f"at {self.point}" if self.point else "then"
        wrong = f" by {self.skew:+.0f} s" if self.kind is Kind.SKEW else ""
        return f"{self.at:.1f} s: {self.kind} {self.part} {where}{wrong}, {self.lasts:.1f} s"


@dataclass(frozen=True)
class Draw:
    """One draw: of which kind, and how long after the run's beginning it is opened."""

    kind: str
    opened: float


@dataclass(frozen=True)
class Plan:
    """A whole run."""

    seed: int
    store: str
    draws: tuple[Draw, ...]
    faults: tuple[Fault, ...]


KINDS = ("small", "large", "rejected")
"""One person approves it; two do; a person rejects it."""


def store_of(seed: int) -> str:
    """On which store a seed's stack keeps its ledger; the same for all seeds of one stack."""
    return ("sqlite", "postgresql")[seed // RUNS_A_STACK % 2]


def plan(seed: int) -> Plan:
    """The run of a seed."""
    chance = random.Random(seed)
    store = store_of(seed)
    parts = [*WORKERS, "authority", "temporal", "lender"]
    if store == "postgresql":
        parts.append("database")
    draws = tuple(
        Draw(chance.choice(KINDS), round(chance.uniform(0, 1.5), 2))
        for _ in range(chance.randint(2, 4))
    )
    # Workers are many: each kind of part comes as often as another.
    weights = [1 if each in WORKERS else 3 for each in parts]
    faults = tuple(
        _fault(chance, chance.choices(parts, weights)[0]) for _ in range(chance.randint(1, 3))
    )
    return Plan(seed, store, draws, tuple(sorted(faults, key=lambda each: each.at)))


def _fault(chance: random.Random, part: str) -> Fault:
    at = round(chance.uniform(0, _LATEST), 2)
    long = part in WORKERS and chance.random() < 0.1
    lasts = _LONG if long else round(chance.uniform(_SHORTEST, _LONGEST), 2)
    points = POINTS.get(part)
    if points and chance.random() < 0.5:
        kind = chance.choice((Kind.KILL, Kind.KILL, Kind.STOP))
        # Armed from the beginning: each draw comes to most of them once.
        return Fault(kind, part, chance.choice(points), 0.0, lasts)
    kinds = [Kind.KILL, Kind.STOP, Kind.DROP, Kind.HOLE]
    if part not in {"temporal", "database"}:
        kinds.append(Kind.SKEW)
    kind = chance.choice(kinds)
    skew = chance.choice(_SKEWS) if kind is Kind.SKEW else 0.0
    return Fault(kind, part, None, at, lasts, skew)
