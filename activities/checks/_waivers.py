"""The checks of lien waivers: what each of those whom a draw pays must have signed."""

from datetime import date
from decimal import Decimal

from activities.checks import _cuts
from activities.checks._budget import drawn
from activities.checks._claims import by_claimant, claims, is_subcontractor, no_suppliers
from activities.checks._given import NO_DOCUMENT, ZERO, Findings, Given, money, side, total
from activities.checks._loan import find_payee
from lender.model import (
    Claim,
    DocumentKind,
    Read,
    Waiver,
    WaiverKind,
    one_spelling,
    says_none,
)
from placet.model import CheckResult, Compared, Place, Severity

_FORMS = {
    WaiverKind.CONDITIONAL_PROGRESS: "conditional waiver on progress payment",
    WaiverKind.UNCONDITIONAL_PROGRESS: "unconditional waiver on progress payment",
    WaiverKind.CONDITIONAL_FINAL: "conditional waiver on final payment",
    WaiverKind.UNCONDITIONAL_FINAL: "unconditional waiver on final payment",
}


def waivers_current(given: Given) -> CheckResult:
    """Each claimant's statutory form for this draw: signed, right job, through date, amount."""
    findings = Findings("waivers.current")
    final = _is_final(given)
    wanted = WaiverKind.CONDITIONAL_FINAL if final else WaiverKind.CONDITIONAL_PROGRESS
    if given.packet.request is None:
        what = "there is no readable draw request with payees"
        findings.undetermined("request", what, given.place_of(DocumentKind.DRAW_REQUEST))
    if all(file.kind is not DocumentKind.SUBCONTRACTORS for file in given.packet.files):
        what = "there is no readable subcontractor list"
        findings.undetermined("subcontractors", what, NO_DOCUMENT)
    if final:
        _occupancy(given, findings)
    _to_others(given, wanted, findings)
    paid_less = (_after_cuts(given, each, wanted, findings) for each in claims(given))
    due = [each for each in paid_less if each.amount]
    for claim in due:
        paid = side("paid by this draw", claim.amount, NO_DOCUMENT)
        _check_waivers(given, claim, wanted, paid, findings)
    return findings.result(otherwise=None if due else "nobody who must waive is paid")


def _after_cuts(given: Given, asked: Claim, wanted: WaiverKind, findings: Findings) -> Claim:
    """What the claimant's waiver is held against: the contractor does not get what is taken off.

    A waiver for all that was asked is no reason to pay nothing, but it takes effect on that amount
    alone (Civil Code 8132, 8136).
    """
    contractor, cut = given.loan.payee(given.loan.contractor), _cuts.taken_off(given)
    if contractor is None or not _same(contractor.name, asked.claimant):
        return asked
    if not ZERO < cut <= asked.amount:  # with more taken off, nobody is paid
        return asked
    paid = asked.model_copy(update={"amount": asked.amount - cut})
    waived = _waived(given, asked, wanted)
    if _waived(given, paid, wanted) == paid.amount or waived != asked.amount or not paid.amount:
        return paid
    place = _chosen(given, asked, wanted)[0].claimant.place
    findings.add(
        f"{asked.claimant}:after-cuts",
        f"the waiver of {asked.claimant} is for what was asked and takes effect on that alone: "
        "ask for one for what is paid",
        side("waiver", waived, place),
        side("paid by this draw", paid.amount, NO_DOCUMENT),
        difference=cut,
        severity=Severity.WARNING,
    )
    return asked


def _waived(given: Given, claim: Claim, wanted: WaiverKind) -> Decimal:
    return total(each.amount.value for each in _chosen(given, claim, wanted) if each.amount)


def waivers_previous(given: Given) -> CheckResult:
    """An unconditional waiver for what the previous draw paid each of them.

    The final form, which says that all was paid, stands in for it.
    """
    findings = Findings("waivers.previous")
    last, nobody = given.loan.last_draw, "no earlier draw paid anyone who must waive"
    if last is None:
        return findings.result(otherwise=nobody)
    place = Place(document=given.loan_place, spot=f"draw {last.number}")
    for payee in () if last.claims else sorted(no_suppliers(given, last)):
        what = f"{payee} was paid, and the loan does not say what of it is to be waived"
        findings.undetermined(payee, what, place)
    for claim in by_claimant(last.claims):
        paid = side(f"paid by draw {last.number}", claim.amount, place)
        kind, final = WaiverKind.UNCONDITIONAL_PROGRESS, WaiverKind.UNCONDITIONAL_FINAL
        if _chosen(given, claim, final) and not _chosen(given, claim, kind):
            kind = final
        _check_waivers(given, claim, kind, paid, findings)
    return findings.result(otherwise=None if last.claims else nobody)


