"""An orchestrator that may not go on for a while, at any instant of its work."""

import asyncio
from typing import Any

import pytest

from placet.agent._errors import denied
from placet.agent._link import AuthorityLink
from placet.client import AuthorityError
from placet.model import CaseView, CheckpointView, Reason, Verdict
from placet.payloads import Keyring
from tests.admitting import admit
from tests.harness.bypasses import StopsInEachRun, StopsLate
from tests.harness.world import World, until

pytestmark = pytest.mark.asyncio(loop_scope="module")
SUBJECT = "depot/D1/parcel/7"


async def _stopped(w: World, case: str) -> CaseView:
    async def look() -> CaseView | None:
        view = await w.people["una"].case(case)
        return view if view.status == "stopped" else None

    found: CaseView = await until(look)
    return found


async def _approve(w: World, checkpoint: CheckpointView) -> None:
    amount = checkpoint.evidence.proposal.amount
    await w.people["cleo"].decide(checkpoint, Verdict.APPROVE, amount=amount)


@pytest.mark.parametrize("milliseconds", [0, 10, 20, 30, 45, 60])
async def test_a_suspended_orchestrator_waits_at_its_checkpoint(
    w: World, milliseconds: int
) -> None:
    """I10: it can't even stop its case; the authority does, once, and the workflow lives on."""
    async with w.workers():
        case = await w.open(SUBJECT)
        asked = await w.until_checkpoint(case)
        await asyncio.sleep(milliseconds / 1000)  # in another of the steps that follow
        await w.admin.act("agent.suspend", "agent:orchestrator", Reason(reason="look at its host"))
        try:
            await _approve(w, asked)
            decided = True
        except AuthorityError as error:  # it was asking when it was suspended: stopped at once
            assert error.problem.reasons == ("I6", "case_status")
            decided = False
        stopped = await _stopped(w, case)
        assert str(stopped.stopped_for).endswith("was denied: I10, suspended")
        await w.admin.act("agent.resume", "agent:orchestrator", Reason(reason="its host is clean"))
        await admit(w.admin, case, "its orchestrator works again")
        if not decided:
            await _approve(w, asked)
        assert (await w.until_closed(case)).result == "dispatched"
    types = [each["type"] for each in await w.entries()]
    assert types.count("case.stopped") == types.count("case.admitted") == 1


async def test_a_denial_that_is_over_at_once_ends_no_workflow(
    w: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I10: suspended when a task begins and resumed before it ends: only the task has failed."""
    given, denials = AuthorityLink.ring, [denied("the orchestrator is suspended", ("I10",))]

    async def ring(link: AuthorityLink, *asked: Any) -> Keyring:
        if denials:
            raise denials.pop()
        return await given(link, *asked)

    monkeypatch.setattr(AuthorityLink, "ring", ring)
    async with w.workers():
        case = await w.open(SUBJECT)
        await _approve(w, await w.until_checkpoint(case))
        assert (await w.until_closed(case)).result == "dispatched"
    assert denials == []


async def test_a_word_from_before_a_persons_admission_stops_nothing(w: World) -> None:
    """I10: a step that stops the case, and is carried out after a person let the case go on."""
    async with w.workers(workflows=(StopsLate,)):
        case = await w.open(SUBJECT)
        assert (await _stopped(w, case)).stopped_for == "a look, please"
        await admit(w.admin, case, "looked")
        await _approve(w, await w.until_checkpoint(case))
        assert (await w.until_closed(case)).result == "dispatched"
    assert len(await w.entries("case.stopped")) == 1


async def test_a_run_that_continues_a_case_can_stop_it_as_well(w: World) -> None:
    """I10: it has heard of no admission yet, and its word is none from before one."""
    async with w.workers(workflows=(StopsInEachRun,)):
        case = await w.open(SUBJECT)
        await _stopped(w, case)
        await admit(w.admin, case, "looked")

        async def again() -> bool:
            return len(await w.entries("case.stopped")) == 2

        await until(again)
        await admit(w.admin, case, "looked again")
        await _approve(w, await w.until_checkpoint(case))
        assert (await w.until_closed(case)).result == "dispatched"
