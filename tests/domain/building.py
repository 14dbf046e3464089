"""A described draw, and the loan and packet that follow from it, in memory."""

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import TypeVar

from lender.model import (
    BilledInvoice,
    BudgetLine,
    Category,
    Claim,
    DrawRequest,
    FileEntry,
    InspectedRow,
    Inspection,
    Insurance,
    InsuranceKind,
    Invoice,
    InvoiceMatch,
    LoanFile,
    Packet,
    PayApplication,
    Payee,
    PriorDraw,
    Read,
    RequestLine,
    RequestPayee,
    Retainage,
    Row,
    ScheduleLine,
    ScheduleRow,
    Screening,
    Subcontractor,
    Summary,
    Terms,
    Title,
    Waiver,
    WaiverKind,
    to_cents,
)
from lender.model import DocumentKind as Kind
from placet.model import Place, digest_bytes

T = TypeVar("T")
ZERO = Decimal("0.00")
RATE = Decimal("0.10")
TODAY = date(2026, 11, 24)
PERIOD = date(2026, 10, 31)
JOB, OWNER = "12 Alder Street, Fresno", "Alder Street Homes LLC"
BUILDER, ELECTRIC, ARCHITECT = "Ridge Builders Inc", "Volt Electric Co", "Plumb Line Architects"
SOFT = Decimal("4200.00")
INVOICE = ("Plumb Line Architects", "A-77", SOFT)


@dataclass(frozen=True)
class Line:
    """One row: C, D, what was stored before, E, F."""

    value: Decimal
    previous: Decimal = ZERO
    stored_before: Decimal = ZERO
    this_period: Decimal = ZERO
    stored: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        """G."""
        return self.previous + self.this_period + self.stored

    @property
    def retained(self) -> Decimal:
        """I."""
        return _held(self.previous + self.this_period, self.stored)

    @property
    def was(self) -> Decimal:
        """G of the last draw."""
        return self.previous + self.stored_before


def _held(work: Decimal, stored: Decimal) -> Decimal:
    return to_cents(RATE * work) + to_cents(RATE * stored)


Lines = tuple[Line, ...]
DRAW: Lines = (
    Line(Decimal("40000.00"), Decimal("40000.00")),
    Line(Decimal("125500.50"), Decimal("30000.25"), Decimal("8000.00"), Decimal("20000.10")),
    Line(Decimal("98000.00"), this_period=Decimal("1234.56"), stored=Decimal("5000.00")),
)


def items(lines: Lines) -> list[str]:
    """The rows' item numbers."""
    return [f"{number:02}" for number in range(1, len(lines) + 1)]


def at(value: T, spot: str, document: str = "packet.xlsx") -> Read[T]:
    """A value read at a spot."""
    return Read(value=value, place=Place(document=document, spot=spot))


def earned_before(lines: Lines) -> Decimal:
    """Line 6 of the last certificate."""
    return sum((e.was - _held(e.previous, e.stored_before) for e in lines), ZERO)


def due(lines: Lines) -> Decimal:
    """Line 8."""
    return sum((each.total - each.retained for each in lines), ZERO) - earned_before(lines)


def loan(lines: Lines = DRAW) -> LoanFile:
    """The loan of a draw: its second, if anything was drawn before."""
    hard = sum((line.value for line in lines), ZERO)
    drawn = any(line.was for line in lines)
    return LoanFile(
        loan_id="L-1001",
        borrower=OWNER,
        project="Alder Street",
        job_location=JOB,
        owner=OWNER,
        state="CA",
        contractor="P-100",
        granted_by=("operator:ana-ruiz",),
        commitment=hard + Decimal("50000.00"),
        disbursed=earned_before(lines),
        required_equity=Decimal("10000.00"),
        equity_in=Decimal("10000.00"),
        maturity=date(2027, 12, 31),
        terms=Terms(
            retainage=Retainage(work_rate=RATE, stored_rate=RATE, statutory_cap=RATE),
            stored_material_cap=hard,
        ),
        budget=(
            BudgetLine(id="H1", category=Category.HARD_COST, description="Build", amount=hard),
            BudgetLine(
                id="S1",
                category=Category.SOFT_COST,
                description="Architect",
                amount=Decimal("50000.00"),
            ),
        ),
        schedule=tuple(
            ScheduleLine(
                item=item, description=f"Work {item}", scheduled_value=line.value, budget_line="H1"
            )
            for item, line in zip(items(lines), lines, strict=True)
        ),
        payees=(
            Payee(id="P-100", name=BUILDER, role="contractor", account="acct-100"),
            Payee(id="P-300", name=ARCHITECT, role="supplier", account="acct-300"),
        ),
        prior_draws=(_prior(lines),) if drawn else (),
    )


