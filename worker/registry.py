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
    read_packet,
    recompute_analysis,
    screen_payee,
)
from activities.reallocation._steps import (
    check_reallocation,
    read_moves,
    reallocate,
    recompute_reallocation,
)
from placet.agent import ORCHESTRATION
from placet.process import Process
from workflows import budget_reallocation, loan_draw

PROCESSES: tuple[Process, ...] = (loan_draw.PROCESS, budget_reallocation.PROCESS)

ACTIVITIES: Mapping[str, tuple[Callable[..., Any], ...]] = {
    "orchestrator": ORCHESTRATION,
    "draw-intake": (read_packet,),
    "draw-analyst": (
        read_loan,
        read_earlier_draw,
        match_invoices,
        analyse_draw,
        look_again,
        read_moves,
        check_reallocation,
    ),
    "draw-verifier": (recompute_analysis, recompute_reallocation),
    "compliance-checker": (screen_payee,),
    "disbursement": (disburse, reallocate),
}
"""The activities of each agent; the orchestrator runs the workflows as well."""
