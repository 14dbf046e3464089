"""What a contractor and a borrower claim in one month."""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from lender.model import LoanFile, WaiverKind, to_cents
from tests.domain.building import ZERO

Rates = tuple[Decimal, Decimal]
"""What is held back of work, and of stored material."""

WAYS = ("each part of each row", "each row", "each part", "once")
"""How a form may round what it holds back."""
BY_ROW = WAYS[:2]
"""Those of a form with a column I."""


@dataclass
class Claim:
    """One row as it is claimed: C, D, E, F, and what the inspector saw of it."""

    item: str
    value: Decimal
    before: Decimal
    now: Decimal
    stored: Decimal
    seen: Decimal | None

    @property
    def work(self) -> Decimal:
        """D + E."""
        return self.before + self.now

    @property
    def total(self) -> Decimal:
        """G."""
        return self.work + self.stored


@dataclass(frozen=True)
class Bill:
    """An invoice for a line of the budget, or a bill of sale for a row."""

    vendor: str
    number: str
    amount: Decimal
    what: str


@dataclass(frozen=True)
class Owed:
    """What somebody was paid by the last draw, and on which form they say so."""

    claimant: str
    amount: Decimal
    through: date
    kind: WaiverKind


@dataclass
class Claimed:
    """Everything that one packet says. What follows from something else is worked out."""

    loan: LoanFile
    today: date
    period: date
    draw: int
    rows: list[Claim]
    line_7: Decimal
    rates: Rates
    way: str
    soft: list[Bill]
    subs: list[tuple[str, Decimal]]
    direct: bool
    bills: list[Bill]
    orders: list[tuple[str, Decimal]]
    owed: list[Owed]
    final: bool = False
    certified: Decimal | None = None
    missing: set[tuple[WaiverKind, str]] = field(default_factory=set)
    listed: dict[str, Decimal] = field(default_factory=dict)
    payee_of_soft: str | None = None
    instead: str | None = None
    waived: Decimal | None = None
    """What the contractor's waiver is for, if not for all that it asks."""
    shifted: Decimal = ZERO
    """What 5b states of that which is held of work."""
    apart: bool = False
    """Whether column I is rounded by row and 5a and 5b once: line 5 is one of the two."""

    drafts: bool = False
    """Whether each waiver is there as it was before it was signed, too."""
    reserves: str | None = None
    """What a second waiver of each claimant, for the same amount, reserves."""

    @property
    def parts(self) -> list[tuple[Decimal, Decimal]]:
        """What is held of each row, of work and of material, not rounded yet."""
        return [(self.rates[0] * e.work, self.rates[1] * e.stored) for e in self.rows]

    @property
    def held(self) -> Rates:
        """5a and 5b, as this form rounds them."""
        work, stored = (sum(each, ZERO) for each in zip(*self.parts, strict=True))
        material = to_cents(stored)
        if self.way == "each part of each row":
            material = sum((to_cents(s) for _, s in self.parts), ZERO)
            return sum((to_cents(w) for w, _ in self.parts), ZERO), material
        if self.way == "each row":
            return sum((to_cents(w + s) for w, s in self.parts), ZERO) - material, material
        return (
            to_cents(work) if self.way == "each part" else to_cents(work + stored) - material
        ), material

    @property
    def in_parts(self) -> Rates:
        """5a and 5b as they are stated, which need not be the total of column I."""
        work, stored = self.held
        if self.apart and self.way in BY_ROW:
            work, stored = (to_cents(sum(each, ZERO)) for each in zip(*self.parts, strict=True))
        return work - self.shifted, stored + self.shifted

    @property
    def earned(self) -> Decimal:
        """Line 6."""
        return sum((e.total for e in self.rows), ZERO) - sum(self.held)

    @property
    def due(self) -> Decimal:
        """Line 8."""
        return self.earned - self.line_7

    @property
    def contract(self) -> Decimal:
        """Line 3."""
        return sum((e.value for e in self.rows), ZERO)

    @property
    def contractor(self) -> str:
        found = self.loan.payee(self.loan.contractor)
        assert found is not None
        return found.name

    @property
    def paid(self) -> list[tuple[str, Decimal]]:
        """Whom the request pays for the hard cost: the contractor, and perhaps others directly."""
        others = [(name, due) for name, due in self.subs if self.direct and due]
        rest = self.due - sum((due for _, due in others), ZERO)
        return [(self.contractor, rest), *others] if rest else others

    @property
    def requested(self) -> Decimal:
        return self.due + sum((each.amount for each in self.soft), ZERO)

    @property
    def is_final(self) -> bool:
        """Nothing is left to be paid, or the form says so."""
        return self.final or (self.due > 0 and self.contract <= self.earned)
