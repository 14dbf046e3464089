"""A case that goes on in a new run, because its workflow has continued as new.

1. (I1) The run before is the case's own. Its history ends with the word that it continues as the
   new one, and the new one's begins as its continuation: of the same type, on the same queue, with
   the case's own input. Any other run stops the case, and a person looks (:mod:`._alarms`).
2. (I4) ``case.continued`` is on the ledger before the new run gets its first grant; what still
   lives of the run before is revoked.
3. (I9) Temporal is no root of trust: that the code asked for it, the replay finds out.
"""

from collections.abc import Callable
from functools import partial

from placet.authority._alarms import add_run
from placet.authority._core import Core
from placet.authority._errors import Unavailable
from placet.authority._histories import Run, open_run
from placet.authority._revocations import revoke
from placet.authority._store import Case, Grant, Reader, Tx
from placet.authority._temporal import ExecutionNotFound
from placet.model import AUTHORITY, CaseInput, CaseStatus
from placet.payloads import Keyring

_MOST = 10
"""Runs that are followed at once; after more than that between two looks, a person looks."""
_KNOWN = 10_000


class Continuing:
    """Follows cases into the runs that continue them."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._known: dict[str, str] = {}
        """Runs that were found to be their case's own: only a new one is looked at."""

    async def follow(self, case_id: str, newest: str) -> bool:
        """Take the newest run for the case's own if it continues it; whether it is.

        Raises:
            Unavailable: Temporal does not answer, or the case has changed since it was asked.
        """
        if self._known.get(case_id) == newest:
            return True
        case = await self._core.store.read(lambda reader: reader.get(Case, case_id))
        if case is None or case.run_id is None or case.status != CaseStatus.OPEN:
            return False
        if case.run_id != newest:
            ring = await self._core.store.read(self._ring_of(case_id))
            links = await self._links(case, newest, ring)
            if not links:
                return False
            if not await self._core.store.write(partial(_continue, case_id=case_id, links=links)):
                raise Unavailable("the case has changed since Temporal was asked; ask again")
        if len(self._known) >= _KNOWN:
            self._known.clear()
        self._known[case_id] = newest
        return True

    def _ring_of(self, case_id: str) -> Callable[[Reader], Keyring]:
        return lambda reader: self._core.keys.payloads.ring(reader, case_id)

    async def _links(self, case: Case, newest: str, ring: Keyring) -> list[tuple[str, str]]:
        """Each run with the one that continues it, from the case's own to the newest; or none."""
        links: list[tuple[str, str]] = []
        after = await self._run(case, newest, ring)
        while after.run_id != case.run_id:
            started = after.events[0].workflow_execution_started_event_attributes
            continued = started.continued_execution_run_id
            if not continued or len(links) == _MOST:
                return []
            before = await self._run(case, continued, ring)
            if not continues(case, before, after):
                return []
            links.insert(0, (before.run_id, after.run_id))
            after = before
        return links

    async def _run(self, case: Case, run_id: str, ring: Keyring) -> Run:
        try:
            history = await self._core.temporal.history(case.workflow_id, run_id)
        except ExecutionNotFound:
            raise Unavailable("Temporal does not show the case's history") from None
        return open_run(run_id, history, ring)


def continues(case: Case, before: Run, after: Run) -> bool:
    """Whether a run is the continuation of the one before, as the case's own workflow."""
    last = before.events[-1].workflow_execution_continued_as_new_event_attributes
    first = after.events[0].workflow_execution_started_event_attributes
    reset = any(e.workflow_task_failed_event_attributes.new_run_id for e in after.events)
    asked = CaseInput(case=case.id, subject=case.subject).model_dump_json().encode()
    told = (
        last.new_execution_run_id,
        first.original_execution_run_id,
        first.continued_execution_run_id,
        first.first_execution_run_id,
        first.workflow_type.name,
        first.task_queue.name,
        [each.data for each in first.input.payloads],
    )
    own = (case.first_run_id, case.workflow_type, case.task_queue, [asked])
    return not reset and told == (after.run_id, after.run_id, before.run_id, *own)


def _continue(tx: Tx, case_id: str, links: list[tuple[str, str]]) -> bool:
    """Take the case into the last of these runs; whether it is in it."""
    for before, run_id in links:
        case = tx.get(Case, case_id)
        if case is None or (case.status, case.run_id) != (CaseStatus.OPEN.value, before):
            # Another process of ours was first, or the case was stopped.
            return case is not None and case.run_id == links[-1][1]
        for grant in tx.all(Grant, Grant.case_id == case_id, Grant.status == "issued"):
            revoke(tx, grant, "run_continued")
        add_run(tx, case, run_id, admitted=True)
        tx.append(
            "case.continued",
            AUTHORITY,
            {"run_id": run_id, "continues": before},
            case=case_id,
            record=case.subject,
        )
        tx.change(Case, case_id, run_id=run_id, admissions=0)  # this run has heard of none
    return True
