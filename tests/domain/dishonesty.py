"""What a dishonest borrower changes in a claim, each with the check that must say so.

A change leaves the claim's own arithmetic right: line 8, the request and the waivers follow.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from random import Random

from lender.model import WaiverKind
from tests.domain.building import ARCHITECT, ZERO
from tests.domain.claiming import Bill, Claim, Claimed
from tests.domain.lent import PRIME
from tests.domain.lives import Life, allowed

CENT = Decimal("0.01")
Change = Callable[[Life, Claimed, Random], bool]
"""Changes the claim; says no where there is nothing that it could change."""


def again(said: Claimed) -> Claimed:
    """A copy that may be changed."""
    kept = {name: copy(value) for name, value in vars(said).items()}
    return Claimed(**{**kept, "rows": [replace(each) for each in said.rows]})


def _some(random: Random, most: Decimal) -> Decimal:
    return max(Decimal(random.randint(1, max(int(most * 100), 1))).scaleb(-2), CENT)


def _row(said: Claimed, random: Random, fits: Callable[[Claim], bool]) -> Claim | None:
    rows = [each for each in said.rows if each.value > 0 and fits(each)]
    return random.choice(rows) if rows else None


def ask_again(_: Life, said: Claimed, random: Random) -> bool:
    """Leaves out of line 7 some of what was paid."""
    said.line_7 -= _some(random, said.line_7)
    return True


def claim_more(life: Life, said: Claimed, random: Random) -> bool:
    """More work than was seen, within the row's value."""

    def unseen(row: Claim) -> Decimal:
        return row.value - row.stored - max(allowed(life.loan, row), row.work)

    row = _row(said, random, lambda each: unseen(each) > 0)
    if row is None:
        return False
    more = _some(random, unseen(row))
    row.now = max(allowed(life.loan, row), row.work) + more - row.before
    return True


def claim_the_end(life: Life, said: Claimed, random: Random) -> bool:
    """All of it is complete, so that what was retained is released."""
    if life.complete or life.loan.terms.retainage.step_down_rate != 0:
        return False
    if not any(each.value > allowed(life.loan, each) for each in said.rows if each.value > 0):
        return False
    for each in said.rows:
        if each.value > 0:
            each.now, each.stored = each.value - each.before, ZERO
    said.rates = (ZERO, said.rates[1])
    return not life.stepped


def above_the_row(_: Life, said: Claimed, random: Random) -> bool:
    """More work than the row is worth, with an inspector who saw all of it."""
    row = _row(said, random, lambda each: True)
    if row is None:
        return False
    row.now, row.seen = row.value - row.stored - row.before + _some(random, row.value), Decimal(1)
    return True


def store_nothing(_: Life, said: Claimed, random: Random) -> bool:
    """Material that nobody sold."""
    row = _row(said, random, lambda each: each.value > each.total)
    if row is None:
        return False
    backed = sum((bill.amount for bill in said.bills if bill.what == row.item), ZERO)
    row.stored = max(backed, row.stored) + _some(random, row.value - row.total)
    return True


def store_again(life: Life, said: Claimed, random: Random) -> bool:
    """A bill of sale for material that was built in, for other material that is not there."""
    there = {bill.number for bill in said.bills}
    material = life.loan.material
    used = [
        bill
        for draw in life.loan.prior_draws
        for bill in draw.bills or ()
        if bill.number not in there
        and not material.stored.get(bill.item)
        and not material.spare.get(bill.item)
    ]
    used = [b for b in used if any(r.item == b.item and r.value > r.total for r in said.rows)]
    used = [b for b in used if not any(each.what == b.item for each in said.bills)]
    if not used:
        return False
    bill = random.choice(used)
    row = next(each for each in said.rows if each.item == bill.item)
    row.stored = min(bill.amount, row.value - row.work)
    said.bills.append(Bill(bill.vendor.upper(), bill.number, bill.amount, bill.item))
    return True


