"""Which open cases to look at again, so that thousands that only wait cost next to nothing.

1. What Temporal shows to have begun or ended since the last look, and not as the authority started
   it, is looked at at once.
2. Every open case is looked at in turn, a few at each look: what leaves no such trace (a workflow
   that was paused, or has vanished) is found within minutes. The longer a look takes, the longer
   the next one waits, so that watching takes its share of the time and no more.
"""

from datetime import datetime, timedelta

from placet.authority._core import Core
from placet.authority._store import Case, Reader
from placet.authority._temporal import SeenRun
from placet.model import CaseStatus

IN_TURN = 200
"""Open cases looked at in turn at each look."""

_LATE = timedelta(minutes=1)
"""How late Temporal may list a run that has begun or ended."""


class Watching:
    """Names the open cases that are to be compared with Temporal now."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._looked: datetime | None = None
        self._last = ""
        """The case that was looked at last in turn."""

    async def due(self) -> list[Case]:
        """Those that Temporal shows otherwise than they should be, and those whose turn it is.

        Raises:
            Unavailable: Temporal did not answer.
        """
        now = self._core.clock()
        since = (now if self._looked is None else self._looked) - _LATE
        seen = [each async for each in self._core.temporal.seen_since(since, everything=False)]
        self._looked = now
        found = await self._core.store.read(lambda reader: self._read(reader, seen))
        return list(found.values())

    def _read(self, reader: Reader, seen: list[SeenRun]) -> dict[str, Case]:
        strange: dict[str, Case] = {}
        for each in seen:
            case = reader.get(Case, each.workflow_id)
            if case is None or case.status != CaseStatus.OPEN:
                continue
            if not each.running or each.run_id != case.run_id:
                strange[case.id] = case
        turn = reader.all(
            Case,
            Case.status == CaseStatus.OPEN.value,
            Case.id > self._last,
            order_by=[Case.id],
            limit=IN_TURN,
        )
        self._last = turn[-1].id if len(turn) == IN_TURN else ""
        return {**strange, **{case.id: case for case in turn}}
