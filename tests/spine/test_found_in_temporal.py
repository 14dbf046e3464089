"""A case in Temporal's own lists: found by what is not personal, and served in its turn."""

import asyncio
import base64
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal

import httpx
import pytest
import pytest_asyncio
from google.protobuf.json_format import MessageToDict
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client, WorkflowExecutionDescription
from temporalio.worker import Worker

from placet.audit import LogFiles, replay
from placet.authority import NamespaceTrouble
from placet.authority._errors import Unavailable
from placet.authority._namespace import prepare_namespace
from placet.cli import fetch_case
from placet.cli._codec import codec_app
from placet.model import SearchAttribute, Verdict
from placet.payloads import ENCODING
from tests.audit.changes import Change, leaves
from tests.audit.piecewise import Piecewise
from tests.harness import other_parcels, parcel_work
from tests.harness.world import World, temporal_server, until

pytestmark = pytest.mark.asyncio(loop_scope="module")
DAY = timedelta(days=1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def temporal() -> AsyncIterator[Client]:
    """A real Temporal server: fair within the one partition of a queue, and soon tired of a run."""
    async with temporal_server(
        "matching.enableFairness=true",
        "matching.numTaskqueueReadPartitions=1",
        "matching.numTaskqueueWritePartitions=1",
        "limit.historyCount.suggestContinueAsNew=8",
    ) as client:
        yield client


async def listed(w: World, query: str, *cases: str) -> None:
    """Wait until Temporal's list gives these cases for a query, and no other."""

    async def look() -> bool:
        found = {each.id async for each in w.temporal.list_workflows(query)}
        return found == set(cases)

    await until(look)


async def described(w: World, case: str) -> WorkflowExecutionDescription:
    """What Temporal shows of a case's workflow."""
    return await (await w.workflow(case)).describe()


def attributes(told: WorkflowExecutionDescription) -> dict[str, object]:
    """The search attributes of ours that a workflow has."""
    return {
        pair.key.name: pair.value
        for pair in told.typed_search_attributes
        if pair.key.name in set(SearchAttribute)
    }


async def test_a_case_is_found_by_how_it_stands_and_shows_nothing_of_its_record(w: World) -> None:
    """I7: process, stage, checkpoint and outcome in clear; the record as a tag, or encrypted."""
    async with w.workers():
        one = await w.open("depot/D1/parcel/11")
        checkpoint = await w.until_checkpoint(one)
        await listed(w, "PlacetStage = 'waiting' AND PlacetCheckpoint = 'release'", one)
        told = await described(w, one)
        await w.people["cleo"].decide(checkpoint, Verdict.APPROVE, amount=Decimal("80.00"))
        await w.until_closed(one)
        ended = "PlacetStage = 'closed' AND PlacetOutcome = 'dispatched'"
        await listed(w, f"{ended} AND PlacetProcess = 'parcel-check/1'", one)
        again = await w.open("depot/D1/parcel/11")
        other = await w.open("depot/D1/parcel/12")
        tag = attributes(told)[SearchAttribute.RECORD]
        await listed(w, f"PlacetRecord = '{tag}'", one, again)
        assert attributes(await described(w, other))[SearchAttribute.RECORD] != tag
    raw = told.raw_description
    sealed = [
        *raw.workflow_execution_info.memo.fields.values(),
        raw.execution_config.user_metadata.summary,
        raw.execution_config.user_metadata.details,
    ]
    assert [each.metadata["encoding"] for each in sealed] == [ENCODING] * 3
    assert b"D1" not in raw.SerializeToString()
    orchestrator = await w.agent_client("orchestrator")
    opened = await orchestrator.get_workflow_handle(one).describe()
    assert await opened.memo_value("subject", type_hint=str) == "depot/D1/parcel/11"
    assert await opened.static_summary() == "parcel-check of depot/D1/parcel/11"


async def test_the_codec_server_shows_payloads_to_an_operator_and_the_ledger_says_so(
    w: World,
) -> None:
    """I4, I7: case by case, for pages of the UI alone, and under the operator's own name."""
    async with w.workers(only=()):
        one, other = await w.open("depot/D1/parcel/13"), await w.open("depot/D1/parcel/14")
        sealed = [(await described(w, each)).raw_description for each in (one, other)]
    asked = [MessageToDict(each.workflow_execution_info.memo.fields["subject"]) for each in sealed]
    clear = {"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": "IjEi"}
    una, ui = w.people["una"], {"Origin": "https://temporal.test"}
    forged = {**asked[0], "metadata": {**asked[0]["metadata"], "case": _b64(other)}}
    unknown = {**asked[0], "metadata": {**asked[0]["metadata"], "case": _b64(f"case-{'0' * 26}")}}
    app = codec_app(una, ui["Origin"], "word")
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1:8690"
    ) as browser:
        body = {"payloads": [asked[0], clear, asked[1], forged]}
        answer = await browser.post("/word/decode", json=body, headers=ui)
        assert answer.headers["access-control-allow-origin"] == ui["Origin"]
        opened = [base64.b64decode(each["data"]) for each in answer.json()["payloads"][:3]]
        assert opened == [b'"depot/D1/parcel/13"', b'"1"', b'"depot/D1/parcel/14"']
        assert answer.json()["payloads"][3] == forged, "it is not that case's"
        assert (await browser.options("/word/decode", headers=ui)).status_code == 204
        for path, headers, given in (
            ("/word/decode", {"Origin": "https://elsewhere.test"}, body),
            ("/word/decode", {}, body),
            ("/word/encode", ui, body),
            ("/word/decode", ui, {"payloads": [unknown]}),
        ):
            assert (await browser.post(path, json=given, headers=headers)).status_code == 403
        assert (await browser.post("/other/decode", json=body, headers=ui)).status_code == 404
        assert (await browser.post("/word/decode", json={}, headers=ui)).status_code == 400
        large = await browser.post("/word/decode", content=bytes(2**23 + 1), headers=ui)
        assert large.status_code == 413
        await w.admin.act("operator.suspend", "operator:una", {"reason": "a test"})
        assert (await browser.post("/word/decode", json=body, headers=ui)).status_code == 403
    told = [(e["actor"], e["case"], e["data"]) for e in await w.entries("payloads.opened")]
    assert told == [("operator:una", case, {"payloads": 1}) for case in (one, other)]


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


