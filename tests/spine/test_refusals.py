"""What a worker, a workflow or a stranger may not do, each refused and on the ledger."""

from decimal import Decimal
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from temporalio import activity
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Worker

from placet.client import AuthorityError
from placet.model import EnrolIdentity, FactSource, PublishPolicy, Verdict
from placet.process import BELL
from placet.tokens import SigningKey
from tests.agent.surroundings import serving
from tests.harness import parcels
from tests.harness.other_parcels import SkippingCheck, UnaskedCheck
from tests.harness.processes import DEFINITION, POLICIES, SCHEMA
from tests.harness.raw import Reply, ask, call, details_of, rogue_worker
from tests.harness.world import World, free_port, sandbox, until
from tests.spine import both_databases

pytestmark = pytest.mark.asyncio(loop_scope="module")
SUBJECT = "depot/D1/parcel/7"

_CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "another-customers-record": ({"record": "depot/D2/parcel/7"}, "I2"),
    "another-parcel": ({"record": "depot/D1/parcel/8"}, "I2"),
    "another-action": ({"action": "parcel:dispatch"}, "I1"),
    "another-system": ({"system": "customs"}, "I1"),
    "another-activity-type": ({"activity_type": "reweigh"}, "I1"),
    "unknown-activity-type": ({"activity_type": "steal"}, "I1"),
    "not-running": ({"activity_id": "999"}, "I1"),
    "another-attempt": ({"attempt": 2}, "I1"),
    "another-run": ({"run_id": "00000000-0000-0000-0000-000000000000"}, "I1"),
    "another-workflow": ({"workflow_id": "case-00000000000000000000000000"}, "I1"),
    "case-not-opened-here": ({"case": "case-00000000000000000000000000"}, "I1"),
}


async def test_a_running_step_gets_no_other_grant(w: World) -> None:
    """I1, I2: a real agent in a real step asks for what is not that step's."""
    seen: list[list[Reply]] = []

    async def probe(info: activity.Info) -> list[Reply]:
        return [
            await ask(w, "scale", details_of(info, **changed)) for changed, _ in _CHANGES.values()
        ]

    async with w.workers(only=("orchestrator",)), rogue_worker(w, "scale", "weigh", probe, seen):
        await w.open(SUBJECT)
        await until(lambda: _some(seen))
    denials = await w.entries("grant.denied")
    for (name, (_, invariant)), reply, denial in zip(
        _CHANGES.items(), seen[0], denials, strict=True
    ):
        assert reply.status == 400, name
        assert reply.body["error"] == "access_denied"
        assert reply.reasons[0] == invariant, name
        assert denial["actor"] == "agent:scale"
        assert denial["data"]["reasons"] == reply.reasons
        assert "access_token" not in reply.body


async def _some(seen: list[Any]) -> list[Any]:
    return seen


@both_databases
async def test_a_second_answer_kills_the_first_grant(w: World) -> None:
    """I1: asked again for the same attempt, the earlier grant is revoked first."""
    seen: list[Any] = []

    async def probe(info: activity.Info) -> Any:
        first = await ask(w, "scale", details_of(info))
        second = await ask(w, "scale", details_of(info))
        return first, second

    async with w.workers(only=("orchestrator",)), rogue_worker(w, "scale", "weigh", probe, seen):
        await w.open(SUBJECT)
        await until(lambda: _some(seen))
    assert [reply.status for reply in seen[0]] == [200, 200]
    issued = await w.entries("grant.issued")
    revoked = await w.entries("grant.revoked")
    mine = [entry for entry in issued if entry["actor"] == "agent:scale"]
    assert revoked[0]["data"]["grant"] == mine[0]["data"]["grant"]


@both_databases
async def test_an_assertion_counts_once(w: World) -> None:
    """A replayed client assertion is refused (RFC 7523 section 3, item 7)."""
    seen: list[Any] = []

    async def probe(info: activity.Info) -> Any:
        first = await ask(w, "scale", details_of(info), jti="the-same-jti-twice")
        return first, await ask(w, "scale", details_of(info), jti="the-same-jti-twice")

    async with w.workers(only=("orchestrator",)), rogue_worker(w, "scale", "weigh", probe, seen):
        await w.open(SUBJECT)
        await until(lambda: _some(seen))
    first, second = seen[0]
    assert (first.status, second.status) == (200, 401)
    assert second.body["error"] == "invalid_client"


