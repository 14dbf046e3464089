"""The archive of a closed case: what is sealed, what is refused, and what stays visible."""

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from google.protobuf.field_mask_pb2 import FieldMask
from temporalio import activity
from temporalio.api.common.v1 import TimeSkippingConfig, WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflow.v1 import WorkflowExecutionOptions
from temporalio.api.workflowservice.v1 import (
    DeleteWorkflowExecutionRequest,
    PauseWorkflowExecutionRequest,
    ResetWorkflowExecutionRequest,
    UnpauseWorkflowExecutionRequest,
    UpdateWorkflowExecutionOptionsRequest,
)
from temporalio.client import Client

from placet.audit import (
    Flight,
    LogFiles,
    head_size,
    read_bundle,
    record_flight,
    replay,
    timeline,
    verify,
    verify_bundle,
    write_bundle,
)
from placet.authority import SigningKeys, Store, open_authority, rotate_payload_keys
from placet.authority._archiving import Archivist
from placet.cli import fetch_case
from placet.cli._fetch import fetch_story
from placet.ledger import run_root, seal_runs
from placet.model import (
    CaseArchive,
    CaseView,
    Reason,
    Verdict,
    digest_json,
)
from tests.admitting import admit
from tests.audit.recording import changed_entry, names, put
from tests.harness.databases import KINDS, new_database
from tests.harness.gates import Gate, gate
from tests.harness.logs import only, whole_log
from tests.harness.other_parcels import ContinuingCheck
from tests.harness.parcels import ParcelCheck
from tests.harness.raw import rogue_worker
from tests.harness.reading import plain_history, reading
from tests.harness.world import PASSPHRASE, World, temporal_server, until, world

_LETS_OTHERS_MEDDLE = (
    "frontend.WorkflowPauseEnabled=true",
    "frontend.WorkflowTimeSkippingEnabled=true",
)
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def door() -> AsyncIterator[tuple[Client, Gate]]:
    """Temporal, and a gate before it that the authority alone goes through."""
    async with (
        temporal_server(*_LETS_OTHERS_MEDDLE) as temporal,
        gate(temporal.service_client.config.target_host) as before,
    ):
        yield temporal, before


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def w(
    request: pytest.FixtureRequest,
    door: tuple[Client, Gate],
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[World]:
    """One world for the module, and one more on PostgreSQL; each test has parcels of its own."""
    temporal, before = door
    folder = tmp_path_factory.mktemp("w")
    through = await Client.connect(before.address)
    with new_database(request, getattr(request, "param", "sqlite"), folder) as url:
        async with world(through, folder, url) as made:
            made.temporal = reading(temporal, made.settings)
            yield made


on_both = pytest.mark.parametrize("w", KINDS, indirect=True)


async def dispatch(w: World, case: str) -> None:
    """A person approves, and the case closes."""
    checkpoint = await w.until_checkpoint(case)
    await w.people["cleo"].decide(checkpoint, Verdict.APPROVE, amount=Decimal("80.00"))
    await w.until_closed(case)


async def archive_of(w: World, case: str) -> CaseArchive:
    """What the authority keeps of a case's history."""
    return CaseArchive.model_validate(await w.people["una"].get(f"/v1/cases/{case}/archive"))


async def entries(w: World, case: str | None, type_: str) -> list[dict[str, Any]]:
    """The case's entries of one type, or those of no case."""
    found: list[dict[str, Any]] = []
    while len(page := await _page(w, len(found))) > 0:
        found += page
    return [each for each in found if each.get("case") == case and each["type"] == type_]


async def _page(w: World, start: int) -> list[dict[str, Any]]:
    answer = await w.admin.get(f"/v1/ledger/entries?from={start}&limit=1024")
    return [json.loads(each) for each in answer["entries"]]


async def until_view(w: World, case: str, name: str, value: object) -> CaseView:
    """The case, once its view says so."""

    async def look() -> CaseView | None:
        view = await w.people["una"].case(case)
        return view if getattr(view, name) == value else None

    found: CaseView = await until(look)
    return found


async def reset(w: World, case: str) -> str:
    """Reset a case's workflow to its first task; the new run."""
    view = await w.people["una"].case(case)
    answer = await w.temporal.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace="default",
            workflow_execution=WorkflowExecution(workflow_id=case, run_id=view.run_id or ""),
            workflow_task_finish_event_id=4,
            request_id=f"reset-{case}",
            reason="a test",
        )
    )
    return answer.run_id


