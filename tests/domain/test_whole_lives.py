"""A loan's whole life, from its first draw to the last cent that was retained, many times over.

1. An honest borrower's packets have no finding above ``info``, but for what people must decide.
2. At the end all that was agreed is paid to the cent, what was retained included.
3. Never is more paid than what was seen, backed and agreed is worth, nor than the commitment.
4. Each dishonest change is a finding of the check that is meant for it, in the same month.
5. What is recommended and what is taken off are what was requested.
6. What the loan keeps of its draws adds up to what was paid.
7. The same packet says the same, whatever the order of its rows.

``PLACET_LIVES`` says how many lives of each kind, ``PLACET_LIVES_FROM`` from which seed on.
"""

import os
from collections import Counter
from decimal import Decimal
from random import Random

import pytest

from lender.model import Analysis, Cut, to_cents
from placet.model import Severity
from tests.domain.building import ZERO
from tests.domain.claiming import Claimed
from tests.domain.dishonesty import CHANGES, CUT, Change, again, claim_more
from tests.domain.lives import Life, above_info, allowed
from tests.domain.packing import packet_of

FIRST = int(os.environ.get("PLACET_LIVES_FROM", "1"))
LIVES = int(os.environ.get("PLACET_LIVES", "30"))
SEEDS = range(FIRST, FIRST + LIVES)


def months(life: Life) -> list[Claimed]:
    """What is handed in while the life lasts: a draw below nothing waits for the next one."""
    while life.month < life.months + 4:
        life.go_on()
        said = life.claim()
        if said.due >= 0 and said.requested:
            yield said


def look(life: Life, said: Claimed) -> Analysis:
    """What is said of a claim: the same each time, and adding up."""
    packet = packet_of(said)
    analysis = life.look(packet)
    assert analysis.recommended <= life.loan.undisbursed
    if life.random.random() < 0.2:
        assert packet.application is not None
        rows = packet.application.rows[::-1]
        turned = packet.application.model_copy(update={"rows": rows})
        assert life.look(packet) == analysis
        assert life.look(packet.model_copy(update={"application": turned})) == analysis
    return analysis


def add_up(said: Claimed, analysis: Analysis) -> None:
    """What is recommended is what was requested, less what was taken off the contractor."""
    off = min(sum((each.amount for each in analysis.adjustments), ZERO), said.due)
    contractor = dict(said.paid).get(said.contractor, ZERO)
    assert analysis.recommended == (analysis.requested - off if off <= contractor else ZERO)
    assert sum((each.amount for each in analysis.payments), ZERO) == analysis.recommended


def worth(life: Life, said: Claimed) -> Decimal:
    """The most that the hard cost may be paid to date for what was seen and backed."""
    backed: Counter[str] = Counter()
    for bill in said.bills:
        backed[bill.what] += bill.amount
    work = material = ZERO
    for row in said.rows:
        value = life.values[row.item]
        done = min(row.work, allowed(life.loan, row), value)
        work += done
        material += min(row.stored, backed[row.item], value - done)
    on_work, on_stored = life.rates(said.rows)
    rounding = Decimal("0.02") * len(said.rows)
    return to_cents(work * (1 - on_work) + material * (1 - on_stored)) + rounding


def pay(life: Life, said: Claimed, analysis: Analysis) -> None:
    """Pay it, and hold what the loan keeps against the books of the site."""
    most = worth(life, said)
    before, hard = life.loan.disbursed, life.hard_paid
    life.pay(said, analysis)
    loan = life.loan
    soft = sum((each.amount for each in life.soft_paid), ZERO)
    assert loan.disbursed == before + analysis.recommended == life.hard_paid + soft
    assert loan.disbursed == sum((each.disbursed for each in loan.prior_draws), ZERO)
    assert loan.disbursed <= loan.commitment
    assert life.hard_paid <= max(hard, most)
    assert life.hard_paid <= sum(life.values.values(), ZERO)
    last = loan.last_draw
    assert last is None or last.earned_less_retainage == life.hard_paid
    for line in loan.budget:
        drawn = sum((e.amount for e in life.soft_paid if e.what == line.id), ZERO)
        assert loan.drawn_of(line.id) == drawn <= line.amount


