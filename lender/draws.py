"""How a disbursed draw becomes part of its loan: what the next draw continues."""

from datetime import date
from decimal import Decimal

from lender.model import Analysis, LoanFile, PriorDraw


def after_draw(loan: LoanFile, analysis: Analysis, funded: date) -> LoanFile:
    """The loan after a draw was disbursed as it was analysed; the version rises.

    Raises:
        ValueError: it is not the loan's next draw.
    """
    if analysis.draw != loan.next_draw or analysis.loan != loan.loan_id:
        raise ValueError(f"draw {analysis.draw} is not the next one of {loan.loan_id}")
    draw = PriorDraw(
        number=analysis.draw,
        period_to=analysis.period_to or funded,
        rows=analysis.rows,
        earned_less_retainage=analysis.earned_less_retainage or Decimal("0.00"),
        payments=analysis.payments,
        invoices=analysis.invoices,
        claims=analysis.claims,
        disbursed=analysis.recommended,
    )
    return LoanFile.model_validate(
        {
            **loan.model_dump(),
            "version": loan.version + 1,
            "disbursed": loan.disbursed + analysis.recommended,
            "prior_draws": (*loan.prior_draws, draw),
        }
    )
