"""How a draw's evidence is shown to people: the forms' own words, in the order of reading."""

from lender.model import Summary
from placet.model import (
    BarsSection,
    Beside,
    ChartPoints,
    ChartSection,
    ChartSeries,
    ChartValue,
    Drawn,
    FieldsSection,
    FilesOf,
    Presentation,
    ShownColumn,
    ShownValue,
    TableSection,
    ValueKind,
)

_TEXT, _MONEY, _PERCENT, _DATE, _COUNT = (
    ValueKind.TEXT,
    ValueKind.MONEY,
    ValueKind.PERCENT,
    ValueKind.DATE,
    ValueKind.COUNT,
)


def _line(path: str, label: str) -> ShownValue:
    return ShownValue(path=f"application.summary.{path}", label=label, kind=_MONEY)


def _column(path: str, label: str, kind: ValueKind = ValueKind.TEXT, rank: int = 0) -> ShownColumn:
    return ShownColumn(path=path, label=label, kind=kind, rank=rank)


def _history(paid: str) -> tuple[ChartValue, ...]:
    """Budget, billed, disbursed and inspected, all to date: of a draw before, or of this one."""
    return (
        ChartValue(path="scheduled_value", rows="rows"),
        ChartValue(path="total", rows="rows"),
        ChartValue(path=paid, adds_up=True),
        ChartValue(path="inspected"),
    )


def _keyed(form: str, **fields: ValueKind) -> tuple[ShownValue, ...]:
    """The values of one form that people may key, named as the readers name them."""
    return tuple(
        ShownValue(path=f"{form}.{name}", label=f"{form}: {name.replace('_', ' ')}", kind=kind)
        for name, kind in fields.items()
    )