def _prior(lines: Lines) -> PriorDraw:
    earned = earned_before(lines)
    rows = tuple(
        ScheduleRow(
            item=item,
            scheduled_value=line.value,
            previous=ZERO,
            this_period=line.previous,
            stored=line.stored_before,
            total=line.was,
            retainage=_held(line.previous, line.stored_before),
        )
        for item, line in zip(items(lines), lines, strict=True)
    )
    return PriorDraw(
        number=1,
        period_to=date(2026, 9, 30),
        rows=rows,
        earned_less_retainage=earned,
        invoices=(BilledInvoice(vendor=ARCHITECT, number="A-70", amount=Decimal("900.00")),),
        claims=(Claim(claimant=BUILDER, amount=earned),),
        disbursed=earned,
    )


def _row(item: str, line: Line) -> Row:
    share = line.total / line.value
    values = {
        "scheduled_value": line.value,
        "previous": line.previous,
        "this_period": line.this_period,
        "stored": line.stored,
        "total": line.total,
        "balance": line.value - line.total,
        "retainage": line.retained,
    }
    return Row(
        item=at(item, f"G703!A{item}"),
        description=at(f"Work {item}", f"G703!B{item}"),
        percent=at(round(share, 4), f"G703!%{item}"),
        percent_places=2,
        **{name: at(value, f"G703!{name}{item}") for name, value in values.items()},
    )


def _application(lines: Lines) -> PayApplication:
    contract = sum((line.value for line in lines), ZERO)
    done = sum((line.total for line in lines), ZERO)
    held = sum((line.retained for line in lines), ZERO)
    stored = sum((to_cents(RATE * line.stored) for line in lines), ZERO)
    amounts = {
        "original_contract": contract,
        "change_orders": ZERO,
        "contract_to_date": contract,
        "completed_and_stored": done,
        "retainage_work": held - stored,
        "retainage_stored": stored,
        "retainage": held,
        "earned_less_retainage": done - held,
        "previous_certificates": earned_before(lines),
        "current_payment": due(lines),
        "balance_to_finish": contract - done + held,
    }
    return PayApplication(
        application=at(2, "G702!B1"),
        period_to=at(PERIOD, "G702!B2"),
        contractor_signed=at(date(2026, 11, 2), "G702!B3"),
        architect_signed=at(date(2026, 11, 3), "G702!B4"),
        amount_certified=at(due(lines), "G702!B5"),
        summary=Summary(**{name: at(value, f"G702!{name}") for name, value in amounts.items()}),
        rows=tuple(_row(i, line) for i, line in zip(items(lines), lines, strict=True)),
        totals=_row("TOTAL", _all(lines)).model_copy(
            update={"retainage": at(held, "G703!I99")},
        ),
    )


def _all(lines: Lines) -> Line:
    names = ("value", "previous", "stored_before", "this_period", "stored")
    return Line(*(sum((getattr(line, name) for line in lines), ZERO) for name in names))


def waiver(kind: WaiverKind, claimant: str, amount: Decimal, through: date) -> Waiver:
    """A waiver with every field in order."""
    document = f"waiver-{kind.value}-{claimant}.pdf"
    return Waiver(
        kind=at(kind, "page 1", document),
        claimant=at(claimant, "field name of claimant", document),
        customer=at(OWNER, "field name of customer", document),
        job_location=at(JOB, "field job location", document),
        owner=at(OWNER, "field owner", document),
        through=at(through, "field through date", document),
        amount=at(amount, "field amount", document),
        signed=at(date(2026, 11, 4), "field date of signature", document),
    )


