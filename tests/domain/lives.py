"""A loan from its first draw to its last: what is built, what is claimed of it, and what is paid.

The building site keeps books of its own, so that what the lender's code says can be held against them.
"""

from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from random import Random

from activities.checks import analyse
from activities.loan_file import _own
from lender.draws import after_draw
from lender.model import Analysis, Cut, LoanFile, Packet, Payee, Screening, WaiverKind
from placet.model import Severity
from tests.domain.building import ARCHITECT, ZERO
from tests.domain.claiming import WAYS, Bill, Claim, Claimed, Owed, Rates
from tests.domain.lent import BANK, ENDS, SUBS, cents, lend
from tests.domain.meanwhile import happen, more_work
from tests.domain.packing import packet_of

START = date(2026, 1, 31)


def above_info(analysis: Analysis) -> set[str]:
    """The checks whose findings a person must look at."""
    return {e.check for e in analysis.findings if e.severity is not Severity.INFO}


@dataclass
class Row:
    """One row as it is on the site, and as it was claimed of the lender."""

    built: Decimal = ZERO
    lots: list[tuple[Bill, Decimal]] = field(default_factory=list)
    ahead: Decimal = ZERO
    billed: Decimal = ZERO
    billed_stored: Decimal = ZERO

    @property
    def stored(self) -> Decimal:
        """The material that lies there."""
        return sum((left for _, left in self.lots), ZERO)

    @property
    def least(self) -> Decimal:
        """What the row can't be worth less than."""
        return max(self.billed + self.billed_stored, self.built + self.ahead + self.stored)

    @property
    def may_shrink(self) -> bool:
        """Whether nothing lies there, or is claimed to, that would have to be taken away."""
        return not self.lots and not self.ahead and not self.billed_stored

    def build(self, work: Decimal) -> None:
        """Build some more, of the material that lies there first."""
        self.built += work
        for bill, left in self.lots[:]:
            used = min(left, work)
            work -= used
            self.lots.remove((bill, left))
            if left - used:
                self.lots.append((bill, left - used))
        self.ahead = max(self.ahead - work, ZERO)


