"""The measurements: each a ratio, with the plain thing that was measured beside it."""

import asyncio
import base64
import json
import secrets
import sqlite3
import statistics
import time
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime
from typing import Any

import aiohttp
from google.protobuf.timestamp_pb2 import Timestamp
from temporalio import activity
from temporalio.api.enums.v1 import EventType
from temporalio.common import RawValue
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Worker

from bench.credentials import BARE
from bench.processor import milliseconds_each, seconds
from bench.results import Result
from bench.stage import Stage
from bench.work import ASKER, PROCESS, WORKS, BareBench
from placet.model import (
    ActivityRef,
    CaseInput,
    CheckpointView,
    RequestedDetails,
    Verdict,
    system_urn,
)
from placet.tokens import (
    GrantClaims,
    SigningKey,
    by_kid,
    make_client_assertion,
    make_proof,
    sign_grant,
    verify_client_assertion,
    verify_proof,
)

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ROUNDS, CASES, STEPS = 3, 20, 10
GRANTS, WARM_UP = 100, 10
DECISIONS = 25
WORKING = (20, 100)
"""Milliseconds of processor time that a step takes for itself, where it is no empty one."""


async def throughput(stage: Stage) -> list[Result]:
    """Activities a second, many cases at once; governed and bare take turns."""
    return [
        await _beside_bare(stage, "throughput.governed_over_bare", "the same activities", "t"),
        *[
            await _beside_bare(
                stage,
                f"throughput.working_{milliseconds}ms",
                f"the same activities, {milliseconds} ms of processor time each",
                WORKS.format(milliseconds=milliseconds),
            )
            for milliseconds in WORKING
        ],
    ]


async def _beside_bare(stage: Stage, name: str, what: str, named: str) -> Result:
    figures: dict[str, list[float]] = {"bare": [], "governed": []}
    spent: dict[str, list[dict[str, float]]] = {"bare": [], "governed": []}
    count = CASES * (STEPS + 1)
    for number in range(ROUNDS + 1):
        for side, run in (("bare", run_bare), ("governed", run_governed)):
            before, begun = seconds(), time.perf_counter()
            await asyncio.gather(*(run(stage, f"{named}{number}-{case}") for case in range(CASES)))
            took = time.perf_counter() - begun
            if number:  # the first round warms both sides up
                figures[side].append(count / took)
                spent[side].append(milliseconds_each(before, seconds(), count))
    return Result(
        name,
        statistics.median(figures["governed"]),
        statistics.median(figures["bare"]),
        "activities/s",
        f"{what} in plain Temporal, {CASES} workflows at once",
        ROUNDS,
        {side: _medians(rounds) for side, rounds in spent.items()},
    )


def _medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    return {part: statistics.median(each[part] for each in rounds) for part in rounds[0]}


async def run_bare(stage: Stage, name: str, steps: int = STEPS, side: str = BARE) -> None:
    """A plain workflow of so many steps, to its end; ``side`` is whose credentials they have."""
    handle = await _start_bare(stage, name, steps, side)
    await handle.result()


def bare_case(name: str, steps: int) -> CaseInput:
    """A case that the authority knows nothing of."""
    return CaseInput(case=f"case-{secrets.token_hex(13)}", subject=f"bench/{steps}/item/{name}")


async def _start_bare(stage: Stage, name: str, steps: int, side: str = BARE) -> Any:
    case = bare_case(name, steps)
    return await stage.temporal.start_workflow(
        BareBench.run, case, id=case.case, task_queue=f"{side}-orchestrator"
    )


async def run_governed(stage: Stage, name: str, steps: int | str = STEPS) -> None:
    opened = await stage.porter.open_case(PROCESS, f"bench/{steps}/item/{name}")
    await ended(stage, str(opened.case))


async def ended(stage: Stage, case: str) -> None:
    """Until a case's workflow has ended well."""
    handle = stage.temporal.get_workflow_handle(case, result_type=RawValue)
    while True:
        try:
            await handle.result()  # stays encrypted: only the case's own agents have its key
        except RPCError as error:  # the authority starts it a moment after it has answered
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            await asyncio.sleep(0.05)
        else:
            return


async def _handle(stage: Stage, case: str) -> Any:
    """The case's workflow; the authority starts it a moment after it has answered."""
    handle = stage.temporal.get_workflow_handle(case, result_type=RawValue)
    async with asyncio.timeout(60):
        while True:
            try:
                await handle.describe()
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise
                await asyncio.sleep(0.05)
            else:
                return handle


async def grant(stage: Stage) -> list[Result]:
    """A step's grant, asked for by a plain client, beside its own cryptography and one commit.

    Each of the steps is a fresh one and asks once, one after the other; nothing else runs.
    """
    taken: list[float] = []
    floors: list[float] = []
    floor = _floor(stage)
    subject = f"bench/ask-{WARM_UP + GRANTS}/item/grants"

    async with aiohttp.ClientSession() as http:

        @activity.defn(dynamic=True)
        async def ask(_encrypted: Sequence[RawValue]) -> None:
            begun = time.perf_counter()
            token = await ask_for_grant(http, stage, subject)
            asked = time.perf_counter()
            floor(token)
            taken.append((asked - begun) * 1000)
            floors.append((time.perf_counter() - asked) * 1000)

        async with Worker(stage.temporal, task_queue=ASKER, activities=[ask]):
            await run_governed(stage, "grants", f"ask-{WARM_UP + GRANTS}")
    return [
        Result(
            "grant.p50_over_floor",
            statistics.median(taken[WARM_UP:]),
            statistics.median(floors[WARM_UP:]),
            "ms",
            "its three signatures and two verifications, and one durable SQLite commit",
            GRANTS,
        )
    ]


