"""Asking policy beforehand what a step will most likely ask of it, while Temporal is asked.

(I3) What was foreseen decides nothing by itself. Under the head's lock the question is put together
from what holds then; only where it is the very same, under the same policies, is its answer taken.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from placet.authority._definitions import Definitions
from placet.authority._requests import Sender
from placet.model import Action, CaseStatus, Principal, RecordId, RequestedDetails, Salt
from placet.rules import (
    Denied,
    LoadedPolicies,
    Permitted,
    PolicyRequest,
    StepFacts,
    cents,
    decide,
    step_context,
)


@dataclass(frozen=True)
class Question:
    """What the policies are asked, but for its salt."""

    principal: Principal
    action: Action
    record: RecordId
    context: dict[str, JsonValue]

    def answer(self, policies: LoadedPolicies, salt: Salt) -> "Answer":
        """Ask them."""
        request = PolicyRequest(
            principal=self.principal,
            action=self.action,
            record=self.record,
            context=self.context,
            salt=salt,
        )
        return Answer(self, request, decide(policies, request))


@dataclass(frozen=True)
class Answer:
    """What the policies said to a question; which policies, the decision names."""

    question: Question
    request: PolicyRequest
    decision: Permitted | Denied

    def answers(self, question: Question, policies: LoadedPolicies) -> bool:
        """Whether these policies would say the same: they are the same, and so is the question."""
        return self.question == question and self.decision.policy_digest == policies.digest


def claim_of(details: RequestedDetails) -> Mapping[str, JsonValue]:
    """What the agent claims of its step."""
    return {} if details.amount is None else {"amount_cents": cents(details.amount)}


def foresee(
    definitions: Definitions, sender: Sender, details: RequestedDetails, salt: Salt
) -> Answer | None:
    """The policies' answer, should all be well with the step, and nothing have changed of late.

    Of a guarded step nothing is foreseen: what people approved is looked up under the lock.
    """
    kind = definitions.known_kind(details.case)
    step = None if kind is None else kind.definition.step(details.activity.activity_type)
    in_force = None if kind is None else definitions.last_in_force(kind.definition.name)
    if step is None or in_force is None or step.approval is not None:
        return None
    if (sender.principal, details.action) != (f"agent:{step.agent}", step.action):
        return None
    matrix, policies = in_force
    facts = StepFacts(
        agent=step.agent,
        in_scope=True,
        case_status=CaseStatus.OPEN,
        attempt=details.activity.attempt,
        mode=matrix.mode,
        on_hold=False,
    )
    context = step_context(facts, claim=claim_of(details))
    question = Question(sender.principal, step.action, details.identifier, context)
    return question.answer(policies, salt)