def store_twice(life: Life, said: Claimed, random: Random) -> bool:
    """One bill of sale for two rows."""
    for bill in said.bills:
        row = _row(
            said, random, lambda e, b=bill: not e.stored and e.item > b.what and e.value > e.total
        )
        if row is not None and not life.loan.material.spare.get(row.item):
            row.stored = min(bill.amount, row.value - row.work)
            said.bills.append(replace(bill, what=row.item))
            return True
    return False


def move_value(_: Life, said: Claimed, random: Random) -> bool:
    """From one row to another, without asking."""
    if len(said.rows) < 2:
        return False
    source, other = random.sample(said.rows, 2)
    amount = _some(random, abs(source.value) / 2)
    source.value, other.value = source.value - amount, other.value + amount
    return True


def move_work(_: Life, said: Claimed, random: Random) -> bool:
    """Work that was billed before goes to another row, and is billed again in its own."""
    source = _row(said, random, lambda each: each.before > 0)
    others = [each for each in said.rows if each is not source]
    if source is None or not others:
        return False
    amount, other = _some(random, source.before), random.choice(others)
    source.before, other.before = source.before - amount, other.before + amount
    return True


def leave_a_row_out(_: Life, said: Claimed, random: Random) -> bool:
    """A row that it does not want to be seen: a credit, say."""
    said.rows.sort(key=lambda each: each.value)
    return len(said.rows) > 1 and bool(said.rows.pop(0))


def keep_a_credit(_: Life, said: Claimed, random: Random) -> bool:
    """A credit is not given."""
    given = [each for each in said.rows if each.value < 0]
    for each in given:
        each.now = -each.before + _some(random, -each.value) + each.value
    return bool(given)


def take_back(_: Life, said: Claimed, random: Random) -> bool:
    """Work that was billed in a row is taken back, and no change order says so, or of less."""
    row = _row(said, random, lambda each: each.before > 0 and not each.stored)
    if row is None:
        return False
    row.now = min(row.now, ZERO) - _some(random, row.before / 2)
    return True


def unapproved(_: Life, said: Claimed, random: Random) -> bool:
    """A change order that nobody approved."""
    amount = _some(random, Decimal(9000))
    said.rows.append(Claim("Z9", amount, ZERO, amount, ZERO, Decimal(1)))
    said.orders.append(("CO-Z", amount))
    return True


def retain_less(_: Life, said: Claimed, random: Random) -> bool:
    """Less is held back than was agreed."""
    work = sum((each.work for each in said.rows), ZERO)
    said.rates = (said.rates[0] / 2, said.rates[1])
    return bool(said.rates[0]) and work > 100


def retain_elsewhere(_: Life, said: Claimed, random: Random) -> bool:
    """What is held of work is stated as held of material."""
    said.shifted = said.held[0]
    return any(said.rates) and said.shifted > 1


def no_waiver(life: Life, said: Claimed, random: Random) -> bool:
    """Somebody who is paid waives nothing."""
    kind = WaiverKind.CONDITIONAL_FINAL if said.is_final else WaiverKind.CONDITIONAL_PROGRESS
    threshold = life.loan.terms.waiver_threshold
    paid = {each.payee for each in life.analyse(said).payments}
    names = [said.contractor] if life.loan.contractor in paid else []
    names += [name for name, due in said.subs if due > threshold]
    if not names:
        return False
    said.missing.add((kind, random.choice(names)))
    return True


def reserve(life: Life, said: Claimed, _: Random) -> bool:
    """Beside each waiver stands another one, which reserves the greater part."""
    said.reserves = "disputed extra 84,000"
    return life.loan.contractor in {each.payee for each in life.analyse(said).payments}