@on_both
async def test_every_event_is_sealed_and_what_was_seen_before_is_how_it_begins(w: World) -> None:
    """I9: each event's digest, over what the payloads say; prefixes at checkpoint and dispatch."""
    async with w.workers():
        case = await w.open("depot/A1/parcel/1")
        await dispatch(w, case)
        await w.until_archived(case)
    kept = await archive_of(w, case)
    (entry,) = await entries(w, case, "case.archived")
    assert kept.salt is not None
    assert kept.seal == seal_runs(kept.runs, kept.salt)
    assert entry["data"]["seal_digest"] == digest_json(kept.seal)
    assert entry["data"]["contents_digest"] == digest_json(kept.contents)
    assert entry["data"]["runs"] == [run_root(kept.seal.runs[0]).model_dump(mode="json")]
    (opened,) = await entries(w, case, "checkpoint.opened")
    guarded = [e for e in await entries(w, case, "grant.issued") if "history" in e["data"]]
    assert [each["data"]["action"] for each in guarded] == ["parcel:dispatch"]
    seen = [each["data"]["history"] for each in (opened, *guarded)]
    assert 0 < seen[0]["events"] < seen[1]["events"] < len(kept.seal.runs[0].events)
    for each in seen:
        assert each == run_root(kept.seal.runs[0], each["events"]).model_dump(mode="json")
    # The archive says what Temporal hides.
    raw = (await w.temporal.get_workflow_handle(case).fetch_history()).to_json()
    assert "depot/A1" not in raw
    assert json.loads(kept.runs[0].history) == json.loads(
        await plain_history(w.temporal, w.settings, case)
    )
    assert [len(each) for each in (kept.contents.parts, kept.contents.decisions)] == [3, 1]


async def test_a_history_is_sealed_when_temporal_comes_back(
    w: World, door: tuple[Client, Gate]
) -> None:
    """I9, I11: while Temporal is away the case is seen as not archived, and is tried again."""
    _, before = door
    async with w.workers():
        case = await w.open("depot/A1/parcel/2")
        checkpoint = await w.until_checkpoint(case)
        await w.people["cleo"].decide(checkpoint, Verdict.REJECT, reason_code="no")
        await w.until_closed(case)
        before.close()
        try:
            view = await w.people["una"].case(case)
            if not view.archived:
                view = await until_view(w, case, "archive", "failed")
                assert "Temporal" in (view.archive_trouble or "")
        finally:
            before.open()
        view = await w.until_archived(case)
    assert (view.archive, view.archive_trouble) == ("sealed", None)
    assert len(await entries(w, case, "case.archived")) == 1


