"""How a case's history began whenever something that matters was allowed.

1. Before a checkpoint opens and before a guarded grant, the authority reads the run's history and
   puts the digest of what can't change any more, with its length, into the entry that it writes.
2. Each prefix must extend the one before it: a history that was rewritten stops its case (I8, I9).
"""

import asyncio
from functools import partial

from pydantic import JsonValue

from placet.authority._alarms import as_seen, raise_alarm, stop_case
from placet.authority._core import Core
from placet.authority._errors import Unavailable
from placet.authority._histories import Seen, archive_salt, open_run, settled
from placet.authority._store import Case, HistoryPrefix, Reader, Tx
from placet.authority._temporal import ExecutionNotFound
from placet.model import RunRoot
from placet.payloads import Keyring, UnknownPayloadKey


class Prefixes:
    """Reads histories while their cases are open."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def look(self, case_id: str) -> Seen | None:
        """The history of a case's run as it is now; ``None`` where there is none to be had.

        One that does not extend what was seen before stops the case, with an alarm.

        Raises:
            Unavailable: Temporal does not answer.
        """

        def read(reader: Reader) -> tuple[Case | None, list[HistoryPrefix], Keyring]:
            ring = self._core.keys.payloads.ring(reader, case_id)
            return reader.get(Case, case_id), prefixes_of(reader, case_id), ring

        case, before, ring = await self._core.store.read(read)
        if case is None or case.run_id is None:
            return None
        try:
            history = await self._core.temporal.history(case.workflow_id, case.run_id)
            salt = archive_salt(ring)
        except ExecutionNotFound:
            raise Unavailable("Temporal does not show the case's history") from None
        except UnknownPayloadKey:
            return None
        run_id = case.run_id
        seen = await asyncio.to_thread(lambda: settled(open_run(run_id, history, ring), salt))
        wrong = rewritten(before, seen)
        if wrong is not None:
            await self._core.store.write(partial(_stop, seen=case, reason=wrong))
        return seen


def prefixes_of(reader: Reader, case: str) -> list[HistoryPrefix]:
    """The prefixes that were kept of a case, in order."""
    return reader.all(HistoryPrefix, HistoryPrefix.case_id == case, order_by=[HistoryPrefix.seq])


def rewritten(before: list[HistoryPrefix], seen: Seen) -> str | None:
    """What a run's history no longer begins with, if there is something."""
    for kept in before:
        if kept.run_id != seen.run_id:
            continue
        if seen.root(kept.events).root != kept.root:
            at = f"{kept.at:%Y-%m-%d %H:%M:%S}"
            return f"run {kept.run_id} no longer begins with the {kept.events} events of {at} UTC"
    return None


def keep_prefix(tx: Tx, case: str, seen: Seen | None) -> dict[str, JsonValue]:
    """Keep a prefix; the member that goes into the entry of what it was read for."""
    if seen is None:
        return {}
    root: RunRoot = seen.root()
    tx.add(
        HistoryPrefix(
            case_id=case, run_id=root.run_id, events=root.events, root=root.root, at=tx.now
        )
    )
    return {"history": root.model_dump(mode="json")}


def _stop(tx: Tx, seen: Case, reason: str) -> None:
    case = as_seen(tx, seen)
    if case is not None:
        raise_alarm(tx, case, [reason])
        stop_case(tx, case, reason)
