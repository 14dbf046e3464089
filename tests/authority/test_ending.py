"""A person ends a case that can't end by itself: what becomes of it, and when it is refused."""

import asyncio
import contextlib
import dataclasses
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import jwt
import pytest
import pytest_asyncio
from temporalio import activity
from temporalio.worker import Worker

from placet.agent import current_grant, governed
from placet.audit import LogFiles, replay, verify
from placet.cli import fetch_log
from placet.client import AuthorityError
from placet.model import (
    AUTHORITY,
    EnrolIdentity,
    PartRef,
    Reason,
    UseClaims,
    UseStage,
    Verdict,
    canonical_json,
    digest_bytes,
)
from placet.process import StepRequest
from placet.tokens import SigningKey, sign_use
from tests.authority.test_two_administrators import troubles
from tests.harness import processes
from tests.harness.other_parcels import FailingCheck
from tests.harness.parcel_work import Weight
from tests.harness.parcels import ParcelCheck
from tests.harness.uses import tell_use
from tests.harness.world import World, temporal_server, until, world

pytestmark = pytest.mark.asyncio(loop_scope="module")
WHY = Reason(reason="the sender never answered")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def w(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """One world for the module; each test has parcels of its own."""
    async with temporal_server() as temporal, world(temporal, tmp_path_factory.mktemp("w")) as made:
        yield made


@contextlib.asynccontextmanager
async def worker_of(
    w: World, agent: str, step: str, body: Callable[[], Awaitable[None]]
) -> AsyncIterator[None]:
    """An agent's worker whose one step does what a test says."""
    found = processes.DEFINITION.step(step)
    assert found is not None

    @activity.defn(name=step)
    @governed(action=found.action, system=found.system)
    async def run(request: StepRequest) -> PartRef:
        await body()
        return current_grant().keep(found.produces[0], Weight(value="80.00"))

    async with Worker(await w.agent_client(agent), task_queue=agent, activities=[run]):
        yield


async def entries(w: World, case: str) -> list[dict[str, Any]]:
    """The ledger's entries about a case."""
    return [each for each in await w.entries() if each.get("case") == case]


async def stopped(w: World, case: str) -> None:
    """Wait until the authority has stopped a case."""

    async def look() -> bool:
        return (await w.people["una"].case(case)).status == "stopped"

    await until(look)


async def audited(w: World, case: str, code: type) -> dict[str, int]:
    """The ledger and the case hold; how much of the case was checked."""
    await w.until_archived(case)
    files = await fetch_log(w.people["una"])
    assert verify(files).troubles == ()
    report = await replay(files, case, [code])
    assert report.troubles == ()
    return report.checked


async def test_a_returned_case_that_nobody_answers_can_be_ended(w: World) -> None:
    """I4, I9: it is closed, its workflow is terminated, its past is sealed, its subject is free."""
    subject = "depot/D1/parcel/21"
    async with w.workers():
        case = await w.open(subject)
        checkpoint = await w.until_checkpoint(case)
        with pytest.raises(AuthorityError, match="open case already"):
            await w.open(subject)
        answer = await w.admin.act("case.end", case, WHY)
        assert (answer.target, answer.case) == (case, case)
        view = await w.people["una"].case(case)
        assert (view.status, view.result) == ("closed", "ended")
        (shown,) = await w.people["una"].checkpoints(case=case)
        assert shown.status == "voided"
        with pytest.raises(AuthorityError):
            await w.people["cleo"].decide(checkpoint, Verdict.APPROVE, amount=Decimal("80.00"))
        checked = await audited(w, case, ParcelCheck)
        assert checked["cases that a person ended, their workflow terminated"] == 1
        again = await w.open(subject)
        await w.until_checkpoint(again)
        await w.admin.act("case.end", again, WHY)
        await w.until_archived(again)
    (closed,) = [each for each in await entries(w, case) if each["type"] == "case.closed"]
    assert (closed["actor"], closed["record"]) == ("operator:ada", subject)
    assert closed["data"]["result"] == "ended"
    assert WHY.reason not in json.dumps(closed)


async def test_a_case_whose_workflow_failed_can_be_ended(w: World) -> None:
    """I9: the failed history is sealed and replays; that a person ended it is no trouble."""
    subject = "depot/D1/parcel/22"
    async with w.workers(workflows=(FailingCheck,)):
        case = await w.open(subject)
        await stopped(w, case)
        await w.admin.act("case.end", case, WHY)
        assert (await w.people["una"].case(case)).stopped_for is None
        checked = await audited(w, case, FailingCheck)
        assert checked["cases that a person ended, their workflow failed"] == 1


async def test_people_are_told_of_the_first_case_that_is_stopped_for_a_reason(
    w: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Not of each while it waits to be looked at; and anew once nobody's does."""
    caplog.set_level(logging.INFO, "placet.authority.notices")

    async def told(cases: int) -> list[str]:
        said = [each.message for each in caplog.records]
        of = [each.split()[1] for each in said if each.startswith("case.stopped")]
        assert len(of) <= cases
        return of

    async with w.workers(workflows=(FailingCheck,)):
        first = await w.open("depot/D1/parcel/32")
        await stopped(w, first)
        second = await w.open("depot/D1/parcel/33")
        await stopped(w, second)
        for case in (first, second):
            await w.admin.act("case.end", case, WHY)
        third = await w.open("depot/D1/parcel/34")
        await stopped(w, third)

        async def both() -> bool:
            return len(await told(2)) == 2

        await until(both)
        assert await told(2) == [first, third]
        await w.admin.act("case.end", third, WHY)


async def test_a_case_whose_workflow_was_terminated_can_be_ended_in_the_midst_of_a_step(
    w: World,
) -> None:
    """I9, I10: a step was under way; its grant is revoked, and the cut history is accepted."""
    async with w.workers(only=("orchestrator",)):
        case = await w.open("depot/D1/parcel/23")
        handle = await w.workflow(case)

        async def scheduled() -> bool:
            return bool((await handle.describe()).raw_description.pending_activities)

        await until(scheduled)
        await handle.terminate("someone at Temporal")
        await stopped(w, case)
        await w.admin.act("case.end", case, WHY)
        await audited(w, case, ParcelCheck)
    assert (await w.people["una"].case(case)).result == "ended"


async def test_a_case_whose_workers_are_gone_can_be_ended(w: World) -> None:
    """I9: the history may end before the workflow's code has heard of what came last."""
    async with w.workers():
        case = await w.open("depot/D1/parcel/29")
        checkpoint = await w.until_checkpoint(case)
        handle = await w.workflow(case)

        async def waits() -> bool:
            events = (await handle.fetch_history()).events
            return any(each.HasField("timer_started_event_attributes") for each in events)

        await until(waits)
    await w.people["cleo"].decide(checkpoint, Verdict.APPROVE, amount=Decimal("80.00"))

    async def heard() -> bool:
        events = (await handle.fetch_history()).events
        return any(e.HasField("workflow_execution_signaled_event_attributes") for e in events)

    await until(heard)
    never = await w.open("depot/D1/parcel/28")
    await w.workflow(never)
    for each in (never, case):
        await w.admin.act("case.end", each, WHY)
        await audited(w, each, ParcelCheck)


async def test_a_live_grant_ends_with_its_case(w: World) -> None:
    """I10: the step that runs gets nothing more, and its settlement comes too late."""
    running, go_on = asyncio.Event(), asyncio.Event()

    async def body() -> None:
        running.set()
        await go_on.wait()

    async with w.workers(only=("orchestrator",)), worker_of(w, "scale", "weigh", body):
        case = await w.open("depot/D1/parcel/24")
        await running.wait()
        await w.admin.act("case.end", case, WHY)
        go_on.set()
        await audited(w, case, ParcelCheck)
    ends = [e for e in await entries(w, case) if e["type"] in {"grant.revoked", "grant.settled"}]
    assert [(e["type"], e["data"].get("reason")) for e in ends] == [("grant.revoked", "case_ended")]


async def test_money_that_may_be_moving_is_waited_for(w: World) -> None:
    """I11: a guarded grant that is issued and unsettled keeps its case."""
    running, go_on = asyncio.Event(), asyncio.Event()

    async def body() -> None:
        assert current_grant().details.max_amount is not None
        running.set()
        await go_on.wait()

    others = ("orchestrator", "scale", "second-scale")
    async with w.workers(only=others), worker_of(w, "carrier", "dispatch", body):
        case = await w.open("depot/D1/parcel/25")
        checkpoint = await w.until_checkpoint(case)
        await w.people["cleo"].decide(checkpoint, Verdict.APPROVE, amount=Decimal("80.00"))
        await running.wait()
        with pytest.raises(AuthorityError, match="money may be moving: grant .* for parcel:disp"):
            await w.admin.act("case.end", case, WHY)
        assert (await w.people["una"].case(case)).status == "open"
        go_on.set()
        await w.until_closed(case)
        with pytest.raises(AuthorityError, match="closed already, with the result dispatched"):
            await w.admin.act("case.end", case, WHY)


async def _no_other_word_of_the_system(w: World, key: SigningKey) -> None:
    """What who owns the log writes in the place of what the system said is found.

    So is what the system said of a grant that it was shown under this one's id.
    """
    files = await fetch_log(w.admin)
    owners = SigningKey.generate()
    used = [json.loads(each)["data"] for each in files.entries if b'"action.performed"' in each][-1]
    said = jwt.decode(used["word"], options={"verify_signature": False})
    signed = sign_use(UseClaims.model_validate({**said, "status": 409}), owners)
    digest = "sha-256:" + "A" * 43
    shown = [
        sign_use(UseClaims.model_validate({**said, **each}), key)
        for each in ({"details_digest": digest}, {"jkt": owners.thumbprint})
    ]
    early = sign_use(UseClaims.model_validate({**said, "used_at": used["used_at"] - 3600}), key)
    assert troubles(files, "", {}) == set()
    assert "use-unasked" in troubles(files, "action.requested", None)
    for name, entries in _refusable(files).items():
        assert "use-refusable" in troubles(entries, "", {}), name
    for change, found in (
        ({"status": 409}, "use-says-other"),
        ({"used_at": used["used_at"] - 60}, "use-says-other"),
        ({"body_digest": digest}, "use-says-other"),
        ({"word": shown[0]}, "use-says-other"),
        ({"word": shown[1]}, "use-says-other"),
        ({"word": early, "used_at": used["used_at"] - 3600}, "use-early"),
        ({"use": "another-use-of-another"}, "use-says-other"),
        ({"word": None}, "use-signature"),
        ({"word": signed, "status": 409}, "use-signature"),
        ({"word": signed, "status": 409, "key": owners.thumbprint}, "use-key"),
    ):
        assert found in troubles(files, "action.performed", change), change


def _refusable(files: LogFiles) -> dict[str, LogFiles]:
    """The log as if what was to be done had been asked for when it could not be any more."""
    read = [json.loads(each) for each in files.entries]
    at = max(n for n, each in enumerate(read) if each["type"] == "action.requested")
    asked = {**read[at]}
    ended = next(
        n
        for n, each in enumerate(read)
        if each["type"] == "grant.revoked" and each["data"]["grant"] == asked["data"]["grant"]
    )
    late = datetime.fromisoformat(asked["time"]) + timedelta(hours=1)
    hold = {**asked, "type": "hold.placed", "record": "depot/D1", "data": {}}
    stop = {**asked, "type": "case.stopped", "actor": AUTHORITY, "data": {"reason": "a reset"}}
    made = {
        "ended": [*read[:at], *read[at + 1 : ended + 1], asked, *read[ended + 1 :]],
        "expired": [*read[:at], {**asked, "time": f"{late:%Y-%m-%dT%H:%M:%SZ}"}, *read[at + 1 :]],
        "on-hold": [*read[:at], hold, *read[at:]],
        "stopped": [*read[:at], stop, *read[at:]],
    }
    return {
        name: dataclasses.replace(files, entries=tuple(map(canonical_json, entries)))
        for name, entries in made.items()
    }


async def test_an_action_that_was_begun_under_a_revoked_grant_is_waited_for(w: World) -> None:
    """I11: its system has not said how it ended; once it has, the case can be ended."""
    key, grants, go_on = SigningKey.generate(), [], asyncio.Event()
    await w.admin.act("system.enrol", "system:authority", EnrolIdentity(jwk=key.public.jwk()))

    async def body() -> None:
        grants.append(current_grant().id)
        await go_on.wait()

    async def dispatching() -> list[str]:
        return grants

    others = ("orchestrator", "scale", "second-scale")
    async with w.workers(only=others), worker_of(w, "carrier", "dispatch", body):
        case = await w.open("depot/D1/parcel/27")
        checkpoint = await w.until_checkpoint(case)
        await w.people["cleo"].decide(checkpoint, Verdict.APPROVE, amount=Decimal("80.00"))
        (grant,) = await until(dispatching)
        other = "the grant was given with other details, or to another key"
        await tell_use(w, key, grant, UseStage.INTENT, other, details_digest="sha-256:" + "A" * 43)
        await tell_use(w, key, grant, UseStage.INTENT, other, jkt=key.thumbprint)
        # Of an intent that never came here, nothing came either: that ends none which follows.
        await tell_use(w, key, grant, UseStage.RESULT, status="503")
        for _ in range(2):  # once for one id, and for nothing else under it
            await tell_use(w, key, grant, UseStage.INTENT, jti="intent-of-one-body")
        other, digest = "this id was used for another use", digest_bytes(b"another body")
        await tell_use(
            w, key, grant, UseStage.INTENT, other, jti="intent-of-one-body", body_digest=digest
        )
        await w.admin.act("agent.suspend", "agent:carrier", WHY)
        with pytest.raises(AuthorityError, match=f"money may be moving: grant {grant}"):
            await w.admin.act("case.end", case, WHY)
        await tell_use(w, key, grant, UseStage.RESULT)
        await w.admin.act("case.end", case, WHY)
        go_on.set()
        await audited(w, case, ParcelCheck)
        await _no_other_word_of_the_system(w, key)
    await w.admin.act("agent.resume", "agent:carrier", WHY)


async def test_only_administrators_end_a_case_and_they_say_why(w: World) -> None:
    """I6: refused, it is on the ledger; the case stands as it was."""
    async with w.workers():
        case = await w.open("depot/D1/parcel/26")
        await w.until_checkpoint(case)
        for person in ("pat", "cleo", "una"):
            with pytest.raises(AuthorityError, match="needs the role administrator"):
                await w.people[person].act("case.end", case, WHY)
        with pytest.raises(AuthorityError, match="body: "):
            await w.admin.act("case.end", case, {})
        with pytest.raises(AuthorityError, match="there is no such case"):
            await w.admin.act("case.end", f"case-{'0' * 26}", WHY)
        assert (await w.people["una"].case(case)).status == "open"
    refused = [e["data"] for e in await w.entries("act.refused") if e["data"]["target"] == case]
    assert [each["act"] for each in refused] == ["case.end"] * 3
