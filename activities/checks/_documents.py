"""The checks of documents: inspection, stored material, certificate, title, insurance."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from activities.checks._given import NO_DOCUMENT, ZERO, Findings, Given, percent, side, total
from lender.model import (
    BilledInvoice,
    BillOfSale,
    Cover,
    DocumentKind,
    InsuranceKind,
    Read,
    Row,
    lien_finding,
    says_none,
    title_is_current,
    to_cents,
)
from placet.model import CheckResult, Place, Severity, quantity


def inspected(given: Given) -> CheckResult:
    """(D + E) ÷ C of each row is at most the inspected share and the loan's tolerance."""
    findings = Findings("progress.inspected")
    inspection = given.packet.inspection
    if inspection is None or not inspection.rows:
        place = given.place_of(DocumentKind.INSPECTION)
        findings.undetermined("report", "there is no readable inspection report", place)
        return findings.result()
    report = Place(document=inspection.rows[0].complete.place.document)
    seen = seen_complete(given)
    contradicted = {row.item.value for row in inspection.rows} - seen.keys()
    tolerance = given.loan.terms.inspection_tolerance
    for row in given.rows:
        item, value = row.item.value, row.scheduled_value.value
        worked = row.previous.value + row.this_period.value
        complete = seen.get(item)
        if complete is None:
            if item in contradicted:
                what = f"the inspection report says two different things of item {item}"
                findings.undetermined(item, what, row.item.place)
            elif worked > 0:
                what = f"the inspection report says nothing of item {item}"
                findings.undetermined(item, what, report)
            continue
        if value and worked > 0 and worked / value > complete.value + tolerance:
            findings.add(
                item,
                f"item {item}: more is billed than the inspector saw",
                side("billed, (D + E) ÷ C", percent(worked / value), row.this_period.place),
                side("inspected", percent(complete.value), complete.place),
                difference=worked - allowed_work(value, complete.value, tolerance),
            )
    return findings.result()


def seen_complete(given: Given) -> dict[str, Read[Decimal]]:
    """What the inspector saw of each item; an item that is told in two ways is left out."""
    inspection = given.packet.inspection
    told: dict[str, dict[Decimal, Read[Decimal]]] = {}
    for row in inspection.rows if inspection else ():
        told.setdefault(row.item.value, {}).setdefault(row.complete.value, row.complete)
    return {item: next(iter(ways.values())) for item, ways in told.items() if len(ways) == 1}


def inspected_worth(given: Given) -> Decimal | None:
    """What the work that the inspector saw is worth by the G703; nothing if none was read."""
    seen = seen_complete(given)
    found = [
        to_cents(row.scheduled_value.value * seen[row.item.value].value)
        for row in given.rows
        if row.item.value in seen
    ]
    return sum(found, ZERO) if found else None


def allowed_work(value: Decimal, complete: Decimal, tolerance: Decimal) -> Decimal:
    """The most work that an inspected share lets a row bill, in whole cents."""
    return (value * min(complete + tolerance, Decimal(1))).quantize(ZERO, rounding="ROUND_DOWN")


@dataclass(frozen=True)
class TooMuch:
    """What a row is billed above its value, of work not seen, and of material not backed.

    ``work`` and ``material`` are all of it once: what is above the value may be the very work or
    material not seen or backed, and is of the material as far as there is any.
    """

    over: Decimal
    unseen: Decimal
    unbacked: Decimal
    work: Decimal
    material: Decimal


def billed_too_much(given: Given) -> Iterator[tuple[Row, TooMuch]]:
    """Each row with what it is billed too much, before retainage."""
    seen, bills = seen_complete(given), covered(given)
    tolerance = given.loan.terms.inspection_tolerance
    for row in given.rows:
        item, value = row.item.value, row.scheduled_value.value
        worked, stored = row.previous.value + row.this_period.value, row.stored.value
        unseen, complete = ZERO, seen.get(item)
        if complete is not None:
            unseen = max(worked - allowed_work(value, complete.value, tolerance), ZERO)
        unbacked = max(stored - bills.get(item, ZERO), ZERO)
        over = max(row.total.value - value, ZERO)
        most = max(over, unseen + unbacked)
        material = unbacked + max(min(most - unseen - unbacked, stored - unbacked), ZERO)
        yield row, TooMuch(over, unseen, unbacked, most - material, material)