def packet(lines: Lines = DRAW) -> Packet:
    """The packet of a draw without a fault."""
    pay, electric = due(lines), min(Decimal("6000.00"), due(lines))
    payees = [(BUILDER, pay)] if pay else []
    wanted = payees + ([(ELECTRIC, electric)] if electric > Decimal("5000.00") else [])
    waivers = [waiver(WaiverKind.CONDITIONAL_PROGRESS, w, a, PERIOD) for w, a in wanted]
    if any(line.was for line in lines):
        before = earned_before(lines)
        kind = WaiverKind.UNCONDITIONAL_PROGRESS
        waivers.append(waiver(kind, BUILDER, before, date(2026, 9, 30)))
    return Packet(
        files=(
            FileEntry(
                name="packet.xlsx", size=4, digest=digest_bytes(b"body"), kind=Kind.PAY_APPLICATION
            ),
            FileEntry(
                name="subs.csv", size=4, digest=digest_bytes(b"subs"), kind=Kind.SUBCONTRACTORS
            ),
        ),
        application=_application(lines),
        request=DrawRequest(
            draw=at(loan(lines).next_draw, "Request!B1"),
            signed=at(date(2026, 11, 4), "Request!B2"),
            total=at(pay + SOFT, "Request!B3"),
            lines=(
                RequestLine(line=at("H1", "Request!A5"), amount=at(pay, "Request!B5")),
                RequestLine(line=at("S1", "Request!A6"), amount=at(SOFT, "Request!B6")),
            ),
            payees=tuple(
                RequestPayee(payee=at(name, "Request!A9"), amount=at(amount, "Request!B9"))
                for name, amount in [*payees, (ARCHITECT, SOFT)]
            ),
        ),
        subcontractors=(
            Subcontractor(
                name=at(ELECTRIC, "Subs!A2"),
                contract=at(Decimal("90000.00"), "Subs!B2"),
                paid=at(ZERO, "Subs!C2"),
                due=at(electric, "Subs!D2"),
            ),
        ),
        waivers=tuple(waivers),
        inspection=Inspection(
            visited=at(date(2026, 10, 30), "page 1", "inspection.pdf"),
            inspector=at("County Inspection Services", "page 1", "inspection.pdf"),
            rows=tuple(
                InspectedRow(
                    item=at(item, "page 1", "inspection.pdf"),
                    complete=at(
                        round((line.previous + line.this_period) / line.value, 4),
                        "page 1",
                        "inspection.pdf",
                    ),
                )
                for item, line in zip(items(lines), lines, strict=True)
            ),
        ),
        change_orders=(),
        title=Title(
            effective=at(date(2026, 11, 20), "page 1", "title.pdf"),
            on_exceptions=at("None", "page 1", "title.pdf"),
        ),
        insurance=tuple(
            Insurance(
                kind=at(kind, "page 1", f"{kind.value}.pdf"),
                carrier=at("Harbor Mutual", "page 1", f"{kind.value}.pdf"),
                expires=at(date(2027, 6, 30), "page 1", f"{kind.value}.pdf"),
            )
            for kind in InsuranceKind
        ),
        invoices=(_invoice(*INVOICE), *_bills(lines)),
    )


def _invoice(vendor: str, number: str, amount: Decimal, item: str | None = None) -> Invoice:
    document = f"{number}.pdf"
    return Invoice(
        vendor=at(vendor, "field vendor", document),
        number=at(number, "field number", document),
        amount=at(amount, "field amount", document),
        item=None if item is None else at(item, "field item", document),
        bill_of_sale=item is not None,
    )


def _bills(lines: Lines) -> list[Invoice]:
    return [
        _invoice("Timber Yard", f"B-{item}", line.stored, item)
        for item, line in zip(items(lines), lines, strict=True)
        if line.stored
    ]


SCREENINGS = tuple(
    Screening(payee=payee, status="clear", licensed=True, list_version="2026-11-23")
    for payee in ("P-100", "P-300")
)
MATCHES = (InvoiceMatch(vendor=INVOICE[0], number=INVOICE[1], amount=SOFT, billed_before=False),)


def more(line: Line, **changes: Decimal) -> Line:
    """A line with some columns changed."""
    return replace(line, **changes)
