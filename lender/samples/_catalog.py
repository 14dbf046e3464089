"""The samples that are shipped: which packet, for which draw, and what should come of it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

from lender.model import LoanFile
from lender.samples._defects import LOAN_DEFECTS, PACKET_DEFECTS
from lender.samples._hostile import write_hostile
from lender.samples._plan import DrawPlan, plan_draw
from lender.samples._write import write_packet

PERIOD_ENDS = (date(2026, 8, 31), date(2026, 9, 30), date(2026, 10, 31))


@dataclass(frozen=True)
class Sample:
    """One packet: its loan, what is planted, and the case's expected result.

    ``finding`` is a check that must have a finding above ``info``; ``None`` means that none may.
    ``loan_change`` is done to the loan before the packet is written.
    """

    name: str
    loan: str
    write: Callable[[DrawPlan, Path], Path]
    result: str
    finding: str | None = None
    verdict: str = "approve"
    loan_change: Callable[[LoanFile], LoanFile] | None = None


def plan_for(loan: LoanFile) -> DrawPlan:
    """The correct plan of a loan's next draw."""
    period = PERIOD_ENDS[min(len(loan.prior_draws), len(PERIOD_ENDS) - 1)]
    soft = Decimal("1500.00") if loan.hard_cost_budget < 1_000_000 else Decimal("9800.00")
    return plan_draw(loan, period, Decimal("0.07"), soft)


def _clean(plan: DrawPlan, folder: Path) -> Path:
    return write_packet(plan, folder)


def _clean_csv(plan: DrawPlan, folder: Path) -> Path:
    return write_packet(plan, folder, as_csv=True)


def _with(check: str) -> Callable[[DrawPlan, Path], Path]:
    def write(plan: DrawPlan, folder: Path) -> Path:
        PACKET_DEFECTS[check](plan)
        return write_packet(plan, folder)

    return write


def catalog() -> tuple[Sample, ...]:
    """Every sample, in the order in which the demo takes them."""
    planted = tuple(
        Sample(
            name=f"defect-{check.replace('.', '-').replace('_', '-')}",
            loan="L-1003",
            write=_with(check),
            result="rejected",
            finding=check,
            verdict="reject",
        )
        for check in PACKET_DEFECTS
        if check != "waivers.previous"
    )
    return (
        Sample("small-clean", "L-1001", _clean, "disbursed"),
        Sample("small-second-draw-csv", "L-1001", _clean_csv, "disbursed"),
        Sample("large-clean-two-approvals", "L-1002", _clean, "disbursed"),
        Sample(
            "bank-account-changed",
            "L-1002",
            _clean,
            "disbursed",
            "payee.bank_changed",
            loan_change=LOAN_DEFECTS["payee.bank_changed"],
        ),
        Sample("hostile", "L-1003", write_hostile, "rejected", "packet.readable", "reject"),
        *planted,
        Sample("clean-after-all", "L-1003", _clean, "disbursed"),
        Sample(
            "defect-waivers-previous",
            "L-1003",
            _with("waivers.previous"),
            "rejected",
            "waivers.previous",
            "reject",
        ),
    )