async def test_a_history_that_is_ahead_of_the_clock_is_sealed_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I9: sealed before its own events, it would be told as a forgery for ever."""
    behind, archive = [timedelta(seconds=30)], Archivist._archive

    async def behind_temporals(self: Archivist, case: Any) -> None:
        core = self._core
        self._core = dataclasses.replace(core, clock=lambda: core.clock() - behind[0])
        await archive(self, case)
        self._core = core

    monkeypatch.setattr(Archivist, "_archive", behind_temporals)
    async with (
        temporal_server() as temporal,
        world(temporal, tmp_path, clock=lambda: datetime.now(UTC)) as w,
        w.workers(),
    ):
        case = await w.open("depot/A1/parcel/2")
        checkpoint = await w.until_checkpoint(case)
        await w.people["cleo"].decide(checkpoint, Verdict.REJECT, reason_code="no")
        view = await until_view(w, case, "archive", "failed")
        assert view.archive_trouble == "this authority's clock is behind its last event"
        behind[0] = timedelta(0)
        await w.until_archived(case)
        (sealed,) = await entries(w, case, "case.archived")
        history = await w.temporal.get_workflow_handle(case).fetch_history()
    last = max(each.event_time.ToDatetime(tzinfo=UTC) for each in history.events)
    assert datetime.fromisoformat(sealed["time"]) >= last - timedelta(seconds=5)


async def test_a_history_of_several_pages_is_sealed(w: World) -> None:
    """I9: Temporal gives 256 events at a time; what nobody listens to is in it as well."""
    async with w.workers():
        case = await w.open("depot/A1/parcel/3")
        await w.until_checkpoint(case)
        handle = w.temporal.get_workflow_handle(case)
        for _ in range(6):
            await asyncio.gather(*(handle.signal("noise", "x" * 50) for _ in range(100)))
        await dispatch(w, case)
        await w.until_archived(case)
    (run,) = (await archive_of(w, case)).seal.runs
    assert len(run.events) > 600


async def test_two_authorities_seal_a_history_once(w: World, door: tuple[Client, Gate]) -> None:
    """I11: whoever comes second finds it done."""
    temporal, _ = door
    async with w.workers(), open_authority(w.settings, temporal):
        for number in range(3):
            case = await w.open(f"depot/A2/parcel/{number + 1}")
            await dispatch(w, case)
            await w.until_archived(case)
            assert len(await entries(w, case, "case.archived")) == 1


@on_both
async def test_one_case_is_fetched_without_the_others(
    w: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For its bundle, which has the bytes of one that was made of the whole log, and its story."""
    una, asked, send = w.people["una"], list[str](), httpx.AsyncClient.send
    async with w.workers():
        cases = [await w.open(f"depot/A2/parcel/{number}") for number in (7, 8)]
        for case in cases:
            await dispatch(w, case)
            await w.until_archived(case)
    ours, other = cases

    async def seen(self: httpx.AsyncClient, request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return await send(self, request)

    whole = await whole_log(una)
    with monkeypatch.context() as patch:
        patch.setattr(httpx.AsyncClient, "send", seen)
        files = await fetch_case(una, ours, head_size(whole.head))
        story = await fetch_story(una, ours)
    assert write_bundle(files, ours) == write_bundle(only(whole, ours), ours)
    assert list(timeline(story, ours)) == list(timeline(whole, ours))
    assert not [each for each in asked if "/ledger/entries?" in each or other in each]


async def test_a_closed_case_that_is_reset_is_an_alarm(w: World) -> None:
    """I1, I9: a reset reopens even a closed workflow; its new run gets nothing, and is told of."""
    async with w.workers():
        case = await w.open("depot/A3/parcel/1")
        await dispatch(w, case)
        await w.until_archived(case)
        run_id = await reset(w, case)

        async def told() -> list[dict[str, Any]]:
            return await entries(w, case, "case.alarm")

        (alarm,) = await until(told)
        assert run_id in alarm["data"]["reasons"][0]
        view = await w.people["una"].case(case)
        assert run_id in (view.alarm or "")
        await admit(w.admin, case, "someone pressed reset", run_id)

        async def ended() -> bool:
            description = await w.temporal.get_workflow_handle(case, run_id=run_id).describe()
            return description.status is not None and description.status.name != "RUNNING"

        await until(ended)
    assert len(await entries(w, case, "case.archived")) == 1


async def nothing_else_was_admitted(w: World) -> None:
    """Whoever owns the log can't say that a person admitted another run, or another trouble."""
    files = await whole_log(w.people["una"])
    assert verify(files).troubles == ()
    last = max(at for at, each in enumerate(files.entries) if b'"case.admitted"' in each)
    other = changed_entry(files, last, put(run_id="0" * 8 + "-0000-0000-0000-" + "0" * 12))
    assert ("act-says-other", f"entry {last}") in names(verify(other))
    for type_, member in (("case.stopped", "reason"), ("case.alarm", "reasons")):
        at = max(at for at, each in enumerate(files.entries) if type_.encode() in each)
        said = json.loads(files.entries[at])["data"][member]
        milder = changed_entry(files, at, put(**{member: type(said)()}))
        # Whoever signed later had another head in sight: of a log that was written so at once, no.
        assert {name for name, _ in names(verify(milder))} - {"seen-head"} == {"admitted-other"}


@on_both
async def test_a_case_that_was_reset_goes_on_in_the_run_that_a_person_admits(w: World) -> None:
    """I1: nothing is granted to a run that nobody admitted; both runs are sealed in the end."""
    async with w.workers():
        case = await w.open("depot/A3/parcel/2")
        await w.until_checkpoint(case)
    first = (await w.people["una"].case(case)).run_id
    run_id = await reset(w, case)
    await until_view(w, case, "status", "stopped")
    await admit(w.admin, case, "I did not look")
    await until_view(w, case, "status", "stopped")  # the run is not one that was admitted
    await admit(w.admin, case, "it was me", run_id)
    async with w.workers():
        await dispatch(w, case)
        view = await w.until_archived(case)
    assert view.run_id == run_id
    kept = await archive_of(w, case)
    assert [each.run_id for each in kept.runs] == [first, run_id]
    admitted = [each["data"].get("run_id") for each in await entries(w, case, "case.admitted")]
    assert admitted == [None, run_id]
    await nothing_else_was_admitted(w)
    flight = await examined(w, case)
    marks = [(each.run, mark) for each in flight.frames for mark in each.marks]
    stopping = "the code failed at this task"  # a worker that is stopped in a task says so
    assert [each for each in marks if each[1] != stopping] == [
        (first, "terminated"),
        (run_id, "reset"),
    ]
    assert "case.admitted" in {moment.type for each in flight.frames for moment in each.ledger}


async def bundled(w: World, case: str) -> LogFiles:
    """What is in a closed case's bundle, and holds."""

    async def covered() -> LogFiles | None:
        files = await fetch_case(w.people["una"], case)
        return files if case in files.archives else None

    bundle = read_bundle(write_bundle(await until(covered), case))
    assert verify_bundle(bundle).troubles == ()
    return bundle.files


async def examined(w: World, case: str, code: type = ParcelCheck) -> Flight:
    """Everything of a case holds, by its bundle alone, run by run; its flight."""
    files = await bundled(w, case)
    for sealed in (True, False):
        report = await replay(files, case, [code], sealed=sealed)
        assert [(each.name, each.found) for each in report.troubles] == []
    return await record_flight(files, case, [code])


async def test_a_case_goes_on_in_the_run_that_continues_it(w: World) -> None:
    """I1, I4, I9: nobody has to admit what the case's own run continues as; both are sealed."""
    async with w.workers(workflows=(ContinuingCheck,)):
        case = await w.open("depot/A3/parcel/5")
        await dispatch(w, case)
        view = await w.until_archived(case)
    (told,) = await entries(w, case, "case.continued")
    (started,) = await entries(w, case, "case.started")
    assert told["data"] == {"run_id": view.run_id, "continues": started["data"]["run_id"]}
    assert await entries(w, case, "case.stopped") == []
    kept = await archive_of(w, case)
    assert [each.run_id for each in kept.runs] == [told["data"]["continues"], view.run_id]
    flight = await examined(w, case, ContinuingCheck)
    assert [(each.run, mark) for each in flight.frames for mark in each.marks] == [
        (kept.runs[0].run_id, "continued as a new run"),
        (kept.runs[1].run_id, "continues another run"),
    ]
    files = await bundled(w, case)
    other = await replay(files, case, [ParcelCheck])
    assert {"command", "replay"} & {each.name for each in other.troubles}
    numbered = [each for each in files.numbered() if b'"case.continued"' not in each[1]]
    untold = dataclasses.replace(
        files,
        indices=tuple(index for index, _ in numbered),
        entries=tuple(data for _, data in numbered),
    )
    found = await replay(untold, case, [ContinuingCheck])
    assert {"run-unadmitted", "history-start"} <= {each.name for each in found.troubles}


async def waiting(w: World, case: str) -> None:
    """Wait until nothing of the case runs: people are asked, and the workflow waits for a bell."""

    async def timer_is_set() -> bool:
        history = await w.temporal.get_workflow_handle(case).fetch_history()
        return any(each.HasField("timer_started_event_attributes") for each in history.events)

    await w.until_checkpoint(case)
    await until(timer_is_set)


async def test_a_paused_case_is_stopped_and_its_pause_is_shown(w: World) -> None:
    """I1, I9: nothing is granted to it until a person lets it go on, and an auditor sees why."""
    service = w.temporal.workflow_service
    async with w.workers():
        case = await w.open("depot/A3/parcel/3")
        await waiting(w, case)
        await service.pause_workflow_execution(
            PauseWorkflowExecutionRequest(
                namespace="default", workflow_id=case, request_id="pause", reason="a test"
            )
        )
        view = await until_view(w, case, "status", "stopped")
        assert "paused" in (view.stopped_for or "")
        await service.unpause_workflow_execution(
            UnpauseWorkflowExecutionRequest(
                namespace="default", workflow_id=case, request_id="unpause", reason="a test"
            )
        )
        await admit(w.admin, case, "someone at Temporal")
        await dispatch(w, case)
        await w.until_archived(case)
    flight = await examined(w, case)
    marks = [mark for each in flight.frames for mark in each.marks]
    assert marks == ["paused", "goes on after a pause"]


async def test_skipped_time_is_shown_and_told(w: World) -> None:
    """I9: a clock that someone moved on: the ledger's own does not agree with it."""
    options = UpdateWorkflowExecutionOptionsRequest(
        namespace="default",
        workflow_execution_options=WorkflowExecutionOptions(
            time_skipping_config=TimeSkippingConfig(enabled=True, max_session_skip_count=1)
        ),
        update_mask=FieldMask(paths=["time_skipping_config"]),
    )
    async with w.workers():
        case = await w.open("depot/A3/parcel/4")
        await waiting(w, case)
        options.workflow_execution.workflow_id = case
        await w.temporal.workflow_service.update_workflow_execution_options(options)

        async def skipped() -> bool:
            history = await w.temporal.get_workflow_handle(case).fetch_history()
            return any("TIME_SKIPPING" in EventType.Name(e.event_type) for e in history.events)

        await until(skipped)
        await dispatch(w, case)
        await w.until_archived(case)
    files = await bundled(w, case)
    flight = await record_flight(files, case, [ParcelCheck])
    marks = [mark for each in flight.frames for mark in each.marks]
    assert "time was skipped" in marks
    assert {each.name for each in flight.report.troubles} == {"time-order"}


async def test_a_case_whose_execution_vanished_is_lost(w: World) -> None:
    """I9: nothing can be sealed of what Temporal does not have any more, and the ledger says so."""
    async with w.workers(only=("scale", "second-scale", "orchestrator")):
        case = await w.open("depot/A4/parcel/1")
        await w.until_checkpoint(case)
        await w.temporal.workflow_service.delete_workflow_execution(
            DeleteWorkflowExecutionRequest(
                namespace="default", workflow_execution=WorkflowExecution(workflow_id=case)
            )
        )
        await until_view(w, case, "status", "stopped")
        await w.admin.act("case.end", case, Reason(reason="it is gone"))
        view = await until_view(w, case, "archive", "lost")
        assert not view.archived
    assert len(await entries(w, case, "case.lost")) == 1
    assert await entries(w, case, "case.archived") == []


async def test_a_history_that_does_not_fit_is_an_alarm_until_a_person_admits_it(w: World) -> None:
    """I9, I13: a step that nobody was granted; sealed with its alarm, and not before."""
    calls: list[Any] = []

    async def invent(_: activity.Info) -> str:
        return "heavy"

    async with (
        w.workers(only=("second-scale", "orchestrator")),
        rogue_worker(w, "scale", "weigh", invent, calls),
    ):
        case = await w.open("depot/A5/parcel/1")

        async def invented() -> bool:
            return bool(calls)

        await until(invented)
        await stopped_or_waiting(w, case)
        await w.admin.act("case.end", case, Reason(reason="not ours"))
        view = await until_view(w, case, "archive", "alarm")
        assert "weigh completed without a grant" in (view.archive_trouble or "")
        assert not view.archived
        (alarm,) = await entries(w, case, "case.alarm")
        await admit(w.admin, case, "it is known")
        await w.until_archived(case)
    (sealed,) = await entries(w, case, "case.archived")
    assert sealed["data"]["alarms"] == alarm["data"]["reasons"]


async def stopped_or_waiting(w: World, case: str) -> None:
    """Wait until the step after the invented one was tried."""

    async def tried() -> bool:
        for type_ in ("grant.denied", "grant.settled"):
            if await entries(w, case, type_):
                return True
        return False

    await until(tried)


async def test_payloads_from_before_a_rotation_stay_readable(w: World) -> None:
    """I4, I9, I11: an open case goes on under its new key, is sealed whole, and replays; the ledger
    tells of each rotation."""
    async with w.workers():
        case = await w.open("depot/A6/parcel/1")
        await w.until_checkpoint(case)
        async with await Store.open(w.settings.database_url, origin=w.settings.origin) as store:
            for _ in range(2):
                assert await rotate_payload_keys(store, SigningKeys(PASSPHRASE)) > 0
    async with w.workers():  # workers that were started anew ask for the keys anew
        await asyncio.wait_for(_dispatched(w, case), 60)
    raw = (await w.temporal.get_workflow_handle(case).fetch_history()).events
    first = raw[0].workflow_execution_started_event_attributes.input.payloads[0]
    last = raw[-1].workflow_execution_completed_event_attributes.result.payloads[0]
    assert (first.metadata["key"], last.metadata["key"]) == (b"1", b"3")
    await examined(w, case)
    first_told, second_told = await entries(w, None, "key.rotated")
    assert second_told["data"]["replaces"] == first_told["data"]["key"]
    assert second_told["data"]["open"] >= 1


async def _dispatched(w: World, case: str) -> None:
    await dispatch(w, case)
    await w.until_archived(case)
