"""Which cases to look at again, so that thousands that only wait cost next to nothing.

1. What Temporal shows to have begun or ended since the last look, and not as the authority started
   it, is looked at at once. One question is for open and closed cases: what it costs Temporal grows
   with the runs that it lists.
2. Every open case is looked at in turn, a few at each look: what leaves no such trace (a workflow
   that was paused, or has vanished) is found within minutes. The longer a look takes, the longer
   the next one waits, so that watching takes its share of the time and no more.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from placet.authority._core import Core
from placet.authority._store import Case, CaseRun, Reader
from placet.authority._temporal import SeenRun
from placet.model import CaseStatus

IN_TURN = 200
"""Open cases looked at in turn at each look."""

_LATE = timedelta(minutes=1)
"""How late Temporal may list a run that has begun or ended."""


@dataclass
class Strange:
    """What Temporal shows otherwise than it should be."""

    cases: dict[str, Case] = field(default_factory=dict[str, Case])
    """Open cases, by id."""

    reopened: list[SeenRun] = field(default_factory=list[SeenRun])
    """Runs of closed cases that are none of theirs."""


class Watching:
    """Names the cases that are to be compared with Temporal now."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._looked: datetime | None = None
        self._last = ""
        """The case that was looked at last in turn."""

    async def strange(self) -> Strange:
        """What began or ended since the last look, and not as it should.

        Raises:
            Unavailable: Temporal did not answer.
        """
        now = self._core.clock()
        since = (now if self._looked is None else self._looked) - _LATE
        seen = [each async for each in self._core.temporal.seen_since(since, everything=False)]
        self._looked = now
        return await self._core.store.read(lambda reader: _strange(reader, seen))

    async def in_turn(self) -> list[Case]:
        """The open cases whose turn it is."""
        return await self._core.store.read(self._turn)

    def _turn(self, reader: Reader) -> list[Case]:
        turn = reader.all(
            Case,
            Case.status == CaseStatus.OPEN.value,
            Case.id > self._last,
            order_by=[Case.id],
            limit=IN_TURN,
        )
        self._last = turn[-1].id if len(turn) == IN_TURN else ""
        return turn


def _strange(reader: Reader, seen: list[SeenRun]) -> Strange:
    found = Strange()
    for each in seen:
        case = reader.get(Case, each.workflow_id)
        if case is None:
            continue
        if is_reopened(reader, case, each.run_id):
            found.reopened.append(each)
        elif case.status == CaseStatus.OPEN and not (each.running and each.run_id == case.run_id):
            found.cases[case.id] = case
    return found


def is_reopened(reader: Reader, case: Case, run_id: str) -> bool:
    """Whether a run of a closed case is none of its chain: a reset reopens even those."""
    if case.status != CaseStatus.CLOSED or case.run_id is None:
        return False
    return reader.get(CaseRun, (case.id, run_id)) is None