class Life:
    """One loan's life, as one seed has it."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.way = self.random.choice(WAYS)
        self.apart = self.random.random() < 0.4
        self.ends = self.random.choice(ENDS)
        self.direct = self.random.random() < 0.3
        self.loan = lend(self.random, self.ends)
        self.rows = {line.item: Row() for line in self.loan.schedule}
        self.today = START + timedelta(days=20)
        self.month = 0
        self.months = self.random.randint(2, 7)
        self.subs = list(SUBS[: self.random.randint(0, 2)])
        self.waiting: list[Bill] = []
        self.hard_paid = ZERO
        self.soft_paid: list[Bill] = []
        self.owed: list[Owed] = []
        self.funded: dict[str, date] = {}
        self.paid_to: dict[str, str] = {}
        self.stepped = False
        self.complete = False

    # --- what is agreed -----------------------------------------------------------------------

    @property
    def period(self) -> date:
        return self.today - timedelta(days=20)

    @property
    def values(self) -> dict[str, Decimal]:
        """What each row is worth."""
        return self.loan.approved_values

    def change(self, **changes: object) -> None:
        """What the lender writes into its own file."""
        self.loan = LoanFile.model_validate(
            {**self.loan.model_dump(), "version": self.loan.version + 1, **changes}
        )

    def add(self, item: str) -> None:
        """A row that a change order brings."""
        self.rows.setdefault(item, Row())

    # --- a month --------------------------------------------------------------------------------

    def go_on(self) -> None:
        """A month passes."""
        self.month += 1
        self.today += timedelta(days=30)
        afterthought = self.month == self.months + 2 and self.random.random() < 0.4
        if afterthought:
            more_work(self)
        elif not self.complete:
            happen(self)
        if self.month >= self.months and not afterthought:
            self._complete()
        else:
            for item, row in self.rows.items():
                self._work(item, row)
        self._ask_soft()
        if self.complete and "amended" in self.ends and self.month > self.months:
            held = self.loan.terms.retainage
            none = held.model_copy(
                update={"work_rate": ZERO, "stored_rate": ZERO, "step_down_at": None}
            )
            self.change(terms=self.loan.terms.model_copy(update={"retainage": none}).model_dump())

    def _work(self, item: str, row: Row) -> None:
        value = self.values[item]
        if value <= 0:
            row.built = value
            return
        if self.random.random() < 0.7:
            room = value - row.built - row.stored
            new = cents(self.random, room * Decimal("0.6"))
            row.build(new + cents(self.random, row.stored))
        room = value - row.built - max(row.stored, ZERO)
        if self.random.random() < 0.3 and row.billed <= row.built and not row.ahead:
            new = cents(self.random, room / 2)
            bill = Bill("Timber Yard", f"B-{item}-{self.month}", new, item)
            if new:
                row.lots.append((bill, new))
        if self.random.random() < 0.08 and not row.lots:
            row.ahead = cents(self.random, value - row.built - row.stored)

    def _complete(self) -> None:
        """All is built, of whatever lies there."""
        for item, row in self.rows.items():
            row.built, row.lots, row.ahead = self.values[item], [], ZERO
        self.complete = True

    def _ask_soft(self) -> None:
        for line, vendor in (("S1", ARCHITECT), ("R1", BANK)):
            budget = next(each.amount for each in self.loan.budget if each.id == line)
            spent = sum(
                (b.amount for b in (*self.soft_paid, *self.waiting) if b.what == line), ZERO
            )
            amount = cents(self.random, (budget - spent) / 2)
            if self.random.random() < 0.5 and amount:
                self.waiting.append(Bill(vendor, f"A-{line}-{self.month}", amount, line))

    def claim(self) -> Claimed:
        """What an honest, careful borrower hands in."""
        rows = [self._claim(item, row) for item, row in self.rows.items()]
        self.random.shuffle(rows)
        said = Claimed(
            loan=self.loan,
            today=self.today,
            period=self.period,
            draw=self.loan.next_draw,
            rows=rows,
            line_7=self.hard_paid,
            rates=self.rates(rows),
            way=self.way,
            soft=list(self.waiting),
            subs=[],
            direct=self.direct,
            bills=[bill for row in self.rows.values() for bill, _ in row.lots],
            orders=[(each.number, each.amount) for each in self.loan.change_orders],
            owed=list(self.owed),
            apart=self.apart,
            drafts=self.random.random() < 0.2,
        )
        said.subs = [(name, cents(self.random, said.due / 3)) for name in self.subs]
        said.final = said.is_final and self.random.random() < 0.5
        return said

    def _claim(self, item: str, row: Row) -> Claim:
        value = self.values[item]
        work = max(row.billed, row.built + row.ahead) if value > 0 else row.built
        work = min(work, value - row.stored)  # a credit may have been posted into it
        seen = Decimal(1) if value <= 0 else row.built / value
        return Claim(
            item=item,
            value=value,
            before=row.billed,
            now=work - row.billed,
            stored=row.stored,
            seen=min(seen.quantize(Decimal("0.0001"), rounding="ROUND_UP"), Decimal(1)),
        )

    def rates(self, rows: list[Claim]) -> Rates:
        """What is held back this month, as the agreement has it."""
        terms = self.loan.terms.retainage
        if self.complete and self.ends == "by people" and self.month > self.months:
            return ZERO, ZERO
        if terms.step_down_at is None or terms.step_down_rate is None:
            return self._capped(terms.work_rate), self._capped(terms.stored_rate)
        late = self.ends == "agreed, and later" and self.month == self.months
        down = self.stepped or reached(self.loan, rows)
        on_work = terms.step_down_rate if down and not late else terms.work_rate
        return self._capped(on_work), self._capped(terms.stored_rate)

    def _capped(self, rate: Decimal) -> Decimal:
        """No more than the state lets be held."""
        cap = self.loan.terms.retainage.statutory_cap
        return rate if cap is None else min(rate, cap)

    def expected(self, said: Claimed) -> set[str]:
        """What people must be told of an honest claim."""
        found = set()
        if any(e.work > allowed(self.loan, e) for e in said.rows):
            found.add("progress.inspected")
        # Work that was claimed too early swallows the material that it is built of in the end.
        if any(self.rows[e.item].billed_stored - e.stored > max(e.now, ZERO) for e in said.rows):
            found.add("sov.continuity")
        if (
            self.complete
            and self.ends == "by people"
            and said.rates[0] != self._capped(self.loan.terms.retainage.work_rate)
            and said.contract  # credits may have left nothing of it
        ):
            found.add("retainage.rate")
        for name in {*(n for n, _ in said.paid), *(e.vendor for e in said.soft)}:
            payee = next((e for e in self.loan.payees if e.name == name), None)
            if payee is not None and self._account_changed(payee):
                found.add("payee.bank_changed")
        return found

    def _account_changed(self, payee: Payee) -> bool:
        noted, paid = payee.account_changed_on, self.funded.get(payee.id)
        if noted is not None and (paid is None or paid <= noted):
            return True
        return self.paid_to.get(payee.id, payee.account) != payee.account

    # --- what the lender does -----------------------------------------------------------------

    def look(self, packet: Packet, *cuts: Cut) -> Analysis:
        """What the lender's agents say of a packet."""
        screenings = tuple(
            Screening(payee=e.id, status="clear", licensed=True, list_version="1")
            for e in self.loan.payees
        )
        matches = _own(packet, self.loan)
        return analyse(
            packet, self.loan, self.loan.next_draw, screenings, matches, self.today, cuts
        )

    def analyse(self, said: Claimed, *cuts: Cut) -> Analysis:
        return self.look(packet_of(said), *cuts)

    def pay(self, said: Claimed, analysis: Analysis) -> None:
        """What is recommended is paid, if it is anything."""
        if not analysis.recommended:
            return
        self.stepped = self.stepped or reached(self.loan, said.rows)
        self.loan = after_draw(self.loan, analysis, self.today)
        for each in said.rows:
            row = self.rows[each.item]
            row.billed, row.billed_stored = each.work, each.stored
        off = analysis.requested - analysis.recommended
        self.hard_paid += said.due - off
        self.soft_paid += said.soft
        self.waiting = [each for each in self.waiting if each not in said.soft]
        self.funded.update({each.payee: self.today for each in analysis.payments})
        self.paid_to.update({each.payee: each.account for each in analysis.payments})
        got = {each.payee: each.amount for each in analysis.payments}
        contractor = got.get(self.loan.contractor, ZERO)
        claims = [(said.contractor, contractor)]
        for name, due in said.subs:
            if due > self.loan.terms.waiver_threshold:
                claims.append((name, due if said.direct else min(due, contractor)))
        final = said.is_final
        kind = WaiverKind.UNCONDITIONAL_FINAL if final else WaiverKind.UNCONDITIONAL_PROGRESS
        self.owed = [Owed(name, amount, said.period, kind) for name, amount in claims if amount]


def allowed(loan: LoanFile, row: Claim) -> Decimal:
    """The work that may be billed of a row, after what was seen of it."""
    if row.seen is None or row.value <= 0:
        return max(row.work, ZERO)
    share = min(row.seen + loan.terms.inspection_tolerance, Decimal(1))
    return (row.value * share).quantize(ZERO, rounding="ROUND_DOWN")


def reached(loan: LoanFile, rows: list[Claim]) -> bool:
    """Whether what was seen is as far along as the step-down asks for."""
    at = loan.terms.retainage.step_down_at
    whole = sum((e.value for e in rows), ZERO)
    done = sum((min(e.work, allowed(loan, e)) + e.stored for e in rows if e.value > 0), ZERO)
    done += sum((e.work for e in rows if e.value <= 0), ZERO)
    return at is not None and whole > 0 and done >= whole * at
