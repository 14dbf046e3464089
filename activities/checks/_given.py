"""What every check is given, and how it says what it found."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from lender.model import Cut, DocumentKind, InvoiceMatch, LoanFile, Packet, Row, Screening
from placet.model import CheckResult, CheckStatus, Compared, Finding, Place, Severity

ZERO = Decimal("0.00")
NO_DOCUMENT = Place(document="packet")
"""Where what is not there would be."""


@dataclass(frozen=True)
class Given:
    """The packet, the loan as its system of record has it, and what other systems answered.

    ``today`` is the day the draw would be funded; ``cuts`` is what people took off its rows.
    """

    packet: Packet
    loan: LoanFile
    draw: int
    screenings: tuple[Screening, ...]
    matches: tuple[InvoiceMatch, ...]
    today: date
    cuts: tuple[Cut, ...] = ()

    @property
    def rows(self) -> tuple[Row, ...]:
        """The G703's rows in the order of their items, whatever the order of the sheet."""
        application = self.packet.application
        return tuple(sorted(application.rows, key=_row_order)) if application else ()

    def place_of(self, kind: DocumentKind) -> Place:
        """The packet's document of that kind, which says nothing of what is looked for."""
        names = [file.name for file in self.packet.files if file.kind is kind]
        return Place(document=names[0]) if names else NO_DOCUMENT

    @property
    def loan_place(self) -> str:
        """The loan file as a document that findings cite."""
        return f"loan/{self.loan.loan_id}"


def _row_order(row: Row) -> tuple[str | Decimal, ...]:
    """By item; rows of one item (an error) by their values, so that no order of a sheet counts."""
    values = (row.scheduled_value, row.previous, row.this_period, row.stored, row.total)
    return (row.item.value, *(each.value for each in values), row.description.value)


Check = Callable[[Given], CheckResult]


def money(amount: Decimal) -> str:
    """An amount as people read it."""
    return f"{amount:,.2f}"


def percent(share: Decimal) -> str:
    """A share of one as people read it."""
    return f"{share * 100:.2f}%"


def side(label: str, value: object, place: Place) -> Compared:
    """One side of a comparison."""
    text = money(value) if isinstance(value, Decimal) else str(value)
    return Compared(label=label[:200], value=text[:500], place=place)


class Findings:
    """Collects one check's findings."""

    def __init__(self, check: str) -> None:
        self.check = check
        self._found: list[Finding] = []
        self._undetermined = False

    def add(
        self,
        about: str,
        message: str,
        *compared: Compared,
        difference: Decimal | None = None,
        severity: Severity = Severity.BLOCKING,
    ) -> None:
        """Add a finding; ``about`` is what it is about, unique within the check."""
        self._found.append(
            Finding(
                id=f"{self.check}#{_spell(about)}",
                check=self.check,
                severity=severity,
                message=message[:1000],
                compared=compared,
                difference=None if difference is None else money(difference),
            )
        )

    def equal(
        self, about: str, message: str, left: Compared, right: Compared, difference: Decimal
    ) -> None:
        """Add a finding if a difference is not zero."""
        if difference:
            self.add(about, message, left, right, difference=difference)

    def undetermined(self, about: str, what: str, place: Place) -> None:
        """What the check needs is not there, or could not be read."""
        self._undetermined = True
        looked = side("looked at", "nothing that could be read", place)
        self.add(about, f"cannot determine: {what}", looked)

    def result(self, *, otherwise: str | None = None) -> CheckResult:
        """The check's result; ``otherwise`` says why it did not apply, if it found nothing."""
        status = CheckStatus.PASSED
        if self._undetermined:
            status = CheckStatus.CANNOT_DETERMINE
        elif self._found:
            status = CheckStatus.FINDINGS
        elif otherwise is not None:
            status = CheckStatus.NOT_APPLICABLE
        findings = sorted(_unique(self._found), key=lambda each: each.id)
        return CheckResult(
            check=self.check,
            status=status,
            findings=tuple(findings),
            reason=otherwise if status is CheckStatus.NOT_APPLICABLE else None,
        )


def _spell(about: str) -> str:
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "._:-") else "-" for c in about)
    return kept[:72] or "-"


def _unique(findings: list[Finding]) -> Iterable[Finding]:
    """Give findings of the same id a number, so that each can be named."""
    seen: dict[str, int] = {}
    for finding in findings:
        count = seen[finding.id] = seen.get(finding.id, 0) + 1
        yield finding if count == 1 else finding.model_copy(update={"id": f"{finding.id}:{count}"})


def total(amounts: Iterable[Decimal]) -> Decimal:
    """The sum of amounts."""
    return sum(amounts, ZERO)