async def test_a_thief_of_tasks_has_no_key(w: World) -> None:
    """I1, I13: who takes another agent's task gets no grant, and its result reaches nobody."""
    seen: list[Any] = []
    thief = SigningKey.generate()

    async def probe(info: activity.Info) -> Any:
        forged = await ask(w, "scale", details_of(info), key=thief)
        other = await ask(w, "carrier", details_of(info))
        return forged, other

    async with (
        w.workers(only=("orchestrator", "second-scale")),
        rogue_worker(w, "scale", "weigh", probe, seen),
    ):
        case = await w.open(SUBJECT)
        await until(lambda: _some(seen))
        forged, other = seen[0]
        assert forged.status == 401
        assert forged.body["error"] == "invalid_client"
        assert other.reasons == ["I1", "agent"]
        # The slipped-in result moves the workflow on, but nothing was settled to show or to use.
        await until(lambda: _failed_reweigh(w, case))
    assert await w.people["una"].checkpoints("open", case) == []


async def _failed_reweigh(w: World, case: str) -> bool:
    settled = await w.entries("grant.settled")
    return any(entry["data"]["outcome"] == "failed" for entry in settled)


async def test_a_stolen_token_is_worth_nothing_with_another_key(w: World) -> None:
    """A grant is bound to its holder's key (RFC 9449), and to one system."""
    seen: list[Any] = []
    thief = SigningKey.generate()

    async def probe(info: activity.Info) -> Any:
        granted = await ask(w, "orchestrator", details_of(info, action="checkpoint:open"))
        token = granted.body["access_token"]
        path = f"/v1/cases/{info.workflow_id}/checkpoints"
        stolen = await call(w, "POST", path, token, thief, {"checkpoint": "release"})
        own = await call(
            w, "POST", path, token, w.agents["orchestrator"], {"checkpoint": "release"}
        )
        return granted, stolen, own

    async with (
        rogue_worker(w, "orchestrator", "open_checkpoint", probe, seen),
        w.workers(only=("scale", "second-scale")),
        _orchestrating(w),
    ):
        await w.open(SUBJECT)
        await until(lambda: _some(seen))
    granted, stolen, own = seen[0]
    assert granted.status == 200
    assert stolen.status == 401
    assert own.status == 200


def _orchestrating(w: World) -> Any:
    """Workflow tasks only: the queue's activities are left to the rogue worker."""
    from temporalio.worker import Worker

    from tests.harness.parcels import ParcelCheck
    from tests.harness.world import sandbox

    return _Delayed(
        lambda client: Worker(
            client, task_queue="orchestrator", workflows=[ParcelCheck], workflow_runner=sandbox()
        ),
        w,
    )


class _Delayed:
    def __init__(self, make: Any, w: World) -> None:
        self._make, self._w = make, w

    async def __aenter__(self) -> None:
        self._worker = self._make(await self._w.agent_client("orchestrator"))
        await self._worker.__aenter__()

    async def __aexit__(self, *error: Any) -> None:
        await self._worker.__aexit__(*error)


@both_databases
async def test_workflow_code_that_skips_the_people_is_refused(w: World) -> None:
    """I5: what moves goods looks for the approval itself; workflow code can't vouch for one."""
    async with w.workers(workflows=(SkippingCheck,)):
        case = await w.open(SUBJECT)
        result = await (await w.workflow(case)).result()
    assert result == "I5,no_approval"
    denials = await w.entries("grant.denied")
    assert [entry["data"]["reasons"] for entry in denials] == [["I5", "no_approval"]]


@both_databases
async def test_a_case_stopped_for_want_of_an_approval_says_so(w: World) -> None:
    """I5: nobody was asked, which the workflow finds out by asking what came of it."""
    async with w.workers(workflows=(UnaskedCheck,)):
        case = await w.open(SUBJECT)

        async def stopped_for() -> str | None:
            return (await w.people["una"].case(case)).stopped_for

        assert await until(stopped_for) == "read_outcome was denied: no_approval"


@both_databases
async def test_a_signal_that_claims_an_approval_changes_nothing(w: World) -> None:
    """I5: a signal is only a bell."""
    async with w.workers():
        case = await w.open(SUBJECT)
        checkpoint = await w.until_checkpoint(case)
        handle = await w.workflow(case)
        await until(lambda: _reads(w, case, 1))  # a bell before the first look is heard by it
        await handle.signal(BELL)
        await until(lambda: _reads(w, case, 2))
        assert (await w.people["una"].case(case)).status == "open"
        assert (await w.people["una"].checkpoint(checkpoint.id)).status == "open"
        await w.people["cleo"].decide(checkpoint, Verdict.APPROVE, amount=Decimal("80.00"))
        assert (await w.until_closed(case)).result == "dispatched"


async def _reads(w: World, case: str, count: int) -> bool:
    issued = await w.entries("grant.issued")
    return sum(entry["data"]["action"] == "outcome:read" for entry in issued) >= count