def _to_others(given: Given, wanted: WaiverKind, findings: Findings) -> None:
    """Hard cost is waived by whomever else it is paid to: else it could go to anybody.

    A supplier is paid what other lines of the budget are asked for; the rest of it is hard cost. A
    contractor that is not the loan's is no more than that.
    """
    request = given.packet.request
    paid = by_claimant(
        Claim(claimant=registered.name, amount=payee.amount.value)
        for payee in (request.payees if request else ())
        if (registered := find_payee(given, payee)) is not None
        and registered.id != given.loan.contractor
        and not is_subcontractor(given, registered)
    )
    others = total(each.amount for each in drawn(given))
    if request is None or total(each.amount for each in paid) <= others:
        return
    waive = [each for each in paid if _chosen(given, each, wanted)]
    for claim in waive:
        _check_waivers(given, claim, wanted, side("paid", claim.amount, NO_DOCUMENT), findings)
    rest = total(each.amount for each in paid if each not in waive)
    if rest > others:
        place = request.payees[0].amount.place
        findings.add(
            "suppliers",
            "hard cost is paid to suppliers, or to other contractors, who waive nothing",
            side("paid to them without a waiver", rest, place),
            side("asked of other lines than hard cost", others, place),
            difference=rest - others,
        )


def _form(kind: WaiverKind) -> str:
    return f"{_FORMS[kind]} (Civil Code {kind.value})"


def _instead(given: Given, claim: Claim, wanted: WaiverKind) -> Compared:
    """What of the claimant there is in the place of the form that is due."""
    others = [
        each
        for each in given.packet.waivers
        if each.kind.value is not wanted and _same(each.claimant.value, claim.claimant)
    ]
    first = min(others, key=lambda each: each.claimant.place.document, default=None)
    if first is None:
        return side("waiver", "none", NO_DOCUMENT)
    over = "" if first.amount is None else f" over {money(first.amount.value)}"
    return side("there is", f"{_form(first.kind.value)}{over}", first.kind.place)


def _period(given: Given, kind: WaiverKind) -> Read[date] | None:
    """The period through whose end a form of that kind waives; the final ones have none."""
    application, last = given.packet.application, given.loan.last_draw
    if kind is WaiverKind.CONDITIONAL_PROGRESS and application is not None:
        return application.period_to
    if kind is WaiverKind.UNCONDITIONAL_PROGRESS and last is not None:
        place = Place(document=given.loan_place, spot=f"draw {last.number}")
        return Read(value=last.period_to, place=place)
    return None


def _check_through(given: Given, waiver: Waiver, name: str, findings: Findings) -> None:
    period = _period(given, waiver.kind.value)
    through, about = waiver.through, f"{name}:through"
    if through is None or period is None:
        what = "the waiver's through date or the period's end is not readable"
        findings.undetermined(about, what, waiver.claimant.place)
    elif through.value < period.value:
        findings.add(
            about,
            f"the waiver of {name} ends before the period does",
            side("through date", through.value, through.place),
            side("period to", period.value, period.place),
        )


def _is_final(given: Given) -> bool:
    """Whether this is the final draw: it says so, or it pays all that the contract has left."""
    application = given.packet.application
    if application is None or application.final:
        return application is not None
    due, left = application.summary.current_payment, application.summary.balance_to_finish
    return due is not None and left is not None and due.value > 0 and left.value <= 0


def _occupancy(given: Given, findings: Findings) -> None:
    """The final draw asks for the certificate of occupancy."""
    found = given.packet.occupancy
    issued = found.issued if found else None
    if issued is None:
        what = "there is no readable certificate of occupancy"
        findings.undetermined("occupancy", what, given.place_of(DocumentKind.OCCUPANCY))
    elif issued.value > given.today:
        findings.add(
            "occupancy",
            "the certificate of occupancy is dated after the funding date",
            side("date issued", issued.value, issued.place),
            side("funding date", given.today, Place(document=given.loan_place)),
        )
    where, expected = found.job_location if found else None, given.loan.job_location
    if found is not None and where is None:
        what = "the certificate of occupancy does not say, where it can be read, of which building"
        place = given.place_of(DocumentKind.OCCUPANCY)
        findings.undetermined("occupancy:job-location", what, place)
    elif where is not None and not _same(where.value, expected):
        findings.add(
            "occupancy:job-location",
            "the certificate of occupancy is for another building",
            side("job location", where.value, where.place),
            side("loan file", expected, Place(document=given.loan_place, spot="job location")),
        )


