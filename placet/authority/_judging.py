"""Deciding on one request for a grant, inside the transaction that writes the answer down (I4)."""

import logging
from dataclasses import dataclass, replace
from datetime import datetime

from pydantic import JsonValue

from placet.authority._alarms import stop_case
from placet.authority._approvals import Approval, Lacking, void_approved, weigh
from placet.authority._core import Core
from placet.authority._definitions import Definitions
from placet.authority._doings import Doing, doing
from placet.authority._errors import Unavailable
from placet.authority._facts import require_believed
from placet.authority._foreseeing import Question, claim_of
from placet.authority._granting import record_denial, record_grant
from placet.authority._holds import on_hold
from placet.authority._identities import ACTIVE, key_standing
from placet.authority._lacking import NotEntitled
from placet.authority._limits import Held, hold_back, note_denial
from placet.authority._registry import Entitled, entitlement
from placet.authority._running_steps import (
    Ask,
    Denial,
    running,
    wrong_claim,
    wrong_state,
    wrong_step,
)
from placet.authority._store import Case, ContextBlob, Tx
from placet.authority._temporal import RunningActivity
from placet.model import CaseStatus, Mode, ProcessDefinition, Step
from placet.rules import (
    MissingFact,
    OutOfScope,
    Permitted,
    StepFacts,
    guarded_context,
    require_in_scope,
    step_context,
)
from placet.tokens import GrantClaims

_log = logging.getLogger("placet.authority.grants")


@dataclass(frozen=True)
class Slow:
    """No decision: a limit is met, as is on the ledger; when there is room again."""

    description: str
    measure: str
    until: datetime


