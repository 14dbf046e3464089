"""Cases over their life: starting their workflow, closing, watching.

1. A case exists because the authority opened it: it starts the workflow itself, with a request id
   made from the case's id, so that a start whose answer was lost gives the same run (I11).
2. A workflow id that someone else took is an alarm, never adopted (I1).
3. A run that nobody here started or admitted stops the case, and so does a lost one (I1). One that
   continues the case's own is followed (:mod:`._continuing`).
"""

import logging
from collections.abc import Iterable
from datetime import timedelta
from functools import partial

from placet.authority._alarms import (
    add_run,
    as_seen,
    forget_standstill,
    lose,
    meet_run,
    raise_alarm,
    stop_case,
)
from placet.authority._archiving import ARCHIVING, tell_reopened
from placet.authority._closing import require_shown
from placet.authority._continuing import Continuing
from placet.authority._core import Core
from placet.authority._definitions import Definitions
from placet.authority._doings import SETTLE_GRACE
from placet.authority._errors import Conflict, Forbidden, NotFound, Unavailable
from placet.authority._findable import fairness_key, plain_start, record_tag, sealed
from placet.authority._outcomes import require_live
from placet.authority._requests import use_proof
from placet.authority._standstills import Standstills, keep_ended
from placet.authority._store import Case, Checkpoint, Grant, Tx
from placet.authority._temporal import PAUSED, AlreadyStarted, Execution, ExecutionNotFound
from placet.authority._timing import advance
from placet.authority._watching import Watching
from placet.kill import kill_point
from placet.model import (
    AUTHORITY,
    ArchiveState,
    CaseStatus,
    CaseView,
    CheckpointStatus,
    Standstill,
    StopCase,
)
from placet.telemetry import case_span
from placet.tokens import GrantClaims, Proof

_log = logging.getLogger("placet.authority.cases")


def view(case: Case, standstill: Standstill | None = None) -> CaseView:
    """A case's row as people's tools see it, with what it stands still for."""
    return CaseView(
        id=case.id,
        process=case.process,
        process_version=case.version,
        subject=case.subject,
        status=CaseStatus(case.status),
        opened_by=case.opened_by,
        opened_at=case.opened_at,
        workflow_id=case.workflow_id,
        run_id=case.run_id,
        result=case.result,
        stopped_for=case.stopped_for,
        closed_at=case.closed_at,
        archived=case.archived_at is not None,
        archive=_archive_state(case),
        archive_trouble=case.archive_trouble,
        alarm=case.alarm,
        standstill=standstill,
    )


def _archive_state(case: Case) -> ArchiveState | None:
    """How the case's archive stands; ``None`` while it is not closed and nothing was lost."""
    if case.erased_at is not None:
        return ArchiveState.ERASED
    if case.archived_at is not None:
        return ArchiveState.SEALED
    if case.lost_at is not None:
        return ArchiveState.LOST
    if case.status != CaseStatus.CLOSED:
        return None
    if case.archive_trouble is None:
        return ArchiveState.WAITING
    return ArchiveState.ALARM if case.alarm and not case.alarm_admitted else ArchiveState.FAILED