def _check_waivers(
    given: Given, claim: Claim, kind: WaiverKind, paid: Compared, findings: Findings
) -> None:
    """The claimant's waivers of that kind, each checked; without one, that is the finding."""
    waivers = _chosen(given, claim, kind)
    if not waivers:
        what = f"{claim.claimant}: no {_form(kind)}"
        findings.add(claim.claimant, what, paid, _instead(given, claim, kind))
    for waiver in waivers:
        _check_waiver(waiver, claim.claimant, given, findings)
    _reserved(given, claim, kind, waivers, findings)
    if kind is WaiverKind.UNCONDITIONAL_FINAL:  # it has no amount: all was paid
        return
    amounts = [each.amount for each in waivers]
    summed = total(amount.value for amount in amounts if amount is not None)
    if waivers and None not in amounts and summed != claim.amount:
        findings.add(
            f"{claim.claimant}:amount",
            f"the waiver of {claim.claimant} is not for what is paid",
            side("waiver", summed, (waivers[0].amount or waivers[0].claimant).place),
            paid,
            difference=summed - claim.amount,
        )


def _reserved(
    given: Given, claim: Claim, kind: WaiverKind, chosen: tuple[Waiver, ...], findings: Findings
) -> None:
    """The exceptions that any of the claimant's waivers for this draw reserves, chosen or not."""
    period, name = _period(given, kind), claim.claimant
    for waiver in _given_by(given, claim, kind):
        exceptions, through = waiver.exceptions, waiver.through
        if exceptions is None or says_none(exceptions.value):
            continue
        earlier = period is not None and through is not None and through.value < period.value
        if waiver in chosen or not earlier:
            findings.add(
                f"{name}:exceptions",
                f"the waiver of {name} reserves exceptions",
                side("exceptions", exceptions.value, exceptions.place),
                severity=Severity.WARNING,
            )


def _given_by(given: Given, claim: Claim, kind: WaiverKind) -> tuple[Waiver, ...]:
    """The claimant's waivers of that kind by file; a copy of one is not a second."""
    digests = {file.name: file.digest for file in given.packet.files}
    by_file: dict[object, Waiver] = {}
    in_order = sorted(given.packet.waivers, key=lambda each: each.claimant.place.document)
    for number, waiver in enumerate(in_order):
        if waiver.kind.value is kind and _same(waiver.claimant.value, claim.claimant):
            by_file.setdefault(digests.get(waiver.claimant.place.document, number), waiver)
    return tuple(by_file.values())


def _chosen(given: Given, claim: Claim, kind: WaiverKind) -> tuple[Waiver, ...]:
    """The waiver for the amount; else those that add up to it; else one, all of the fewest faults.

    Who has two contracts may give two waivers; who forgot to sign one gives it again.
    """
    faults = [(_faults(given, each), each) for each in _given_by(given, claim, kind)]
    found = tuple(each for _, each in sorted(faults, key=lambda pair: pair[0]))
    fitting = (each for each in found if each.amount and each.amount.value == claim.amount)
    one = next(fitting, None)
    if one is not None:
        return (one,)
    for some in (tuple(each for many, each in faults if not many), found):
        if total(each.amount.value for each in some if each.amount) == claim.amount:
            return some
    return found[:1]


def _faults(given: Given, waiver: Waiver) -> int:
    """How much is wrong with a waiver, whatever it is for."""
    findings = Findings("waivers.current")
    _check_waiver(waiver, waiver.claimant.value, given, findings)
    return len(findings.result().findings)


def _check_waiver(waiver: Waiver, name: str, given: Given, findings: Findings) -> None:
    if waiver.amount is None and waiver.kind.value is not WaiverKind.UNCONDITIONAL_FINAL:
        findings.undetermined(f"{name}:amount", "the amount is not readable", waiver.claimant.place)
    if waiver.signed is None:
        findings.add(
            f"{name}:signed",
            f"the waiver of {name} is not signed and dated",
            side("date of signature", "nothing", waiver.claimant.place),
        )
    elif waiver.signed.value > given.today:
        findings.add(
            f"{name}:signed",
            f"the waiver of {name} is dated after the funding date",
            side("date of signature", waiver.signed.value, waiver.signed.place),
            side("funding date", given.today, Place(document=given.loan_place)),
        )
    for what, read, expected in (
        ("job location", waiver.job_location, given.loan.job_location),
        ("owner", waiver.owner, given.loan.owner),
    ):
        if read is None or not _same(read.value, expected):
            findings.add(
                f"{name}:{what.replace(' ', '-')}",
                f"the waiver of {name} names another {what}",
                side(
                    what,
                    read.value if read else "nothing",
                    read.place if read else waiver.claimant.place,
                ),
                side("loan file", expected, Place(document=given.loan_place, spot=what)),
            )
    if waiver.kind.value in (WaiverKind.CONDITIONAL_PROGRESS, WaiverKind.UNCONDITIONAL_PROGRESS):
        _check_through(given, waiver, name, findings)


def _same(left: str, right: str) -> bool:
    return one_spelling(left) == one_spelling(right)
