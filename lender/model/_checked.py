"""Findings about a loan and what is asked of it: each check's, said in one way."""

from collections.abc import Iterable, Iterator
from datetime import date

from lender.model._loan import LoanFile, LoanStatus
from placet.model import CheckResult, CheckStatus, Compared, Finding, Place, Severity


def finding(
    document: str,
    check: str,
    about: str,
    message: str,
    *sides: tuple[str, object],
    severity: Severity = Severity.BLOCKING,
) -> Finding:
    """A finding that compares values of one place, each with its label."""
    place = Place(document=document)
    compared = tuple(Compared(label=label, value=str(value), place=place) for label, value in sides)
    return Finding(
        id=f"{check}#{about}", check=check, severity=severity, message=message, compared=compared
    )


def not_open(document: str, check: str, loan: LoanFile, today: date) -> Iterator[Finding]:
    """That the loan is not open, if so."""
    if loan.status is not LoanStatus.OPEN or loan.maturity < today:
        yield finding(
            document,
            check,
            "status",
            "the loan is not open",
            ("status", loan.status.value),
            ("maturity", loan.maturity),
        )


def result(check: str, found: Iterable[Finding]) -> CheckResult:
    """How a check ended that always applies and can always be determined."""
    mine = tuple(each for each in found if each.check == check)
    status = CheckStatus.FINDINGS if mine else CheckStatus.PASSED
    return CheckResult(check=check, status=status, findings=mine)