async def test_a_workflow_started_by_someone_else_gets_nothing(w: World) -> None:
    """I1: a case exists because the authority opened it."""
    seen: list[Any] = []

    async def probe(info: activity.Info) -> Any:
        return await ask(w, "scale", details_of(info))

    from placet.model import CaseInput

    case = "case-" + "0" * 26
    w.started.append(case)
    address = w.temporal.service_client.config.target_host
    stranger = await Client.connect(address, data_converter=pydantic_data_converter)
    own = Worker(
        stranger,
        task_queue="orchestrator",
        workflows=[parcels.ParcelCheck],
        workflow_runner=sandbox(),
    )
    async with own, rogue_worker(w, "scale", "weigh", probe, seen):
        await stranger.start_workflow(
            "ParcelCheck",
            CaseInput(case=case, subject=SUBJECT),
            id=case,
            task_queue="orchestrator",
        )
        await until(lambda: _some(seen))
    assert seen[0].reasons == ["I1", "case"]


@both_databases
async def test_a_reset_case_is_stopped_for_a_person_to_look(w: World) -> None:
    """I1: a run that the authority did not start gets no grant, and the case is stopped."""
    async with w.workers():
        case = await w.open(SUBJECT)
        checkpoint = await w.until_checkpoint(case)
        view = await w.people["una"].case(case)
        await w.temporal.workflow_service.reset_workflow_execution(
            ResetWorkflowExecutionRequest(
                namespace="default",
                workflow_execution=WorkflowExecution(workflow_id=case, run_id=view.run_id),
                workflow_task_finish_event_id=4,
                request_id="a-reset",
                reason="an attack",
            )
        )

        async def stopped() -> bool:
            return (await w.people["una"].case(case)).status == "stopped"

        await until(stopped)
        with pytest.raises(AuthorityError):
            await w.people["cleo"].decide(checkpoint, Verdict.APPROVE, amount=Decimal("80.00"))
    assert [entry["case"] for entry in await w.entries("case.stopped")] == [case]
    (refused,) = await w.entries("decision.refused")
    assert refused["data"]["reasons"] == ["I6", "case_status"]


@both_databases
async def test_a_suspended_agent_gets_nothing_at_once(w: World) -> None:
    """I10: off means off, from the instant the suspension is durable."""
    await w.admin.act("agent.suspend", "agent:scale", {"reason": "a test"})
    async with w.workers():
        case = await w.open(SUBJECT)

        async def denied() -> list[Any]:
            return await w.entries("grant.denied")

        (denial,) = await until(denied)
    assert denial["data"]["reasons"] == ["I10", "suspended"]
    assert denial["case"] == case


async def test_what_the_policies_can_not_judge_is_told_in_the_authoritys_log(
    w: World, caplog: pytest.LogCaptureFixture
) -> None:
    """I3: denied, and whoever keeps the schema is told what of the question it does not have."""
    schema = SCHEMA.replace("attempt: Long, ", "")
    body = PublishPolicy(policies=POLICIES, cedar_schema=schema)
    await w.admin.act("policy.publish", "parcel-check", body)
    async with w.workers():
        await w.open(SUBJECT)

        async def denied() -> list[Any]:
            return await w.entries("grant.denied")

        denial = (await until(denied))[0]
    assert denial["data"]["reasons"] == ["I3", "unfit_request"]
    assert "the policies in force can't judge parcel:weigh: " in caplog.text
    assert "record attribute `attempt` should not exist" in caplog.text
    assert "does not fit the policies' schema; the authority's log says more" in caplog.text


async def test_a_system_that_tells_facts_in_a_wrong_form_is_told_which(w: World) -> None:
    """I12: whoever wrote it sees what its answer lacks, and no value of it."""

    async def facts(request: Request) -> JSONResponse:
        return JSONResponse(
            {"record": request.path_params["record"], "facts": {"Colour": "vermilion"}}
        )

    port = free_port()
    url = f"http://127.0.0.1:{port}"
    body = EnrolIdentity(jwk=SigningKey.generate().public.jwk(), url=url)
    await w.admin.act("system.enrol", "system:depot", body)
    asks = DEFINITION.model_copy(
        update={
            "version": 2,
            "facts": (FactSource(name="depot", system="depot", relation="parcel"),),
            "steps": tuple(
                each.model_copy(update={"facts": ("depot",)})
                if each.activity_type == "open_checkpoint"
                else each
                for each in DEFINITION.steps
            ),
        }
    )
    await w.admin.act("process.publish", DEFINITION.name, asks)
    app = Starlette(routes=[Route("/v1/facts/{record:path}", facts)])
    wrong = "depot answered facts in a wrong form: version: Field required; facts.Colour.*: String"
    async with serving(app, port):
        with pytest.raises(AuthorityError, match=wrong) as refused:
            await w.open(SUBJECT)
    assert "vermilion" not in str(refused.value)