class Cases:
    """Starts, closes and watches cases."""

    def __init__(self, core: Core, definitions: Definitions) -> None:
        self._core = core
        self._definitions = definitions
        self._continuing = Continuing(core)
        self._watching = Watching(core)
        self._standstills = Standstills(core)

    async def start_opened(self) -> None:
        """Start the workflow of each case that was opened and has none yet.

        By a clock that was set back since, it would have begun before anybody opened it.
        """
        now = self._core.clock()
        opening = [e for e in await self._with_status(CaseStatus.OPENING) if e.opened_at <= now]
        if opening:
            await self._core.temporal.prepare()
        for case in opening:
            await self._start(case)

    async def _start(self, case: Case) -> None:
        kill_point("case.before-start")
        keys = self._core.keys.payloads
        ring = await self._core.store.read(lambda reader: keys.ring(reader, case.id))
        try:
            with case_span(case.id, case.process):
                run_id = await self._core.temporal.start(
                    workflow_id=case.workflow_id,
                    start=sealed(ring, plain_start(keys, case)),
                    request_id=case.request_id,
                )
        except Unavailable as error:
            _log.info("the workflow is started later: %s", error, extra={"case": case.id})
            return
        except AlreadyStarted:

            def alarm(tx: Tx) -> None:
                current = tx.get(Case, case.id)
                if current is None or current.status != CaseStatus.OPENING:
                    return  # another process of ours has started it, and it has gone on since
                raise_alarm(tx, current, ["the workflow id was taken by a start that was not ours"])
                stop_case(tx, current, "someone else started a workflow under the case's id")

            await self._core.store.write(alarm)
            return
        kill_point("case.after-start")

        def opened(tx: Tx) -> None:
            current = tx.get(Case, case.id)
            if current is not None and current.status == CaseStatus.OPENING:
                tx.change(
                    Case,
                    case.id,
                    status=CaseStatus.OPEN.value,
                    run_id=run_id,
                    first_run_id=run_id,
                )
                add_run(tx, case, run_id, admitted=True)
                tx.append(
                    "case.started",
                    AUTHORITY,
                    {
                        "workflow_id": case.workflow_id,
                        "run_id": run_id,
                        "workflow_type": case.workflow_type,
                        "task_queue": case.task_queue,
                        "record_tag": record_tag(keys, case.subject),
                        "fairness_key": fairness_key(keys, case.subject),
                    },
                    case=case.id,
                    record=case.subject,
                )

        await self._core.store.write(opened)

    async def close(self, claims: GrantClaims, proof: Proof, result: str) -> CaseView:
        """Close the grant's case with a result; asked twice, it answers the same.

        Raises:
            Conflict: a checkpoint is open, it is closed with another result, or its record does
                not show this one.
        """

        def write(tx: Tx) -> CaseView:
            use_proof(tx, proof)
            case = tx.get(Case, claims.txn)
            if case is None:
                raise NotFound("there is no such case")
            if case.status == CaseStatus.CLOSED and case.result == result:
                return view(case)
            require_live(tx, claims)
            waiting = tx.first(
                Checkpoint, Checkpoint.case_id == case.id, Checkpoint.status == "open"
            )
            if waiting is not None:
                raise Conflict(f"checkpoint {waiting.name} is still open")
            require_shown(
                tx, self._definitions.process(tx, case.process, case.version), case, result
            )
            tx.change(
                Case, case.id, status=CaseStatus.CLOSED.value, result=result, closed_at=tx.now
            )
            forget_standstill(tx, case.id)
            tx.append(
                "case.closed",
                claims.sub,
                {"result": result, "grant": claims.jti},
                case=case.id,
                record=case.subject,
            )
            tx.notify(ARCHIVING)
            closed = tx.get(Case, case.id)
            return view(closed if closed is not None else case)

        closed = await self._core.store.write(write)
        kill_point("close.before-answer")
        return closed

    async def stop(self, claims: GrantClaims, proof: Proof, asked: StopCase) -> CaseView:
        """Stop the grant's case for a person to look at; it goes on when it is admitted again.

        Raises:
            Forbidden: the grant has ended, the case is not open, or a person has admitted it since.
        """

        def write(tx: Tx) -> CaseView:
            use_proof(tx, proof)
            require_live(tx, claims)
            case = tx.get(Case, claims.txn)
            assert case is not None  # it is open
            if asked.admissions < case.admissions:
                raise Forbidden("a person has admitted the case since", ("I1", "admitted_since"))
            stop_case(tx, case, asked.reason, but=claims.jti)
            stopped = tx.get(Case, case.id)
            return view(stopped if stopped is not None else case)

        return await self._core.store.write(write)

    # --- watching -----------------------------------------------------------------------------

    async def watch_lately(self) -> None:
        """Look at what began or ended a moment ago and is none of its case's, open or closed."""
        try:
            strange = await self._watching.strange()
        except Unavailable:
            return
        for each in strange.reopened:
            await self._core.store.write(partial(tell_reopened, reopened=each))
        await self._compare(strange.cases.values())

    async def watch_open(self) -> None:
        """Compare open cases with Temporal, a few in turn."""
        await self._compare(await self._watching.in_turn())

    async def _compare(self, cases: Iterable[Case]) -> None:
        """Compare open cases with Temporal: a terminated or other run stops the case."""
        going: list[tuple[Case, Execution]] = []
        for case in cases:
            try:
                execution = await self._core.temporal.describe(case.workflow_id)
                own = await self._continuing.follow(case.id, execution.run_id)
            except ExecutionNotFound:
                await self._core.store.write(partial(_lose, seen=case))
                continue
            except Unavailable:
                return
            trouble, ended = None, None
            if execution.run_id != case.run_id and not own:
                run_id = execution.run_id
                trouble = "Temporal shows another run than the authority started"
                await self._core.store.write(partial(_meet, case_id=case.id, run_id=run_id))
            elif execution.status == PAUSED:
                trouble = "someone has paused the workflow"
            elif not execution.running:
                trouble = f"the workflow ended ({execution.status}) before its case was closed"
                ended = await self._standstills.ended(case, execution)
            if trouble is None:
                going.append((case, execution))
            else:
                stop = partial(_stop_seen, seen=case, reason=trouble, ended=ended)
                await self._core.store.write(stop)
        await self._standstills.compare(going)

    async def expire_checkpoints(self) -> None:
        """End the checkpoints whose deadline has passed; expiry is never approval."""
        now = self._core.clock()
        late = await self._core.store.read(
            lambda reader: reader.all(
                Checkpoint,
                Checkpoint.status == "open",
                Checkpoint.deadline <= now,
                limit=500,
            )
        )
        for row in late:
            await self._core.store.write(partial(self._expire, checkpoint_id=row.id))

    def _expire(self, tx: Tx, checkpoint_id: str) -> None:
        row = tx.get(Checkpoint, checkpoint_id)
        case = None if row is None else tx.get(Case, row.case_id)
        if row is None or case is None or row.status != CheckpointStatus.OPEN:
            return
        advance(tx, case, row)

    async def expire_grants(self) -> None:
        """Close on the ledger the grants whose time is long over and that nobody settled."""
        before = self._core.clock() - timedelta(seconds=SETTLE_GRACE)
        late = await self._core.store.read(
            lambda reader: reader.all(
                Grant, Grant.status == "issued", Grant.expires_at <= before, limit=500
            )
        )
        for row in late:
            await self._core.store.write(partial(_expire_grant, grant_id=row.id))

    async def _with_status(self, status: CaseStatus) -> list[Case]:
        return await self._core.store.read(
            lambda reader: reader.all(
                Case,
                Case.status == status.value,
                Case.archived_at.is_(None),  # type: ignore[union-attr]  # a column on the class
                order_by=[Case.id],
                limit=1000,
            )
        )


def _stop_seen(tx: Tx, seen: Case, reason: str, ended: tuple[str, Standstill] | None) -> None:
    case = as_seen(tx, seen)
    if case is None:
        return
    if ended is None:
        stop_case(tx, case, reason)
        return
    why, said = ended
    stop_case(tx, case, f"{reason}: {why}")
    keep_ended(tx, case, said)


def _lose(tx: Tx, seen: Case) -> None:
    case = as_seen(tx, seen)
    if case is not None:
        lose(tx, case, "Temporal does not have its workflow any more")
        stop_case(tx, case, "Temporal has lost the workflow")


def _meet(tx: Tx, case_id: str, run_id: str) -> None:
    case = tx.get(Case, case_id)
    if case is not None and case.status == CaseStatus.OPEN and case.run_id != run_id:
        meet_run(tx, case, run_id)


def _expire_grant(tx: Tx, grant_id: str) -> None:
    grant = tx.get(Grant, grant_id)
    if grant is None or grant.status != "issued":
        return
    tx.change(Grant, grant.id, status="expired", ended_at=tx.now)
    tx.append(
        "grant.expired",
        AUTHORITY,
        {"grant": grant.id},
        case=grant.case_id,
        record=grant.record,
    )