async def ask_for_grant(http: aiohttp.ClientSession, stage: Stage, subject: str) -> str:
    """Ask for a grant as the step that calls this."""
    info = activity.info()
    details = RequestedDetails(
        locations=(system_urn("authority"),),
        actions=("item:touch",),
        identifier=subject,
        case=str(info.workflow_id),
        activity=ActivityRef(
            workflow_id=str(info.workflow_id),
            run_id=str(info.workflow_run_id),
            activity_id=info.activity_id,
            activity_type=info.activity_type,
            attempt=info.attempt,
        ),
    )
    url = f"{stage.issuer}/oauth/token"
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": _assertion(stage),
        "authorization_details": json.dumps([details.model_dump(mode="json")]),
    }
    async with http.post(url, data=form, headers={"DPoP": _proof(stage.asker, url)}) as answer:
        body = await answer.json()
        if answer.status != 200:
            raise RuntimeError(f"the authority answered {answer.status}: {body}")
        return str(body["access_token"])


def _assertion(stage: Stage) -> str:
    return make_client_assertion(
        stage.asker,
        f"agent:{ASKER}",
        issuer=stage.issuer,
        now=datetime.now(UTC),
        jti=secrets.token_urlsafe(18),
    )


def _proof(key: SigningKey, url: str) -> str:
    return make_proof(key, "POST", url, now=datetime.now(UTC), jti=secrets.token_urlsafe(18))


def _floor(stage: Stage) -> Callable[[str], None]:
    """The least that a grant can cost: its own cryptography and one commit."""
    database = sqlite3.connect(stage.folder / "floor.db", isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE entry (body BLOB)")
    signer = SigningKey.generate()
    client_id, url = f"agent:{ASKER}", f"{stage.issuer}/oauth/token"
    keys = by_kid([stage.asker.public])

    def floor(token: str) -> None:
        payload = token.split(".")[1]
        body = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
        now = datetime.now(UTC)
        verify_client_assertion(
            _assertion(stage), keys, client_id=client_id, issuer=stage.issuer, now=now
        )
        verify_proof(_proof(stage.asker, url), method="POST", url=url, now=now)
        sign_grant(GrantClaims.model_validate_json(body), signer)
        database.execute("INSERT INTO entry VALUES (?)", [body])

    return floor


async def resume(stage: Stage) -> list[Result]:
    """From a person's decision to the resumed workflow, beside a bare signal.

    Both end when the workflow schedules its next activity, as Temporal's own clock says.
    """
    governed = [await _decide(stage, number) for number in range(DECISIONS)]
    plain = [await _signal(stage, number) for number in range(DECISIONS)]
    beside = "a bare Temporal signal to the same workflow"
    figures = [("p50", statistics.median(governed), statistics.median(plain))]
    figures.append(("p95", _p95(governed), _p95(plain)))
    return [
        Result(f"resume.{name}_over_signal", ours, theirs, "ms", beside, DECISIONS)
        for name, ours, theirs in figures
    ]


def _p95(samples: list[float]) -> float:
    return statistics.quantiles(samples, n=20, method="inclusive")[-1]


async def _decide(stage: Stage, number: int) -> float:
    opened = await stage.porter.open_case(PROCESS, f"bench/0/item/r{number}")
    case = str(opened.case)
    handle = await _handle(stage, case)
    checkpoint: CheckpointView | None = None
    while checkpoint is None:
        found = await stage.clerk.checkpoints("open", case)
        checkpoint = found[0] if found else None
        await asyncio.sleep(0.02)
    await _quiet(handle)
    jws = stage.clerk.sign_decision(
        checkpoint, Verdict.APPROVE, amount=checkpoint.evidence.proposal.amount
    )
    begun = time.time()
    await stage.clerk.send_decision(checkpoint.id, jws)
    await handle.result()
    return await _resumed(handle, begun)


async def _signal(stage: Stage, number: int) -> float:
    handle = await _start_bare(stage, f"s{number}", 0)
    await _quiet(handle)
    begun = time.time()
    await handle.signal(BareBench.release)
    await handle.result()
    return await _resumed(handle, begun)


async def _quiet(handle: Any) -> None:
    """Wait until the workflow waits: it has taken its step, and no activity is pending."""
    while True:
        description = await handle.describe()
        pending = description.raw_description.pending_activities
        waits = not pending and not description.raw_description.HasField("pending_workflow_task")
        if waits and description.history_length > 5:
            return
        await asyncio.sleep(0.02)


async def _resumed(handle: Any, begun: float) -> float:
    """Milliseconds from ``begun`` until the activity that closes the case was scheduled."""
    at: Timestamp | None = None
    async for event in handle.fetch_history_events():
        scheduled = event.activity_task_scheduled_event_attributes
        if (
            event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
            and scheduled.activity_type.name == "close_case"
        ):
            at = event.event_time
    assert at is not None
    return (at.ToNanoseconds() / 1e9 - begun) * 1000


MEASURES: tuple[Callable[[Stage], Coroutine[Any, Any, list[Result]]], ...] = (
    throughput,
    grant,
    resume,
)