class Judge:
    """Decides, and leaves on the ledger what it decided."""

    def __init__(self, core: Core, definitions: Definitions) -> None:
        self._core = core
        self._definitions = definitions

    def decide(self, tx: Tx, ask: Ask) -> GrantClaims | Denial | Slow:
        """The decision, written down.

        Raises:
            Unavailable: something that it needs is away; nothing was decided.
        """
        answer = self._judge(tx, ask)
        if isinstance(answer, Denial):
            record_denial(tx, ask, answer)
            case, asked = tx.get(Case, ask.details.case), ask.details.identifier
            note_denial(tx, ask.sender.principal, case, asked, answer.reasons)
        return answer

    def _judge(self, tx: Tx, ask: Ask) -> GrantClaims | Denial | Slow:
        standing = key_standing(tx, ask.sender.principal, ask.sender.thumbprint, tx.now)
        if standing != ACTIVE:
            self._stop_without_orchestrator(tx, ask, standing)
            return Denial(f"the agent or its key is {standing}", ("I10", standing))
        case = tx.get(Case, ask.details.case)
        if case is None:
            return Denial("no such case was opened through the authority", ("I1", "case"))
        definition = self._definitions.process(tx, case.process, case.version)
        step = definition.step(ask.details.activity.activity_type)
        if step is None:
            return Denial("the process has no such activity", ("I1", "activity_type"))
        wrong = wrong_step(ask, step)
        if wrong is not None:
            return wrong
        entitled = self._entitled(tx, ask)
        if isinstance(entitled, NotEntitled):
            self._stop_without_orchestrator(tx, ask, entitled.reason)
            return Denial(entitled.description, ("I10", entitled.reason))
        ask = replace(ask, until=entitled.ends_at)
        if entitled.narrowed_to is not None and step.action not in entitled.narrowed_to:
            return Denial("its owner's review took this action away", ("I10", "narrowed"))
        wrong = wrong_claim(tx, ask, definition)
        if wrong is not None:
            return wrong
        wrong = wrong_state(tx, ask, case)
        if wrong is not None:
            return wrong
        activity = running(tx, ask, step)
        if isinstance(activity, Denial):
            return activity
        if not entitled.serves(activity.task_queue):
            said = "this worker's key is for other task queues"
            return Denial(said, ("I1", "task_queue"))
        held = hold_back(tx, ask.sender.principal, case, ask.details.identifier)
        if held is not None:
            return _held_back(held)
        require_believed(tx, ask.facts, tx.now)
        try:
            require_in_scope(
                definition,
                case.subject,
                definition.relation(step.relation),
                ask.details.identifier,
                ask.facts.values,
            )
        except OutOfScope as error:
            return Denial(str(error), ("I2", "out_of_scope"))
        except MissingFact as error:
            raise Unavailable(str(error)) from None
        return self._ask_policy(tx, ask, case, definition, step, activity)

    def _entitled(self, tx: Tx, ask: Ask) -> Entitled | NotEntitled:
        sender, environment = ask.sender, self._core.settings.environment
        return entitlement(tx, sender.principal, sender.thumbprint, environment, tx.now)

    def _stop_without_orchestrator(self, tx: Tx, ask: Ask, standing: str) -> None:
        """Stop a case whose own orchestrator may not go on: it can't even stop the case itself.

        Only where it asks for a step that runs: what else a thief of its key asks stops nothing.
        """
        case = tx.get(Case, ask.details.case)
        if case is None or case.status != CaseStatus.OPEN:
            return
        definition = self._definitions.process(tx, case.process, case.version)
        step = definition.step(ask.details.activity.activity_type)
        if step is None or step.agent != definition.orchestrator or wrong_step(ask, step):
            return
        if wrong_state(tx, ask, case) is None and not isinstance(running(tx, ask, step), Denial):
            stop_case(tx, case, f"{step.activity_type} was denied: I10, {standing}")

    def _ask_policy(
        self,
        tx: Tx,
        ask: Ask,
        case: Case,
        definition: ProcessDefinition,
        step: Step,
        activity: RunningActivity,
    ) -> GrantClaims | Denial:
        found = self._definitions.matrix(tx, case.process)
        if found is None:
            raise Unavailable("no authority matrix is published for this process")
        matrix_digest, matrix = found
        facts = StepFacts(
            agent=step.agent,
            in_scope=True,
            case_status=CaseStatus(case.status),
            attempt=activity.attempt,
            mode=matrix.mode,
            on_hold=on_hold(tx, ask.details.identifier),
        )
        approval: Approval | None = None
        if step.approval is None:
            context = step_context(facts, claim=claim_of(ask.details))
        else:
            weighed = weigh(tx, definition, case, step, matrix, ask.facts, self._core.issuer)
            if isinstance(weighed, Lacking):
                denial = Denial(weighed.description, ("I5", weighed.reason))
                return _without(tx, ask, case, step, weighed.void, denial)
            approval = weighed
            try:
                context = guarded_context(facts, approval.facts, ask.facts.facts)
            except MissingFact as error:
                raise Unavailable(str(error)) from None
        question = Question(ask.sender.principal, step.action, ask.details.identifier, context)
        policies, answer = self._definitions.policies(tx), ask.foreseen
        if answer is None or not answer.answers(question, policies):
            answer = question.answer(policies, self._core.new_salt())
        request, decision = answer.request, answer.decision
        silenced = None if approval is None else approval.silenced
        if silenced is not None and isinstance(decision, Permitted):
            return Denial(silenced.description, ("I5", silenced.reason))
        tx.add(
            ContextBlob(
                digest=decision.context_digest, salt=request.salt, content=request.context_bytes()
            )
        )
        policy: dict[str, JsonValue] = {
            "policies": list(decision.policies),
            "policy_digest": decision.policy_digest,
            "context_digest": decision.context_digest,
            "matrix_digest": matrix_digest,
        }
        if not isinstance(decision, Permitted):
            said = decision.explanation
            if decision.errors:
                said += "; the authority's log says more"
                _log.warning(
                    "the policies in force can't judge %s: %s",
                    step.action,
                    "; ".join(decision.errors),
                    extra={"case": case.id, "activity": step.activity_type},
                )
            # In audit mode nothing is ever paid: that says nothing against what people approved.
            held = approval is None or matrix.mode is Mode.AUDIT
            void = () if approval is None or held else (approval.checkpoint_id,)
            return _without(tx, ask, case, step, void, Denial(said, decision.reasons, policy))
        return record_grant(tx, self._core, ask, case, activity, approval, policy)


def _without(
    tx: Tx, ask: Ask, case: Case, step: Step, void: tuple[str, ...], denial: Denial
) -> Denial:
    """Deny, and void the approvals that hold no longer: people are asked anew.

    What was done on them already is not asked of anybody anew: a person looks (I11).

    Raises:
        Unavailable: it was begun, and its system has not said yet what came of it.
    """
    if not void:
        return denial
    done = doing(tx, ask, step)
    if done is Doing.BEGUN:
        raise Unavailable(f"{step.system} has not said yet what came of the attempt before")
    if done is Doing.DONE:
        said = f"{step.system} says that it was done, and now: {denial.description}"
        return replace(denial, description=said, reasons=("I11", "done_already", *denial.reasons))
    for each in void:
        void_approved(tx, case, each, denial.reasons)
    return denial


def _held_back(held: Held) -> Denial | Slow:
    if held.until is not None:
        return Slow(held.description, held.measure.value, held.until)
    return Denial(held.description, ("limit", held.measure.value))