def lowered(life: Life, said: Claimed, analysis: Analysis) -> Analysis:
    """What a person leaves of it: something is taken off a row, now and then."""
    contractor = {e.payee: e.amount for e in analysis.payments}.get(life.loan.contractor, ZERO)
    off = min(life.random.choice((contractor, to_cents(contractor / 3))), contractor)
    if life.random.random() > 0.15 or off <= 0:
        return analysis
    item = life.random.choice(said.rows).item
    cut = Cut(item=item, amount=off, reason="-", by="operator:sofia", act="0123456789abcdef")
    less = life.analyse(said, cut)
    assert less.recommended == analysis.recommended - off
    assert above_info(less) == life.expected(said) | after_cuts(said, less)
    return less


def after_cuts(said: Claimed, analysis: Analysis) -> set[str]:
    """The contractor's waiver is for another amount than it is paid."""
    asked = dict(said.paid).get(said.contractor, ZERO)
    paid = asked - (analysis.requested - analysis.recommended)
    waived = asked if said.waived is None else said.waived
    return {"waivers.current"} if 0 < paid < asked and paid != waived else set()


def honest(life: Life, said: Claimed) -> None:
    """One draw of an honest borrower, returned now and then to leave a soft cost out for now."""
    analysis = look(life, said)
    if said.soft and said.requested > said.soft[-1].amount and life.random.random() < 0.1:
        said.soft.pop()
        analysis = look(life, said)
    assert above_info(analysis) == life.expected(said) | after_cuts(said, analysis), [
        f"{each.id}: {each.message}" for each in analysis.findings
    ]
    if after_cuts(said, analysis) and life.random.random() < 0.5:
        asked = dict(said.paid)[said.contractor]
        said.waived = asked - (analysis.requested - analysis.recommended)
        analysis = look(life, said)
        assert above_info(analysis) == life.expected(said)
    add_up(said, analysis)
    pay(life, said, lowered(life, said, analysis))


def ended(life: Life) -> None:
    """All is built, and all of it is paid."""
    agreed = sum(life.values.values(), ZERO)
    assert life.hard_paid == agreed
    assert life.loan.disbursed == agreed + sum((e.amount for e in life.soft_paid), ZERO)
    nothing = life.claim()
    nothing.soft = []
    assert nothing.due == 0
    assert life.analyse(nothing).payments == ()


def finish(life: Life) -> None:
    """Until all is paid: a cut is asked for again, so that a month or two more may pass."""
    for _ in range(12):
        if life.hard_paid == sum(life.values.values(), ZERO):
            break
        life.go_on()
        honest(life, life.claim())
    ended(life)


@pytest.mark.parametrize("seed", SEEDS)
def test_an_honest_borrower_is_paid_all_and_never_stopped(seed: int) -> None:
    life = Life(seed)
    for said in months(life):
        honest(life, said)
    finish(life)


def changed(life: Life, said: Claimed, random: Random, change: Change) -> Claimed | None:
    """The claim with this change, if there is anything for it to change."""
    other = again(said)
    if not change(life, other, random) or other.due < 0 or other.requested <= 0:
        return None
    return other


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_a_dishonest_borrower_changes_is_found(seed: int) -> None:
    """Found, it is returned; or people take what was cut for what it is, and the life goes on."""
    life, random = Life(seed), Random(-seed)
    for said in months(life):
        for change in random.sample(list(CHANGES), 4):
            other = changed(life, said, random, change)
            if other is None:
                continue
            known = set(life.analyse(said).findings)
            analysis = look(life, other)
            found = [each for each in analysis.findings if each not in known]
            told = {each.check for each in found if each.severity is not Severity.INFO}
            assert CHANGES[change] in told, change.__name__
            if change in CUT:
                hard = analysis.recommended - sum((e.amount for e in other.soft), ZERO)
                other.bills = said.bills
                assert hard <= max(worth(life, other) - life.hard_paid, ZERO), change.__name__
        more = changed(life, said, random, claim_more) if random.random() < 0.2 else None
        if more is None:
            honest(life, said)
        else:
            analysis = look(life, more)
            add_up(more, analysis)
            pay(life, more, analysis)
    finish(life)