def listed_for_less(life: Life, said: Claimed, random: Random) -> bool:
    """Who is paid directly stands on the list for next to nothing, and waives nothing."""
    names = [name for name, due in said.subs if due > life.loan.terms.waiver_threshold]
    if not said.direct or not names:
        return False
    name = random.choice(names)
    said.listed[name] = ZERO
    for kind in (WaiverKind.CONDITIONAL_FINAL, WaiverKind.CONDITIONAL_PROGRESS):
        said.missing.add((kind, name))
    return True


def no_waiver_before(_: Life, said: Claimed, random: Random) -> bool:
    """Somebody whom the last draw paid does not say so."""
    if not said.owed:
        return False
    owed = random.choice(said.owed)
    said.missing.add((owed.kind, owed.claimant))
    return True


def bill_again(life: Life, said: Claimed, random: Random) -> bool:
    """An invoice that an earlier draw paid."""
    if not life.soft_paid:
        return False
    bill = random.choice(life.soft_paid)
    said.soft.append(replace(bill, number=bill.number.lower()))
    return True


def bill_twice(_: Life, said: Claimed, random: Random) -> bool:
    """One invoice twice in a packet."""
    if not said.soft:
        return False
    said.soft.append(random.choice(said.soft))
    return True


def overdraw(life: Life, said: Claimed, random: Random) -> bool:
    """More than is left of a soft-cost line."""
    line = next(each.amount for each in life.loan.budget if each.id == "S1")
    spent = sum((b.amount for b in (*life.soft_paid, *said.soft) if b.what == "S1"), ZERO)
    more = _some(random, random.choice((line, life.loan.undisbursed)))
    said.soft.append(Bill(ARCHITECT, "A-over", line - spent + more, "S1"))
    return True


def above_certified(_: Life, said: Claimed, random: Random) -> bool:
    """More than the architect certified."""
    said.certified = said.due - _some(random, said.due)
    return True


def stranger(_: Life, said: Claimed, random: Random) -> bool:
    """A payee whom nobody knows."""
    said.payee_of_soft = "Nobody Knows Consulting"
    return bool(said.soft)


def divert(_: Life, said: Claimed, random: Random) -> bool:
    """The contractor's money goes to the architect, or another, and nobody waives anything."""
    said.instead = random.choice((ARCHITECT, PRIME))
    return bool(dict(said.paid).get(said.contractor))


def an_old_period(life: Life, said: Claimed, random: Random) -> bool:
    """A period of long ago, through which everybody may well have waived."""
    last = life.loan.last_draw
    if last is None:
        return False
    said.period = last.period_to - timedelta(days=random.randint(1, 400))
    return True


def the_same_draw(_: Life, said: Claimed, random: Random) -> bool:
    """The number of a draw that was paid."""
    said.draw -= 1
    return said.draw > 0


CHANGES: dict[Change, str] = {
    ask_again: "sov.totals",
    claim_more: "progress.inspected",
    claim_the_end: "retainage.rate",
    above_the_row: "sov.overbilled",
    store_nothing: "stored.documented",
    store_again: "stored.documented",
    store_twice: "stored.documented",
    move_value: "budget.reallocation",
    move_work: "sov.continuity",
    leave_a_row_out: "budget.reallocation",
    keep_a_credit: "sov.overbilled",
    take_back: "sov.overbilled",
    unapproved: "change_orders.approved",
    retain_less: "retainage.rate",
    retain_elsewhere: "retainage.rate",
    no_waiver: "waivers.current",
    reserve: "waivers.current",
    listed_for_less: "waivers.current",
    no_waiver_before: "waivers.previous",
    bill_again: "invoice.duplicate",
    bill_twice: "invoice.duplicate",
    overdraw: "budget.reallocation",
    above_certified: "application.certified",
    stranger: "payee.screened",
    divert: "waivers.current",
    an_old_period: "sov.continuity",
    the_same_draw: "loan.open",
}
"""By the check that must find it."""

CUT = {claim_more, above_the_row, store_nothing, store_again, store_twice, keep_a_credit}
"""What is taken off to the cent, so that people who accept the finding pay no more than is right."""