def inspection_current(given: Given) -> CheckResult:
    """The visit falls inside the loan's window around the period's end."""
    findings = Findings("inspection.current")
    application, inspection = given.packet.application, given.packet.inspection
    visited = inspection.visited if inspection else None
    period = application.period_to if application else None
    if visited is None or period is None:
        what = "the date of the visit or the period's end is not readable"
        kind = DocumentKind.INSPECTION if visited is None else DocumentKind.PAY_APPLICATION
        findings.undetermined("visit", what, given.place_of(kind))
        return findings.result()
    window = given.loan.terms.inspection_window_days
    days = abs((visited.value - period.value).days)
    if days > window:
        findings.add(
            "visit",
            f"the visit lies {quantity(days, 'day')} from the period's end, "
            f"and the loan allows {window}",
            side("date of visit", visited.value, visited.place),
            side("period to", period.value, period.place),
        )
    if visited.value > given.today:
        findings.add(
            "future",
            "the visit is dated after the funding date",
            side("date of visit", visited.value, visited.place),
            side("funding date", given.today, Place(document=given.loan_place)),
        )
    return findings.result()


def bills_of_sale(given: Given) -> tuple[BillOfSale, ...]:
    """The bills of sale; one that is in the packet twice counts once, for the first of its rows."""
    found = {
        (bill.item.value, bill.vendor.value, bill.number.value, bill.amount.value)
        for bill in given.packet.invoices
        if bill.bill_of_sale and bill.item is not None
    }
    unique: dict[BilledInvoice, BillOfSale] = {}
    for item, vendor, number, amount in sorted(found):
        bill = BillOfSale(item=item, vendor=vendor, number=number, amount=amount)
        unique.setdefault(bill.spelled, bill)
    return tuple(unique.values())


def _there(given: Given) -> dict[str, Decimal]:
    """What the bills of sale come to, by item."""
    there: dict[str, Decimal] = {}
    for bill in bills_of_sale(given):
        there[bill.item] = there.get(bill.item, ZERO) + bill.amount
    return there


def covered(given: Given) -> dict[str, Decimal]:
    """What bills of sale cover, by item: of one that an earlier draw had, what still lies there."""
    material = given.loan.material
    fresh: dict[str, Decimal] = {}
    for bill in bills_of_sale(given):
        if bill.spelled not in material.known:
            fresh[bill.item] = fresh.get(bill.item, ZERO) + bill.amount
    lies, spare = material.stored, material.spare
    most = {
        item: lies.get(item, ZERO) + spare.get(item, ZERO) + fresh.get(item, ZERO)
        for item in _there(given)
    }
    return {item: min(there, max(most[item], ZERO)) for item, there in _there(given).items()}


def stored(given: Given) -> CheckResult:
    """Each stored-material amount has a bill of sale and insurance, and stays under the cap."""
    findings = Findings("stored.documented")
    rows = [row for row in given.rows if row.stored.value]
    if not given.rows:
        what = "there is no pay application with G703 rows"
        findings.undetermined("application", what, given.place_of(DocumentKind.PAY_APPLICATION))
        return findings.result()
    if not rows:
        return findings.result(otherwise="no stored material is billed")
    bills, there = covered(given), _there(given)
    for row in rows:
        item = row.item.value
        backed = bills.get(item, ZERO)
        if row.stored.value < 0:
            findings.add(
                f"{item}:negative",
                f"item {item}: stored material is less than nothing",
                side("F, materials presently stored", row.stored.value, row.stored.place),
            )
        if backed < row.stored.value:
            again = backed < there.get(item, ZERO)
            findings.add(
                item,
                f"item {item}: stored material without a bill of sale for all of it"
                + (": an earlier draw had one of them, and that material was built in" * again),
                side("F, materials presently stored", row.stored.value, row.stored.place),
                side("bills of sale" + " not used before" * again, backed, NO_DOCUMENT),
                difference=row.stored.value - backed,
            )
    if not any(c.kind.value is InsuranceKind.BUILDERS_RISK for c in given.packet.insurance):
        findings.add(
            "insurance",
            "stored material without a builder's risk certificate",
            side("F, total", total(row.stored.value for row in rows), rows[0].stored.place),
        )
    summed, cap = total(row.stored.value for row in rows), given.loan.terms.stored_material_cap
    if summed > cap:
        findings.add(
            "cap",
            "stored material is above the loan's cap",
            side("F, total", summed, rows[0].stored.place),
            side("cap", cap, Place(document=given.loan_place, spot="stored material cap")),
            difference=summed - cap,
        )
    return findings.result()


