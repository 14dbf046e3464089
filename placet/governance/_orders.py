"""The signed definitions of rotating and offboarding an identity that others own."""

from placet.model import (
    ANOTHER_TRY,
    CONFIRMATION,
    ORDER_ENDED_BEFORE,
    CaseResult,
    CheckpointDefinition,
    CheckpointEnd,
    CheckpointStatus,
    Effect,
    FieldsSection,
    Goal,
    Presentation,
    ProcessDefinition,
    Relation,
    ShownValue,
    Step,
    ValueKind,
    Verdict,
)
from placet.process import orchestrating

SUBJECT = "identity-order/{order}"
KEEPER = "identity-keeper"
"""The agent that calls owners' tools; whoever owns it confirms no order."""

LOOK = "look_at_order"
ROTATE, ROTATE_CONFIRMED, OFFBOARD = "rotate_identity", "rotate_confirmed", "offboard_identity"
GIVEN_UP = "given_up"

# The workflows take both names from here: their source is digested, and stays as it was published.
ENDED_BEFORE = ORDER_ENDED_BEFORE
DONE = {goal: goal.done for goal in Goal}
NOT_CONFIRMED = (CheckpointStatus.REJECTED, CheckpointStatus.RETURNED, CheckpointStatus.EXPIRED)
_NOT_AGAIN = (*NOT_CONFIRMED, CheckpointStatus.VOIDED)


def _shown(path: str, label: str, kind: ValueKind = ValueKind.TEXT) -> ShownValue:
    return ShownValue(path=path, label=label, kind=kind)


def _presentation(goal: Goal) -> Presentation:
    return Presentation(
        subject=f"{goal.value} by the order {{order}}",
        reasons=("in_use", "wrong_identity", "looked_at_by_hand"),
        sections=(
            FieldsSection(
                title="Order",
                part="order",
                fields=(
                    _shown("identity", "Identity"),
                    _shown("goal", "To"),
                    _shown("source", "Inventory"),
                    _shown("ordered_by", "Ordered by"),
                    _shown("owner", "Owner"),
                    _shown("purpose", "Purpose"),
                    _shown("environment", "Environment"),
                    _shown("credential", "Credential"),
                    _shown("credential_since", "Credential since", ValueKind.DATE),
                    _shown("last_used", "Last used", ValueKind.DATE),
                ),
            ),
            FieldsSection(
                title="What the tool did",
                part="failure",
                fields=(_shown("tries", "Tries", ValueKind.COUNT), _shown("why", "Why it failed")),
            ),
        ),
    )


def _effects(approved: str, otherwise: str) -> tuple[Effect, ...]:
    """What words do; whoever returns ends the order as whoever rejects it does."""
    return (
        Effect(verdict=Verdict.APPROVE, says=approved),
        Effect(verdict=Verdict.REJECT, says=otherwise),
        Effect(verdict=Verdict.RETURN, says=otherwise),
    )


def _step(activity_type: str, goal: Goal, *, confirmed: bool) -> Step:
    return Step(
        activity_type=activity_type,
        agent=KEEPER,
        action=f"identity:{goal.value}",
        system="authority",
        relation="order",
        produces=("proof", "failure"),
        approval=CONFIRMATION if confirmed else None,
    )


def _definition(goal: Goal, workflow_type: str, calls: tuple[Step, ...]) -> ProcessDefinition:
    ends = {
        "rejected": CheckpointStatus.REJECTED,
        "returned": CheckpointStatus.RETURNED,
        "expired": CheckpointStatus.EXPIRED,
    }
    return ProcessDefinition(
        name=goal.process,
        version=1,
        workflow_type=workflow_type,
        subject=SUBJECT,
        relations=(Relation(name="order", template=SUBJECT),),
        steps=(
            Step(
                activity_type=LOOK,
                agent=KEEPER,
                action="identity:order",
                system="authority",
                relation="order",
                produces=("order",),
                told=("order",),
            ),
            *calls,
            *orchestrating("order"),
        ),
        checkpoints=(
            CheckpointDefinition(
                name=CONFIRMATION,
                title=f"Confirmation: {goal.value} an identity",
                evidence=("order",),
                proposal="order",
                decided_by="confirmer",
                about="identity",
                effects=_effects(
                    f"The owner's tool is called, and will {goal.value} it.",
                    "No tool is called, and the order ends.",
                ),
            ),
            CheckpointDefinition(
                name=ANOTHER_TRY,
                title="Another try of the owner's tool",
                evidence=("failure",),
                proposal="failure",
                effects=_effects(
                    "The owner's tool is called again.", "The order is given up; no tool is called."
                ),
            ),
        ),
        presentation=_presentation(goal),
        results=(
            CaseResult(name=DONE[goal], part="proof"),
            CaseResult(
                name=GIVEN_UP,
                part="failure",
                ends=tuple(
                    CheckpointEnd(checkpoint=ANOTHER_TRY, status=each) for each in _NOT_AGAIN
                ),
                without=("proof",),
            ),
            *(
                CaseResult(
                    name=name,
                    ends=(CheckpointEnd(checkpoint=CONFIRMATION, status=status),),
                    without=("proof",),
                )
                for name, status in ends.items()
            ),
            CaseResult(name=ENDED_BEFORE, without=("proof",)),
            CaseResult(name="too_many_rounds", without=("proof",)),
        ),
    )


ROTATION = _definition(
    Goal.ROTATE,
    "IdentityRotation",
    (
        _step(ROTATE, Goal.ROTATE, confirmed=False),
        _step(ROTATE_CONFIRMED, Goal.ROTATE, confirmed=True),
    ),
)
OFFBOARDING = _definition(
    Goal.OFFBOARD, "IdentityOffboarding", (_step(OFFBOARD, Goal.OFFBOARD, confirmed=True),)
)
