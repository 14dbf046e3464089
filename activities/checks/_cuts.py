"""What is taken off a draw, by the checks and by people: its contractor does not get it."""

from decimal import Decimal

from activities.checks import _documents, _progress
from activities.checks._given import ZERO, Given, total
from lender.model import Adjustment, to_cents


def requested(given: Given) -> Decimal:
    """What the draw request asks for."""
    request = given.packet.request
    return request.total.value if request and request.total else ZERO


def by_checks(given: Given) -> tuple[Adjustment, ...]:
    """What each row is billed too much, net of the retainage that is held on it."""
    on_work, on_stored = _progress.held_rates(given)
    found = []
    for row, much in _documents.billed_too_much(given):
        reasons = [
            what
            for amount, what in (
                (much.over, "billed above the scheduled value"),
                (much.unseen, "more than the inspector saw"),
                (much.unbacked, "stored material without a bill of sale"),
            )
            if amount
        ]
        if reasons:
            amount = to_cents(much.work * (1 - on_work) + much.material * (1 - on_stored))
            found.append(Adjustment(item=row.item.value, amount=amount, reason="; ".join(reasons)))
    return tuple(found)


def by_people(given: Given) -> tuple[Adjustment, ...]:
    """What people took off, beside what the checks did."""
    return tuple(
        Adjustment(item=each.item, amount=each.amount, reason=each.reason, by=each.by)
        for each in given.cuts
    )


def taken_off(given: Given) -> Decimal:
    """How much of the draw is not paid."""
    cut = max(
        min(total(each.amount for each in by_checks(given)), _due(given)),
        _above_certified(given),
        requested(given) - given.loan.undisbursed,
    )
    return max(cut, ZERO) + total(each.amount for each in given.cuts)


def _due(given: Given) -> Decimal:
    """Line 8: what is billed too much beyond it was paid before, and is no other payee's loss."""
    application = given.packet.application
    due = application.summary.current_payment if application else None
    return max(due.value, ZERO) if due else ZERO


def _above_certified(given: Given) -> Decimal:
    application = given.packet.application
    if application is None or application.amount_certified is None:
        return ZERO
    due = application.summary.current_payment
    return max(due.value - application.amount_certified.value, ZERO) if due else ZERO