def certified(given: Given) -> CheckResult:
    """Borrower, contractor and architect have signed; no more is asked than is certified."""
    findings = Findings("application.certified")
    application = given.packet.application
    if application is None:
        place = given.place_of(DocumentKind.PAY_APPLICATION)
        findings.undetermined("application", "there is no pay application", place)
        return findings.result()
    place = given.rows[0].item.place if given.rows else NO_DOCUMENT
    document = Place(document=place.document)
    request = given.packet.request
    signatures: list[tuple[str, str, Read[date] | None, Place]] = [
        ("contractor", "application", application.contractor_signed, document),
        ("architect", "application", application.architect_signed, document),
    ]
    if request is not None:
        at = request.total.place if request.total else NO_DOCUMENT
        asked = Place(document=at.document)
        signatures.append(("borrower", "draw request", request.signed, asked))
    for who, what, signed, place in signatures:
        if signed is None:
            findings.add(
                who,
                f"the {who} has not signed the {what}",
                side(f"{who} signed", "nothing", place),
            )
        elif signed.value > given.today:
            findings.add(
                who,
                f"the {who}'s signature is dated after the funding date",
                side(f"{who} signed", signed.value, signed.place),
                side("funding date", given.today, Place(document=given.loan_place)),
            )
    amount, due = application.amount_certified, application.summary.current_payment
    if amount is None:
        findings.undetermined("amount", "the amount certified could not be read", document)
    elif due is not None and due.value != amount.value:
        above = due.value > amount.value
        findings.add(
            "amount",
            f"the current payment due is {'above' if above else 'below'} the amount certified",
            side("G702 line 8", due.value, due.place),
            side("amount certified", amount.value, amount.place),
            difference=due.value - amount.value,
            severity=Severity.BLOCKING if above else Severity.WARNING,
        )
    return findings.result()


def title(given: Given) -> CheckResult:
    """The date-down is dated inside the window; no intervening lien, as it or the loan knows."""
    findings = Findings("title.date_down")
    for lien in given.loan.liens:
        findings.add(
            lien_finding(lien.reference),
            f"lien {lien.reference} is recorded against the property",
            side("recorded", lien.recorded, Place(document=given.loan_place, spot="liens")),
        )
    found = given.packet.title
    if found is None or found.effective is None:
        place = given.place_of(DocumentKind.TITLE)
        findings.undetermined("date-down", "there is no readable title date-down", place)
        return findings.result()
    window = given.loan.terms.title_window_days
    if not title_is_current(found.effective.value, window, given.today):
        findings.add(
            "effective",
            f"the date-down is not from the last {window} days",
            side("effective date", found.effective.value, found.effective.place),
            side("funding date", given.today, Place(document=given.loan_place)),
        )
    said = found.on_exceptions
    if said is None:
        what = "the date-down does not say, where it can be read, whether it shows exceptions"
        findings.undetermined("exceptions", what, found.effective.place)
    keyed = () if said is None or found.exceptions or says_none(said.value) else (said,)
    for number, exception in enumerate((*found.exceptions, *keyed), 1):
        findings.add(
            f"exception-{number}",
            "the date-down shows a lien or exception",
            side("exception", exception.value, exception.place),
        )
    return findings.result()


def insurance(given: Given) -> CheckResult:
    """Builder's risk and liability are in force through the funding date, as far as is known."""
    findings = Findings("insurance.current")
    for kind in InsuranceKind:
        name = kind.value.replace("_", " ")
        certificates = [c for c in given.packet.insurance if c.kind.value is kind]
        if not certificates:
            findings.add(
                kind.value,
                f"there is no {name} certificate",
                side("certificates", "none", NO_DOCUMENT),
            )
            continue
        latest = _expiry(given, kind)
        if latest is None:
            what, place = (
                f"the {name} certificate has no readable expiry",
                certificates[0].kind.place,
            )
            findings.undetermined(kind.value, what, place)
            continue
        funding = side("funding date", given.today, Place(document=given.loan_place))
        ends = given.loan.cover_ends(kind)
        if ends is not None and ends < given.today:
            told = side("ends", ends, Place(document=given.loan_place, spot="notices"))
            what = f"{name} has ended, as its insurer told the lender"
            findings.add(kind.value, what, told, funding)
        elif latest.value < given.today:
            expires = side("expires", latest.value, latest.place)
            findings.add(kind.value, f"{name} has expired", expires, funding)
    return findings.result()


def cover(given: Given, kind: InsuranceKind) -> Cover:
    """Through which day the certificates and the insurer's notices say that cover lasts."""
    latest = _expiry(given, kind)
    certified, told = latest.value if latest else None, given.loan.cover_ends(kind)
    through = min((day for day in (certified, told) if day is not None), default=None)
    return Cover(kind=kind, through=through, certified=certified)


def _expiry(given: Given, kind: InsuranceKind) -> Read[date] | None:
    expiries = [
        each.expires
        for each in given.packet.insurance
        if each.kind.value is kind and each.expires is not None
    ]
    return max(expiries, key=lambda each: each.value, default=None)
