"""How a disbursed draw becomes part of its loan: what the next draw continues."""

from datetime import date
from decimal import Decimal

from pydantic import ValidationError

from lender.model import Analysis, Claim, LoanFile, PriorDraw, one_spelling
from placet.model import first_error


class DrawRefused(ValueError):
    """The loan can't take this draw; the message says why."""


def after_draw(loan: LoanFile, analysis: Analysis, funded: date) -> LoanFile:
    """The loan after a draw was disbursed as it was analysed; the version rises.

    Raises:
        DrawRefused: it is not the loan's next draw, or more than is left of the commitment.
    """
    if analysis.draw != loan.next_draw or analysis.loan != loan.loan_id:
        raise DrawRefused(f"draw {analysis.draw} is not the next draw of {loan.loan_id}")
    if analysis.recommended > loan.undisbursed:
        raise DrawRefused("the payments would exceed the commitment")
    draw = PriorDraw(
        number=analysis.draw,
        period_to=analysis.period_to or funded,
        funded=funded,
        rows=analysis.rows,
        earned_less_retainage=_certified(analysis),
        payments=analysis.payments,
        invoices=analysis.invoices,
        claims=_paid(loan, analysis),
        disbursed=analysis.recommended,
        inspected=analysis.inspected,
        drawn=analysis.drawn,
        bills=analysis.bills,
    )
    try:
        return LoanFile.model_validate(
            {
                **loan.model_dump(),
                "version": loan.version + 1,
                "disbursed": loan.disbursed + analysis.recommended,
                "prior_draws": (*loan.prior_draws, draw),
            }
        )
    except ValidationError as error:
        _, said = first_error(error)
        raise DrawRefused(f"the loan can't take this draw: {said}") from None


def _certified(analysis: Analysis) -> Decimal:
    """Line 6 as it was paid: what is taken off a draw is not in the certificates before the next.

    Its line 8 asks for that again. Were it kept here, it would be taken off the next draw as well,
    as long as the work is not seen, and paid by none once it is.
    """
    taken_off = analysis.requested - analysis.recommended
    return (analysis.earned_less_retainage or Decimal("0.00")) - taken_off


def _paid(loan: LoanFile, analysis: Analysis) -> tuple[Claim, ...]:
    """What the draw paid each claimant: what is taken off a draw, its contractor does not get.

    Nor can it pass on more than it got: who is not paid directly was paid no more than that.
    """
    got = {each.payee: each.amount for each in analysis.payments}
    direct = {one_spelling(payee.name): got[payee.id] for payee in loan.payees if payee.id in got}
    contractor = loan.payee(loan.contractor)
    name = "" if contractor is None else one_spelling(contractor.name)
    passed_on = direct.pop(name, Decimal("0.00"))
    found = []
    for claim in analysis.claims:
        most = passed_on + direct.get(one_spelling(claim.claimant), Decimal("0.00"))
        is_contractor = one_spelling(claim.claimant) == name
        found.append(most if is_contractor else min(claim.amount, most))
    return tuple(
        claim.model_copy(update={"amount": amount})
        for claim, amount in zip(analysis.claims, found, strict=True)
        if amount
    )