_BAD_DECISIONS = {
    "opener": ("pat", {}, "out_of_role"),
    "out-of-role": ("una", {}, "out_of_role"),
    "another-amount": ("cleo", {"amount": Decimal("80.01")}, "amount_differs"),
    "wrong-evidence": (
        "cleo",
        {"evidence_digest": "sha-256:" + "A" * 43},
        "wrong_evidence",
    ),
    "wrong-requirement": (
        "cleo",
        {"requirement_digest": "sha-256:" + "A" * 43},
        "wrong_requirement",
    ),
    "unknown-exception": ("cleo", {"exceptions": {"sov.totals#x": "so"}}, "exceptions_unknown"),
}


async def test_a_decision_that_does_not_count_is_refused_and_recorded(w: World) -> None:
    """I6: rules that a decision can break; more of them in test_decisions."""
    async with w.workers():
        case = await w.open(SUBJECT)
        checkpoint = await w.until_checkpoint(case)
        for person, changed, reason in _BAD_DECISIONS.values():
            digests = {k: v for k, v in changed.items() if k.endswith("_digest")}
            others = {k: v for k, v in changed.items() if not k.endswith("_digest")}
            shown = checkpoint.model_copy(update=digests)
            jws = w.people[person].sign_decision(
                shown, Verdict.APPROVE, **{"amount": Decimal("80.00"), **others}
            )
            with pytest.raises(AuthorityError) as refused:
                await w.people[person].send_decision(checkpoint.id, jws)
            assert refused.value.status == 403
            assert refused.value.problem.reasons[0] == "I6"
            assert reason in refused.value.problem.reasons
            assert reason in (await w.entries("decision.refused"))[-1]["data"]["reasons"]
    assert len(await w.entries("decision.refused")) == len(_BAD_DECISIONS)
    assert (await w.people["una"].checkpoint(checkpoint.id)).status == "open"


@both_databases
async def test_a_tampered_signature_and_a_second_word_are_refused(w: World) -> None:
    """I6: one person, one word; and only an unbroken signature."""
    from tests.harness.parcel_work import VALUES

    VALUES["depot/D1/parcel/9"] = Decimal("500.00")
    async with w.workers():
        case = await w.open("depot/D1/parcel/9")
        checkpoint = await w.until_checkpoint(case)
        amount = Decimal("500.00")
        jws = w.people["cleo"].sign_decision(checkpoint, Verdict.APPROVE, amount=amount)
        head, payload, signature = jws.split(".")
        flipped = "B" if signature[10] == "A" else "A"
        broken = f"{head}.{payload}.{signature[:10]}{flipped}{signature[11:]}"
        with pytest.raises(AuthorityError, match="signature"):
            await w.people["cleo"].send_decision(checkpoint.id, broken)
        first = await w.people["cleo"].send_decision(checkpoint.id, jws)
        assert await w.people["cleo"].send_decision(checkpoint.id, jws) == first
        with pytest.raises(AuthorityError) as again:
            await w.people["cleo"].decide(checkpoint, Verdict.APPROVE, amount=amount)
        assert "decided_already" in again.value.problem.reasons
        answer = await w.people["hal"].decide(checkpoint, Verdict.APPROVE, amount=amount)
        assert answer.outcome.status == "approved"
        with pytest.raises(AuthorityError) as late:
            await w.people["cid"].decide(checkpoint, Verdict.APPROVE, amount=amount)
        assert "not_open" in late.value.problem.reasons
        await w.until_closed(case)
    assert len(await w.entries("decision.recorded")) == 2
    assert len(await w.entries("decision.refused")) == 3


@both_databases
async def test_a_hold_stops_what_was_approved(w: World) -> None:
    """I5: a hold that was placed after the approval stops the goods, and voids the approval."""
    async with w.workers(only=("orchestrator", "scale", "second-scale")):
        case = await w.open(SUBJECT)
        checkpoint = await w.until_checkpoint(case)
        await w.people["cleo"].decide(checkpoint, Verdict.APPROVE, amount=Decimal("80.00"))
        assert (await w.people["una"].case(case)).held_on is None
        await w.people["una"].act("hold.place", "depot/D1", {"reason": "customs"})
        assert (await w.people["una"].case(case)).held_on == "depot/D1"
        async with w.workers(only=("carrier",)):
            closed = await w.until_closed(case)
    assert closed.result == "refused"
    assert (await w.people["una"].checkpoint(checkpoint.id)).status == "voided"


async def test_nobody_reads_without_a_session_or_acts_without_a_role(w: World) -> None:
    """I6: strangers and out-of-role people get nothing, and refused acts are recorded."""
    with pytest.raises(AuthorityError) as refused:
        await w.open(SUBJECT, by="cleo")
    assert refused.value.status == 403
    assert [entry["data"]["act"] for entry in await w.entries("act.refused")] == ["case.open"]
    import httpx

    async with httpx.AsyncClient() as http:
        assert (await http.get(f"{w.issuer}/v1/cases")).status_code == 401
        assert (await http.get(f"{w.issuer}/v1/nothing")).status_code == 404
