"""Looking at title, insurance and balance once more, on the day that a draw is paid.

1. What is compared is what the approved analysis rests on (its ``basis`` and findings) with the
   loan as it stands and the day as it is. Both the loan system, in the transaction that pays, and
   the authority, through its facts, go by this one function.
2. Only what is worse than people knew counts. A finding that they accepted stays accepted, and a
   better answer changes nothing.
3. An analysis is never worse than itself: made again of the loan as it is, it says what would stop
   the payment, so that people decide on it and are not asked for ever.
"""

from datetime import date
from enum import StrEnum

from lender.model._analysis import Analysis
from lender.model._loan import InsuranceKind, LoanFile
from placet.model import Severity

_DATE_DOWN = "title.date_down#effective"


class Aspect(StrEnum):
    """What is looked at again."""

    TITLE = "title"
    INSURANCE = "insurance"
    BALANCE = "balance"


def title_is_current(effective: date, window_days: int, day: date) -> bool:
    """Whether a date-down is from the loan's window before a day."""
    return 0 <= (day - effective).days <= window_days


def lien_finding(reference: str) -> str:
    """What the finding of a lien that the loan knows is about."""
    return f"lien-{reference}"


def worsened(loan: LoanFile, analysis: Analysis, day: date) -> dict[Aspect, str]:
    """What is worse on ``day`` than the analysis says, each with what was found."""
    known = frozenset(each.id for each in analysis.findings if each.severity is Severity.BLOCKING)
    found = {
        Aspect.TITLE: _title(loan, analysis, day, known),
        Aspect.INSURANCE: _insurance(loan, analysis, day, known),
        Aspect.BALANCE: _balance(loan, analysis),
    }
    return {aspect: said for aspect, said in found.items() if said is not None}


def _title(loan: LoanFile, analysis: Analysis, day: date, known: frozenset[str]) -> str | None:
    effective, window = analysis.basis.title_effective, loan.terms.title_window_days
    if (
        effective is not None
        and _DATE_DOWN not in known
        and not title_is_current(effective, window, day)
    ):
        return f"the date-down of {effective} is not from the last {window} days"
    for lien in loan.liens:
        if f"title.date_down#{lien_finding(lien.reference)}" not in known:
            return f"lien {lien.reference} was recorded on {lien.recorded}"
    return None


def _insurance(loan: LoanFile, analysis: Analysis, day: date, known: frozenset[str]) -> str | None:
    for kind in InsuranceKind:
        cover, told = analysis.basis.cover_of(kind), loan.cover_ends(kind)
        was, certified = cover.through, cover.certified or cover.through
        ends = min((each for each in (certified, told) if each is not None), default=None)
        if ends is None or ends >= day:
            continue
        accepted = f"insurance.current#{kind.value}" in known and was is not None and ends >= was
        if not accepted:
            return f"{kind.value.replace('_', ' ')} was in force through {ends}"
    return None


def _balance(loan: LoanFile, analysis: Analysis) -> str | None:
    basis = analysis.basis
    short = basis.cost_to_complete is None or loan.sources < basis.cost_to_complete
    if short and loan.sources < basis.sources:
        return (
            f"the loan, equity and deposits came to {basis.sources:,.2f} and now come to "
            f"{loan.sources:,.2f}, less than the cost to complete"
        )
    return None