PRESENTATION = Presentation(
    subject="draw {draw} of {loan}",
    money="$",
    files=FilesOf(part="packet", rows="files"),
    keyed=(
        *_keyed("title", effective=_DATE, on_exceptions=_TEXT),
        *_keyed(
            "application",
            application=_COUNT,
            period_to=_DATE,
            contractor_signed=_DATE,
            architect_signed=_DATE,
            amount_certified=_MONEY,
        ),
        *_keyed("summary", **dict.fromkeys(Summary.model_fields, _MONEY)),
        *_keyed("request", draw=_COUNT, signed=_DATE, total=_MONEY),
        *_keyed("inspection", visited=_DATE, inspector=_TEXT),
        *_keyed("occupancy", issued=_DATE, job_location=_TEXT),
        *_keyed("insurance", kind=_TEXT, carrier=_TEXT, expires=_DATE),
        *_keyed("invoice", vendor=_TEXT, number=_TEXT, amount=_MONEY, item=_TEXT, dated=_DATE),
        *_keyed(
            "waiver",
            kind=_TEXT,
            claimant=_TEXT,
            customer=_TEXT,
            job_location=_TEXT,
            owner=_TEXT,
            through=_DATE,
            amount=_MONEY,
            exceptions=_TEXT,
            signed=_DATE,
        ),
    ),
    reasons=("findings", "incomplete", "wrong_documents", "amount", "other"),
    sections=(
        FieldsSection(
            title="Application and certificate for payment (G702)",
            part="packet",
            fields=(
                ShownValue(path="application.application", label="Application", kind=_COUNT),
                ShownValue(path="application.period_to", label="Period to", kind=_DATE),
                _line("original_contract", "1 Original contract sum"),
                _line("change_orders", "2 Net change by change orders"),
                _line("contract_to_date", "3 Contract sum to date"),
                _line("completed_and_stored", "4 Total completed and stored"),
                _line("retainage", "5 Retainage"),
                _line("earned_less_retainage", "6 Total earned less retainage"),
                _line("previous_certificates", "7 Less previous certificates"),
                _line("current_payment", "8 Current payment due"),
                _line("balance_to_finish", "9 Balance to finish"),
                ShownValue(path="application.amount_certified", label="Certified", kind=_MONEY),
                ShownValue(path="application.architect_signed", label="Architect", kind=_DATE),
                ShownValue(path="application.contractor_signed", label="Contractor", kind=_DATE),
            ),
        ),
        TableSection(
            title="Continuation sheet (G703)",
            part="packet",
            rows="application.rows",
            key="item",
            lowers=True,
            columns=(
                _column("item", "Item"),
                _column("description", "Description of work"),
                _column("scheduled_value", "C Scheduled", _MONEY, 2),
                _column("previous", "D Previous", _MONEY, 3),
                _column("this_period", "E This period", _MONEY),
                _column("stored", "F Stored", _MONEY, 4),
                _column("total", "G To date", _MONEY, 1),
                _column("percent", "G÷C", _PERCENT),
                ShownColumn(
                    path="complete",
                    label="Inspected",
                    kind=_PERCENT,
                    beside=Beside(rows="inspection.rows", key="item"),
                ),
                _column("balance", "H Balance", _MONEY, 5),
                _column("retainage", "I Retainage", _MONEY, 5),
            ),
        ),
        TableSection(
            title="Payments",
            part="analysis",
            rows="payments",
            columns=(
                _column("payee", "Payee"),
                _column("account", "Account"),
                _column("amount", "Amount", _MONEY),
                _column("id", "Payment"),
            ),
        ),
        TableSection(
            title="Adjustments",
            part="analysis",
            rows="adjustments",
            columns=(
                _column("item", "Item"),
                _column("amount", "Taken off", _MONEY),
                _column("reason", "Reason"),
            ),
        ),
        TableSection(
            title="Payees screened",
            part="screening",
            columns=(
                _column("payee", "Payee"),
                _column("status", "Screening"),
                _column("licensed", "Licensed"),
                _column("list_version", "List"),
            ),
        ),
        TableSection(
            title="Lien waivers",
            part="packet",
            rows="waivers",
            columns=(
                _column("kind", "Form"),
                _column("claimant", "Claimant"),
                _column("amount", "Amount", _MONEY),
                _column("through", "Through", _DATE),
                _column("signed", "Signed", _DATE),
                _column("exceptions", "Exceptions"),
            ),
        ),
        BarsSection(
            title="This loan",
            part="loan",
            values=(
                ShownValue(path="commitment", label="Commitment", kind=_MONEY),
                ShownValue(path="disbursed", label="Disbursed", kind=_MONEY),
                ShownValue(path="required_equity", label="Equity required", kind=_MONEY),
                ShownValue(path="equity_in", label="Equity in", kind=_MONEY),
            ),
        ),
        ChartSection(
            title="Draws of this loan",
            series=(
                ChartSeries(label="Budget", drawn=Drawn.WHOLE),
                ChartSeries(label="Billed", drawn=Drawn.FILL),
                ChartSeries(label="Disbursed", drawn=Drawn.FILL),
                ChartSeries(label="Inspected", drawn=Drawn.MARK),
            ),
            points=(
                ChartPoints(
                    part="loan",
                    rows="prior_draws",
                    label="number",
                    prefix="draw ",
                    values=_history("disbursed"),
                ),
                ChartPoints(
                    part="analysis", label="draw", prefix="draw ", values=_history("recommended")
                ),
            ),
        ),
        FieldsSection(
            title="Loan",
            part="loan",
            fields=(
                ShownValue(path="borrower", label="Borrower"),
                ShownValue(path="project", label="Project"),
                ShownValue(path="job_location", label="Job location"),
                ShownValue(path="status", label="Status"),
                ShownValue(path="maturity", label="Maturity", kind=_DATE),
            ),
        ),
        TableSection(
            title="Loan budget",
            part="loan",
            rows="budget",
            key="id",
            columns=(
                _column("id", "Line"),
                _column("category", "Category"),
                _column("description", "Description"),
                _column("amount", "Budget", _MONEY),
                ShownColumn(
                    path="amount",
                    label="Requested",
                    kind=_MONEY,
                    beside=Beside(part="packet", rows="request.lines", key="line"),
                ),
            ),
        ),
        TableSection(
            title="Subcontractors",
            part="packet",
            rows="subcontractors",
            columns=(
                _column("name", "Subcontractor"),
                _column("contract", "Contract", _MONEY),
                _column("paid", "Paid", _MONEY),
                _column("due", "Due", _MONEY),
            ),
        ),
        TableSection(
            title="Change orders",
            part="packet",
            rows="change_orders",
            columns=(
                _column("number", "Number"),
                _column("amount", "Amount", _MONEY),
                _column("approved_by", "Approved by"),
            ),
        ),
        TableSection(
            title="Insurance",
            part="packet",
            rows="insurance",
            columns=(
                _column("kind", "Kind"),
                _column("carrier", "Carrier"),
                _column("expires", "Expires", _DATE),
            ),
        ),
        TableSection(
            title="Invoices",
            part="packet",
            rows="invoices",
            columns=(
                _column("vendor", "Vendor"),
                _column("number", "Number"),
                _column("dated", "Dated", _DATE),
                _column("amount", "Amount", _MONEY),
            ),
        ),
        TableSection(
            title="Files of the packet",
            part="packet",
            rows="files",
            columns=(
                _column("name", "File"),
                _column("kind", "Read as"),
                _column("size", "Bytes", _COUNT),
            ),
        ),
        TableSection(
            title="Checks",
            part="analysis",
            rows="results",
            columns=(
                _column("check", "Check"),
                _column("status", "Ended"),
                _column("reason", "Why not"),
            ),
        ),
    ),
)
