"""Who is paid what by a draw, and so has something to waive."""

from collections.abc import Iterable
from decimal import Decimal

from activities.checks._given import ZERO, Given
from activities.checks._loan import find_payee
from lender.model import Claim, Payee, PriorDraw, one_spelling


def claims(given: Given) -> tuple[Claim, ...]:
    """Who is paid what by this draw and must waive.

    The contractor, and each subcontractor above the loan's threshold: as the list has it, whose
    lines for one of them are one claim, or as the draw pays it directly, if that is more.
    """
    request = given.packet.request
    paid: list[tuple[Payee, Decimal]] = [
        (registered, payee.amount.value)
        for payee in (request.payees if request else ())
        if (registered := find_payee(given, payee)) is not None
    ]
    contractor = by_claimant(
        Claim(claimant=payee.name, amount=amount)
        for payee, amount in paid
        if payee.id == given.loan.contractor
    )
    listed = by_claimant(
        Claim(claimant=each.name.value, amount=each.due.value)
        for each in given.packet.subcontractors
    )
    direct = by_claimant(
        Claim(claimant=payee.name, amount=amount)
        for payee, amount in paid
        if is_subcontractor(given, payee)
    )
    most: dict[str, Claim] = {}
    for each in (*listed, *direct):
        first = most.setdefault(one_spelling(each.claimant), each)
        if each.amount > first.amount:
            most[one_spelling(each.claimant)] = first.model_copy(update={"amount": each.amount})
    found = [each for each in contractor if each.amount]
    threshold = given.loan.terms.waiver_threshold
    found += [each for each in most.values() if each.amount > threshold]
    return tuple(sorted(found, key=lambda each: each.claimant))


def by_claimant(claims: Iterable[Claim]) -> tuple[Claim, ...]:
    """One claim of each claimant."""
    found: dict[str, Claim] = {}
    for each in claims:
        first = found.get(one_spelling(each.claimant), each.model_copy(update={"amount": ZERO}))
        amount = first.amount + each.amount
        found[one_spelling(each.claimant)] = first.model_copy(update={"amount": amount})
    return tuple(found.values())


def no_suppliers(given: Given, draw: PriorDraw) -> Iterable[str]:
    """Whom a draw paid that is no supplier: a subcontractor counts above the loan's threshold."""
    paid: dict[str, Decimal] = {}
    for payment in draw.payments:
        paid[payment.payee] = paid.get(payment.payee, ZERO) + payment.amount
    for payee, amount in paid.items():
        registered = given.loan.payee(payee)
        role = registered.role if registered else None
        least = given.loan.terms.waiver_threshold if role == "subcontractor" else ZERO
        if amount > least and (role != "supplier" or payee == given.loan.contractor):
            yield registered.name if registered else payee


def is_subcontractor(given: Given, payee: Payee) -> bool:
    """Whether it is one by its role; or a contractor that is not the loan's, and is listed."""
    if payee.id == given.loan.contractor:
        return False
    listed = {one_spelling(each.name.value) for each in given.packet.subcontractors}
    return payee.role == "subcontractor" or (
        payee.role == "contractor" and one_spelling(payee.name) in listed
    )