async def test_many_cases_about_one_record_starve_no_other(w: World) -> None:
    """Whose cases are many waits for them; the one of somebody else is served in its turn."""
    async with w.workers(only=("orchestrator",)):
        many = [await w.open(f"depot/D1/parcel/{number}") for number in range(20, 32)]
        for case in many:
            await w.workflow(case)

        async def pending() -> bool:
            return all([(await described(w, c)).raw_description.pending_activities for c in many])

        await until(pending)
        few = await w.open("depot/D2/parcel/1")
        keys = {
            (await described(w, case)).raw_description.workflow_execution_info.priority.fairness_key
            for case in many
        }
        own = (await described(w, few)).raw_description.workflow_execution_info.priority
        assert len(keys) == 1
        assert own.fairness_key not in {"", *keys}

        async def scheduled() -> bool:
            return bool((await described(w, few)).raw_description.pending_activities)

        await until(scheduled)
        one_at_a_time = Worker(
            await w.agent_client("scale"),
            task_queue="scale",
            activities=[parcel_work.weigh],
            max_concurrent_activities=1,
            graceful_shutdown_timeout=timedelta(seconds=2),
        )
        async with one_at_a_time:

            async def weighed() -> bool:
                return len(await w.entries("grant.settled")) == len(many) + 1

            await until(weighed)
    order = [each["case"] for each in await w.entries("grant.issued")]
    assert order.index(few) <= 2, "it waited for somebody else's"


async def test_rounds_go_on_in_a_new_run_where_the_history_has_grown_long(w: World) -> None:
    """I9: the case keeps its attributes and the count of its rounds, and both runs replay."""
    async with w.workers(workflows=(other_parcels.RoundsCheck,)):
        case = await w.open("depot/D3/parcel/1")
        checkpoint = await w.until_checkpoint(case)
        await w.people["cleo"].decide(checkpoint, Verdict.APPROVE, amount=Decimal("80.00"))
        view = await w.until_archived(case)
        files = await until(lambda: covered(w, case))
    (continued,) = await w.entries("case.continued")
    assert continued["data"]["run_id"] == view.run_id
    report = await replay(files, case, [other_parcels.RoundsCheck])
    assert [(each.name, each.found) for each in report.troubles] == []
    await asyncio.to_thread(require_found, files, case)
    await listed(w, f"PlacetStage = 'closed' AND RunId = '{view.run_id}'", case)
    orchestrator = await w.agent_client("orchestrator")
    told = await orchestrator.get_workflow_handle(case).describe()
    assert await told.memo() == {"subject": "depot/D3/parcel/1", "rounds": 1}
    assert told.raw_description.workflow_execution_info.priority.fairness_key


def require_found(files: LogFiles, case: str) -> None:
    """Whatever is changed of how a run goes on as another is found, without the seal."""
    read = Piecewise(files, case, other_parcels.RoundsCheck)
    going, on = (each["events"] for each in read.histories)
    shown = {"memo", "searchAttributes", "priority", "input", "eventTime", "newExecutionRunId"}
    for run, number in ((0, len(going) - 1), (1, 0)):
        event = (going, on)[run][number]
        tried = [
            Change(what, number, path)
            for path in leaves(event)
            for what in ("change", "remove")
            if shown & set(path)
        ]
        assert len(tried) > len(shown)
        assert [each for each in tried if read.finds(each, run) is None] == []


async def covered(w: World, case: str) -> LogFiles | None:
    """A closed case's part of the log, once a head covers it."""
    files = await fetch_case(w.people["una"], case)
    return files if case in files.archives else None


async def test_a_namespace_is_made_and_one_that_forgets_too_soon_is_refused(
    temporal: Client,
) -> None:
    """Cases are sealed after they have closed: until then Temporal has to keep their histories."""
    name = f"placet-{uuid.uuid4().hex[:8]}"
    other = Client(temporal.service_client, namespace=name)

    async def made() -> bool:
        try:
            await prepare_namespace(other, 3 * DAY)  # a new one is known everywhere after a while
        except Unavailable:
            return False
        return True

    await until(made)
    told = await other.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=name))
    assert told.config.workflow_execution_retention_ttl.ToTimedelta() == 3 * DAY
    await prepare_namespace(other, 3 * DAY)
    with pytest.raises(NamespaceTrouble, match="keeps closed workflows for 72h, and 96h are asked"):
        await prepare_namespace(other, 4 * DAY)
