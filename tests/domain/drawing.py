"""A loan after a draw was disbursed as analysed."""

from datetime import date

from lender.draws import after_draw as after
from lender.model import Analysis, LoanFile


def after_draw(loan: LoanFile, analysis: Analysis) -> LoanFile:
    """What the loan servicing system makes of it."""
    return after(loan, analysis, date(2026, 11, 20))
