"""What happens to a loan between two draws: change orders, reallocations, other payees and accounts."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from lender.model import ChangeOrder, Move, Moves, Payee, check_moves
from lender.reallocations import after_reallocation
from tests.domain.building import ZERO
from tests.domain.lent import cents

if TYPE_CHECKING:
    from tests.domain.lives import Life


def happen(life: Life) -> None:
    """Perhaps this, perhaps that, mostly nothing."""
    for event, often in EVENTS.items():
        if life.random.random() < often:
            event(life)


def _order(life: Life, **parts: Decimal) -> None:
    """An approved change order of these rows; the borrower deposits what it costs."""
    number = f"CO-{life.month}-{len(life.loan.change_orders)}"
    orders = [
        ChangeOrder(number=number, item=item, amount=amount, approved_by="the owner")
        for item, amount in parts.items()
        if amount
    ]
    deposits = life.loan.deposits + max(sum(parts.values(), ZERO), ZERO)
    known = [each.model_dump() for each in life.loan.change_orders]
    life.change(change_orders=[*known, *(each.model_dump() for each in orders)], deposits=deposits)
    for each in orders:
        life.add(each.item)


def more_work(life: Life) -> None:
    """A row of its own, and perhaps more of another one."""
    item = life.random.choice([line.item for line in life.loan.schedule])
    parts = {f"X{life.month}": 1 + cents(life.random, Decimal(5000))}
    if life.random.random() < 0.5:
        parts[item] = cents(life.random, Decimal(3000))
    _order(life, **parts)


def _unpaid(life: Life) -> Decimal:
    """How much less the contract may be worth without being worth less than is billed of it."""
    return sum((value - life.rows[item].least for item, value in life.values.items()), ZERO)


def _less_work(life: Life) -> None:
    """A credit: a row of its own that is worth less than nothing."""
    credit = cents(life.random, min(_unpaid(life) / 4, Decimal(8000)))
    if credit > 0:
        _order(life, **{f"Y{life.month}": -credit})


def _less_of_a_row(life: Life) -> None:
    """A credit that is posted into its row."""
    items = [item for item, value in life.values.items() if value > 0]
    if not items:
        return
    item = life.random.choice(items)
    most = min(life.values[item] - life.rows[item].least, _unpaid(life))
    credit = life.random.choice((cents(life.random, most), most))
    if credit > 0:
        _order(life, **{item: -credit})


def _less_than_is_billed(life: Life) -> None:
    """A credit that is posted into a row of which more is billed than it is worth then."""
    items = [
        item
        for item, value in life.values.items()
        if value > 1 and life.rows[item].may_shrink and life.rows[item].billed > 1
    ]
    if not items:
        return
    item = life.random.choice(items)
    open_of_it = life.values[item] - life.rows[item].billed
    credit = open_of_it + cents(life.random, life.rows[item].billed - 1)
    if ZERO < credit <= _unpaid(life):
        _order(life, **{item: -credit})
        life.rows[item].built = min(life.rows[item].built, life.values[item])


def _reallocated(life: Life) -> None:
    """From a row that needs less to another one: all that is open of it, perhaps."""
    items = [line.item for line in life.loan.schedule]
    if len(items) < 2:
        return
    source, other = life.random.sample(items, 2)
    backed = {line.item: line.budget_line for line in life.loan.schedule}
    line = next(each.amount for each in life.loan.budget if each.id == backed[source])
    most = min(life.values[source] - life.rows[source].least, line)  # no change order raised it
    amount = life.random.choice((most, cents(life.random, most)))
    if amount <= 0:
        return
    moves = Moves(moves=(Move(from_item=source, to_item=other, amount=amount, reason="-"),))
    assert check_moves(life.loan, 1, moves, life.today).findings == ()
    life.loan = after_reallocation(life.loan, 1, moves, "people", life.today)


def _register(life: Life, role: str) -> Payee:
    name = f"Successor {life.month} {role}"
    payee = Payee(id=f"P-9{life.month}{len(role)}", name=name, role=role, account="acct-9")
    life.change(payees=[*(e.model_dump() for e in life.loan.payees), payee.model_dump()])
    return payee


def _another_contractor(life: Life) -> None:
    life.change(contractor=_register(life, "contractor").id)


def _another_subcontractor(life: Life) -> None:
    if life.subs:
        at = life.random.randrange(len(life.subs))
        life.subs[at] = _register(life, "subcontractor").name


def _another_account(life: Life) -> None:
    """Since the last draw was paid, a payee's account is another; perhaps nobody noted the day."""
    payee = life.random.choice(life.loan.payees)
    on = life.today - timedelta(days=life.random.randint(0, 29))
    noted = on if life.random.random() < 0.5 else None
    new = payee.model_copy(
        update={"account": f"acct-new-{life.month}", "account_changed_on": noted}
    )
    others = (new if each.id == payee.id else each for each in life.loan.payees)
    life.change(payees=[each.model_dump() for each in others])


def _less_is_retained(life: Life) -> None:
    """Lender and borrower agree on lower rates for all work."""
    terms = life.loan.terms.retainage
    if terms.step_down_at is None:
        lower = terms.model_copy(
            update={"work_rate": terms.work_rate / 2, "stored_rate": terms.stored_rate / 2}
        )
        life.change(terms={**life.loan.terms.model_dump(), "retainage": lower.model_dump()})


EVENTS = {
    more_work: 0.15,
    _less_work: 0.1,
    _less_of_a_row: 0.08,
    _less_than_is_billed: 0.08,
    _reallocated: 0.15,
    _another_contractor: 0.04,
    _another_subcontractor: 0.08,
    _another_account: 0.08,
    _less_is_retained: 0.04,
}
"""How often each happens in a month."""
