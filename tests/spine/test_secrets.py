"""I7: no token reaches Temporal's history, a log, an error, the ledger or the store."""

import base64
import contextlib
import logging
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from placet.agent import current_grant, governed
from placet.client import AuthorityError
from placet.model import PartRef, Verdict
from placet.process import StepRequest
from tests.harness import parcel_work
from tests.harness.raw import ask, details_of, rogue_worker
from tests.harness.secrets import KEPT, OF_A_CASE, Recorder, histories, rows, search, tokens_in
from tests.harness.world import World, until, world

pytestmark = pytest.mark.asyncio(loop_scope="module")
SUBJECT = "depot/D1/parcel/7"


@pytest.fixture
def recorder() -> Recorder:
    """Sees every token that the authority issues or is shown."""
    return Recorder()


@pytest_asyncio.fixture(loop_scope="module")
async def recorded(temporal: Client, tmp_path: Path, recorder: Recorder) -> AsyncIterator[World]:
    """A world whose authority is recorded."""
    async with world(temporal, tmp_path, wrap=recorder.wrap, anew=True) as made:
        yield made


async def _places(w: World, caplog: pytest.LogCaptureFixture) -> dict[str, bytes]:
    """All that is written down: histories, the log of this process, and the store."""
    found = {"log": caplog.text.encode(), **rows(w.settings.database_url)}
    for case in w.started:

        async def look(case: str = case) -> dict[str, bytes]:
            return await histories(w.temporal, case, w.settings)

        for name, content in (await until(look)).items():  # the list of runs comes a little late
            found[f"history {name}"] = content
    return found


@activity.defn(name="weigh")
@governed(action="parcel:weigh", system="authority")
async def _stumbling(request: StepRequest) -> PartRef:
    """Weigh a parcel; at first fail with everything in the error that is at hand."""
    grant = current_grant()
    if activity.info().attempt == 1:
        raise RuntimeError(f"{grant!r} {grant.details!r} {vars(activity.info())}")
    return await parcel_work.weigh(request)


@contextlib.asynccontextmanager
async def _workers(w: World) -> AsyncIterator[None]:
    """All agents' workers; the scale stumbles."""
    async with (
        w.workers(only=("orchestrator", "second-scale", "carrier")),
        Worker(await w.agent_client("scale"), task_queue="scale", activities=[_stumbling]),
    ):
        yield


async def test_no_token_is_written_down_anywhere(
    recorded: World, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    """I7: a case that is returned, one that is approved, steps that fail, and one that is denied."""
    w, amount = recorded, Decimal("80.00")
    caplog.set_level(logging.DEBUG)
    async with _workers(w):
        returned = await w.open("depot/D1/parcel/9")
        first = await w.until_checkpoint(returned)
        await w.people["cleo"].decide(first, Verdict.RETURN, reason_code="unclear")
        assert (await w.until_archived(returned)).result == "returned"
        case = await w.open(SUBJECT)
        second = await w.until_checkpoint(case)
        with pytest.raises(AuthorityError):
            await w.people["pat"].decide(second, Verdict.APPROVE, amount=amount)
        await w.people["cleo"].decide(second, Verdict.APPROVE, amount=amount)
        await w.until_archived(case)
        await w.admin.act("agent.suspend", "agent:second-scale", {"reason": "a test"})
        await w.open("depot/D1/parcel/8")

        async def denied() -> list[Any]:
            return await w.entries("grant.denied")

        await until(denied)
    kinds = {"at+jwt", "dpop+jwt", "JWT", "placet-session+jwt", "placet-signin+jwt"}
    assert set(recorder.seen.values()) == kinds | OF_A_CASE
    places = await _places(w, caplog)
    assert search(places, recorder.secrets()) == []
    outside = {name: places[name] for name in places if name == "log" or "history" in name}
    assert len(outside) >= 1 + 2 * len(w.started)
    assert tokens_in(outside) == []
    assert tokens_in(places, but=KEPT) == []


async def test_a_token_that_was_written_down_is_found(
    recorded: World, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    """I7: the search above is able to fail, at each of the places, and below base64."""
    w = recorded
    caplog.set_level(logging.DEBUG)
    seen: list[Any] = []

    async def blab(info: activity.Info) -> str:
        reply = await ask(w, "scale", details_of(info))
        token = str(reply.body["access_token"])
        try:
            raise ConnectionError(f"refused: {token.rpartition('.')[2]}")
        except ConnectionError:
            logging.getLogger("a.worker").exception("a step failed")
        await w.people["una"].act("hold.place", "depot/D9", {"reason": token.rpartition(".")[2]})
        packed = base64.b64encode(f"> {token}".encode()).decode()
        raise ApplicationError("failed", {"packed": packed}, non_retryable=True)

    async with w.workers(only=("orchestrator",)), rogue_worker(w, "scale", "weigh", blab, seen):
        case = await w.open(SUBJECT)

        async def failed() -> bool:
            description = await (await w.workflow(case)).describe()
            return description.status is WorkflowExecutionStatus.FAILED

        await until(failed)
    places = await _places(w, caplog)
    found = search(places, recorder.secrets())
    for place in ("log: ", ".json: ", "table hold: "):
        assert any(place in each for each in found), (place, found)
    assert not any(".pb: " in each for each in found)  # in Temporal itself all of it is encrypted
    assert any("history" in each for each in tokens_in(places))
    token = next(each for each, kind in recorder.seen.items() if kind == "at+jwt")
    for packed in (token, base64.b64encode(token), base64.urlsafe_b64encode(b'{"a":"' + token)):
        assert search({"place": b"x" + b" " + packed}, [token])
        assert tokens_in({"place": b"x" + b" " + packed})
