"""Sending a payment again as the command line knows it: with what answers a return."""

from dataclasses import replace
from pathlib import Path

from activities.loan_file import load_loan_file
from lender._service import Failure
from lender.demo import Books
from lender.model import sent_payment
from lender.serve import LenderSettings
from placet.cli import load_settings
from placet.process import Attached
from workflows import payment_resend


def attach_loan_file(subject: str, file: Path) -> Attached:
    """Take the loan in as it is now, say with the payee's other account: ``--loan-file FILE``.

    Raises:
        ValueError: no loan servicing here, another loan, or one that it does not take in.
    """
    _, loan_id, _, draw, _, payment = subject.split("/")
    found = load_loan_file(file)
    if found.loan_id != loan_id:
        raise ValueError(f"{file} is loan {found.loan_id}, and the payment is of {loan_id}")
    settings = load_settings(LenderSettings)
    kept = settings.folder / "loan-servicing.db"
    if settings.database_url is None and not kept.exists():
        raise ValueError(f"no loan servicing in {settings.folder}; set PLACET_LENDER_FOLDER")
    try:
        with Books.of(settings) as books:
            books.take_in(found)
            loan = books.loan(loan_id)
    except Failure as error:
        raise ValueError(error.problem.error_description) from None
    sent = sent_payment(loan, int(draw), payment)
    if sent is None:
        raise ValueError(f"draw {draw} of {loan_id} has no payment {payment}")
    return Attached(subject, sent.version(loan.version))


PROCESS = replace(payment_resend.PROCESS, attach_again={"loan-file": attach_loan_file})
"""The process with what answers its return."""
