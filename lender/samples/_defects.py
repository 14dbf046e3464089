"""Defects: one for each check, planted into a correct plan before it is written.

Each names the check that must find it; others may find it too.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from lender.model import ChangeOrder, LoanFile, LoanStatus, Payee, to_cents
from lender.samples._plan import DrawPlan, summarise

CENT = Decimal("0.01")


def _a_cent(plan: DrawPlan) -> None:
    plan.rows[3].total += CENT


def _line_8(plan: DrawPlan) -> None:
    plan.summary["current_payment"] += CENT


def _continuity(plan: DrawPlan) -> None:
    row = plan.rows[2]
    row.previous, row.this_period = row.previous + 100, row.this_period - 100


def _overbilled(plan: DrawPlan) -> None:
    row = plan.rows[4]
    row.this_period = row.scheduled_value - row.previous - row.stored + 500
    row.total = row.previous + row.this_period + row.stored
    _again(plan)


def _retainage(plan: DrawPlan) -> None:
    for row in plan.rows:
        row.retainage = to_cents(row.retainage * Decimal("0.8"))
    _again(plan)


def _reallocation(plan: DrawPlan) -> None:
    plan.rows[5].scheduled_value -= 1000
    plan.rows[6].scheduled_value += 1000


def _change_order(plan: DrawPlan) -> None:
    plan.rows[7].scheduled_value += 800
    plan.change_orders.append(("CO-9", Decimal("800.00"), ""))
    _again(plan)
    plan.summary["change_orders"] += 800
    plan.summary["original_contract"] -= 800


def _inspected(plan: DrawPlan) -> None:
    plan.rows[1].inspected = Decimal("0.0100")


def _visit(plan: DrawPlan) -> None:
    plan.visited = plan.period_to - timedelta(days=60)


def _stored(plan: DrawPlan) -> None:
    plan.bills = [bill for bill in plan.bills if not bill.bill_of_sale]


def _unsigned(plan: DrawPlan) -> None:
    plan.architect_signed = None


def _waiver(plan: DrawPlan) -> None:
    plan.waivers[0].amount -= 250


def _previous_waiver(plan: DrawPlan) -> None:
    plan.waivers = [each for each in plan.waivers if each.kind.value != "8134"]


def _lien(plan: DrawPlan) -> None:
    plan.title_exceptions = ["Mechanic's lien recorded by Quarry Concrete"]


def _uninsured(plan: DrawPlan) -> None:
    plan.insurance["General liability"] = plan.period_to - timedelta(days=1)


def _other_draw(plan: DrawPlan) -> None:
    plan.request_draw += 1


def _too_much(plan: DrawPlan) -> None:
    name, amount = plan.request_payees[0]
    more = plan.loan.undisbursed
    plan.request_payees[0] = (name, amount + more)
    plan.request_lines[0] = (plan.request_lines[0][0], plan.request_lines[0][1] + more)
    plan.request_total += more


def _duplicate(plan: DrawPlan) -> None:
    invoice = next(bill for bill in plan.bills if not bill.bill_of_sale)
    plan.bills.append(replace(invoice, number=invoice.number))
    plan.remarks.append("Copies of invoices follow.")


def _stranger(plan: DrawPlan) -> None:
    name, amount = plan.request_payees[-1]
    plan.request_payees[-1] = ("Nobody Knows Consulting", amount)
    plan.remarks.append(f"{name} is paid through a consultant.")


def _again(plan: DrawPlan) -> None:
    """Make the summary and the request follow from the rows again."""
    before = plan.summary["current_payment"]
    plan.summary = summarise(plan.loan, plan.rows)
    moved = plan.summary["current_payment"] - before
    plan.certified += moved
    plan.request_total += moved
    name, amount = plan.request_payees[0]
    plan.request_payees[0] = (name, amount + moved)
    line, asked = plan.request_lines[0]
    plan.request_lines[0] = (line, asked + moved)
    for waiver in plan.waivers:
        if waiver.claimant == name and waiver.kind.value == "8132":
            waiver.amount += moved


PACKET_DEFECTS: dict[str, Callable[[DrawPlan], None]] = {
    "sov.arithmetic": _a_cent,
    "sov.totals": _line_8,
    "sov.continuity": _continuity,
    "sov.overbilled": _overbilled,
    "retainage.rate": _retainage,
    "budget.reallocation": _reallocation,
    "change_orders.approved": _change_order,
    "progress.inspected": _inspected,
    "inspection.current": _visit,
    "stored.documented": _stored,
    "application.certified": _unsigned,
    "waivers.current": _waiver,
    "waivers.previous": _previous_waiver,
    "title.date_down": _lien,
    "insurance.current": _uninsured,
    "loan.open": _other_draw,
    "balance.in_balance": _too_much,
    "invoice.duplicate": _duplicate,
    "payee.screened": _stranger,
}
"""By the check that must find it."""


def _account_changed(loan: LoanFile) -> LoanFile:
    last = loan.last_draw
    on = last.funded if last and last.funded else date(2026, 11, 2)
    changed = loan.payees[0].model_copy(update={"account_changed_on": on})
    payees: tuple[Payee, ...] = (changed, *loan.payees[1:])
    return loan.model_copy(update={"payees": payees})


def _default(loan: LoanFile) -> LoanFile:
    return loan.model_copy(update={"status": LoanStatus.DEFAULT})


def _unapproved(loan: LoanFile) -> LoanFile:
    orders = tuple(
        ChangeOrder(number=each.number, item=each.item, amount=each.amount)
        for each in loan.change_orders
    )
    return loan.model_copy(update={"change_orders": orders})


LOAN_DEFECTS: dict[str, Callable[[LoanFile], LoanFile]] = {
    "payee.bank_changed": _account_changed,
    "loan.open": _default,
    "change_orders.approved": _unapproved,
}
"""What is wrong with the loan itself, by the check that must find it."""
