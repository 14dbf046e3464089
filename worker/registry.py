"""What is registered where: one list for workers, replayers and tests."""

from collections.abc import Callable, Mapping
from typing import Any

from activities.draw._steps import (
    analyse_draw,
    disburse,
    look_again,
    match_invoices,
    read_earlier_draw,
    read_loan,
    read_loan_again,
    read_packet,
    read_packet_again,
    recompute_analysis,
    screen_payee,
)
from activities.reading._steps import (
    analyse_read_draw,
    checking_activities,
    reading_activities,
    recompute_read_analysis,
)
from activities.reallocation._steps import (
    check_reallocation,
    read_moves,
    read_moves_again,
    reallocate,
    recompute_reallocation,
)
from activities.resend._steps import (
    propose_resend,
    read_payment,
    read_payment_again,
    recompute_resend,
    resend_payment,
)
from placet import governance
from placet.agent import ORCHESTRATION
from placet.agent.reasoning import Mind
from placet.governance.keeping import Tools, keeper_activities
from placet.governance.steps import ACTIVITIES as REVIEWING
from placet.process import Process
from workflows import budget_reallocation, loan_draw, loan_draw_read, payment_resend
from workflows.read_definition import READERS

PROCESSES: tuple[Process, ...] = (
    loan_draw.PROCESS,
    budget_reallocation.PROCESS,
    loan_draw_read.PROCESS,
    payment_resend.PROCESS,
)

_check_reading, _check_reading_again = checking_activities(loan_draw_read.PROCESS.definition)

ACTIVITIES: Mapping[str, tuple[Callable[..., Any], ...]] = {
    "orchestrator": ORCHESTRATION,
    "draw-intake": (read_packet, _check_reading_again),
    "draw-analyst": (
        read_loan,
        read_earlier_draw,
        match_invoices,
        analyse_draw,
        look_again,
        read_moves,
        check_reallocation,
        analyse_read_draw,
        read_payment,
        propose_resend,
    ),
    "draw-verifier": (
        read_packet_again,
        read_loan_again,
        recompute_analysis,
        read_moves_again,
        recompute_reallocation,
        _check_reading,
        recompute_read_analysis,
        read_payment_again,
        recompute_resend,
    ),
    "compliance-checker": (screen_payee,),
    "disbursement": (disburse, reallocate, resend_payment),
}
"""The activities of each agent; the orchestrator runs the workflows as well."""

GOVERNANCE: tuple[Process, ...] = (
    governance.PROCESS,
    governance.ROTATION_PROCESS,
    governance.OFFBOARDING_PROCESS,
)
"""The processes by which the lender's own identities are governed; the orchestrator runs them."""

REVIEWER, KEEPER = "identity-reviewer", "identity-keeper"
GOVERNING_AGENTS = (REVIEWER, KEEPER)
"""Their agents. They are not the demo's: a lender enrols them to govern with."""

READING_AGENTS: Mapping[str, str] = {agent: reader for reader, agent in READERS.items()}
"""The agents that reason, and what each is as a reader; their workers need a model."""


def governing(agent: str, tools: Tools) -> tuple[Callable[..., Any], ...]:
    """The activities of an agent that governs identities, with the owners' tools it may call."""
    return REVIEWING if agent == REVIEWER else keeper_activities(tools)


def reading(agent: str, mind: Mind) -> tuple[Callable[..., Any], ...]:
    """The activities of an agent that reasons, with the model that it asks."""
    return reading_activities(loan_draw_read.PROCESS.definition, READING_AGENTS[agent], mind)


def draw_reader(mind: Mind) -> tuple[Callable[..., Any], ...]:
    """The first reader's activities."""
    return reading("draw-reader", mind)


def draw_second_reader(mind: Mind) -> tuple[Callable[..., Any], ...]:
    """The second reader's."""
    return reading("draw-second-reader", mind)
