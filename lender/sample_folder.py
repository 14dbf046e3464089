"""The samples as files, to try commands on."""

from datetime import timedelta
from pathlib import Path

from activities.loan_file import check_folder
from lender.draws import after_draw
from lender.model import LoanFile
from lender.samples import catalog, plan_for, sample_loans

_FUNDED = timedelta(days=20)
"""How long after its period a draw is paid."""


def write_samples(folder: Path) -> None:
    """Write the sample loans and packets, each packet with its loan's file.

    The loans go on as in the demo: beside a packet's folder stands the loan as it is before that
    draw, after those that were paid before it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    loans = {loan.loan_id: loan for loan in sample_loans()}
    for loan in loans.values():
        _write_loan(folder / f"{loan.loan_id}.json", loan)
    for sample in catalog():
        loan = loans[sample.loan]
        if sample.loan_change is not None:
            loan = sample.loan_change(loan)
        plan = plan_for(loan)
        written = sample.write(plan, folder / sample.name)
        _write_loan(folder / f"{sample.name}.json", loan)
        if sample.result == "disbursed":
            funded = plan.period_to + _FUNDED
            loan = after_draw(loan, check_folder(written, loan, funded), funded)
        loans[sample.loan] = loan


def _write_loan(path: Path, loan: LoanFile) -> None:
    path.write_text(loan.model_dump_json(indent=2))
