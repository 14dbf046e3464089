"""The checks of the loan and its payees."""

from decimal import Decimal

from activities.checks._given import ZERO, Findings, Given, side, total
from lender.model import (
    BilledInvoice,
    Category,
    DocumentKind,
    LoanFile,
    LoanStatus,
    Payee,
    PriorDraw,
    RequestPayee,
    one_spelling,
)
from placet.model import CheckResult, Compared, Place


def readable(given: Given) -> CheckResult:
    """Everything in the packet could be read with certainty (I12)."""
    findings = Findings("packet.readable")
    for number, each in enumerate(given.packet.unreadable, 1):
        findings.undetermined(f"{number}", each.what, each.place)
    return findings.result()


def loan_open(given: Given) -> CheckResult:
    """Not matured, in default or on hold; equity is in; the next draw number."""
    findings = Findings("loan.open")
    loan, document = given.loan, given.loan_place
    if loan.status is not LoanStatus.OPEN:
        findings.add(
            "status",
            f"the loan is {loan.status.value}",
            side("status", loan.status.value, Place(document=document, spot="status")),
        )
    if loan.holds:
        findings.add(
            "holds",
            "the loan is on hold: nothing is paid on it until that is lifted",
            side("holds", loan.holds, Place(document=document, spot="holds")),
        )
    if loan.maturity < given.today:
        findings.add(
            "maturity",
            "the loan has matured",
            side("maturity", loan.maturity, Place(document=document, spot="maturity")),
            side("funding date", given.today, Place(document=document)),
        )
    if loan.equity_in < loan.required_equity:
        findings.add(
            "equity",
            "the borrower's required equity is not in",
            side("equity in", loan.equity_in, Place(document=document, spot="equity in")),
            side("required", loan.required_equity, Place(document=document, spot="equity")),
            difference=loan.required_equity - loan.equity_in,
        )
    place = Place(document=document, spot="draws")
    if given.draw != loan.next_draw:
        findings.add(
            "draw",
            f"draw {given.draw} is not the next one",
            side("case", given.draw, Place(document="case")),
            side("next draw", loan.next_draw, place),
        )
    request = given.packet.request
    if request is not None and request.draw is not None and request.draw.value != given.draw:
        findings.add(
            "request",
            "the draw request is for another draw",
            side("draw request", request.draw.value, request.draw.place),
            side("case", given.draw, Place(document="case")),
        )
    return findings.result()


def in_balance(given: Given) -> CheckResult:
    """Undisbursed loan, equity and deposits cover the cost to complete, with what is retained."""
    findings = Findings("balance.in_balance")
    application = given.packet.application
    if application is None or not application.rows or given.packet.request is None:
        what = "there is no pay application or draw request"
        missing = application is None or not application.rows
        kind = DocumentKind.PAY_APPLICATION if missing else DocumentKind.DRAW_REQUEST
        findings.undetermined("application", what, given.place_of(kind))
        return findings.result()
    loan = given.loan
    to_complete, sources = cost_to_complete(given), loan.sources
    if to_complete is None:
        what = "G702 line 6 or rows of the G703 could not be read"
        findings.undetermined("line-6", what, given.place_of(DocumentKind.PAY_APPLICATION))
        return findings.result()
    if sources < to_complete:
        findings.add(
            "sources",
            "the loan is out of balance: what is left does not cover the cost to complete",
            side("undisbursed, equity and deposits", sources, Place(document=given.loan_place)),
            side("cost to complete", to_complete, given.rows[0].scheduled_value.place),
            difference=to_complete - sources,
        )
    request = given.packet.request
    if request.total is not None and request.total.value > loan.undisbursed:
        findings.add(
            "undisbursed",
            "more is requested than is left of the loan",
            side("total requested", request.total.value, request.total.place),
            side("undisbursed", loan.undisbursed, Place(document=given.loan_place)),
            difference=request.total.value - loan.undisbursed,
        )
    return findings.result()


def cost_to_complete(given: Given) -> Decimal | None:
    """What the project still takes, or ``None`` if the packet doesn't say.

    That is the hard cost, retainage and contingency included, and the other lines too.
    """
    application, loan = given.packet.application, given.loan
    if application is None or not application.rows or given.packet.request is None:
        return None
    if application.lacking or application.summary.earned_less_retainage is None:
        return None
    contract = total(row.scheduled_value.value for row in given.rows)
    paid_before = ZERO if loan.last_draw is None else loan.last_draw.earned_less_retainage
    soft_budget = total(
        line.amount for line in loan.budget if line.category is not Category.HARD_COST
    )
    soft_spent = total(draw.disbursed for draw in loan.prior_draws) - paid_before
    return contract - paid_before + max(soft_budget - soft_spent, ZERO)


def duplicate(given: Given) -> CheckResult:
    """No invoice was billed in an earlier draw of any loan, nor twice in this one."""
    findings = Findings("invoice.duplicate")
    invoices = [each for each in given.packet.invoices if not each.bill_of_sale]
    if not invoices:
        return findings.result(otherwise="no invoice is billed")
    billed = {(m.vendor, m.number, m.amount): m.billed_before for m in given.matches}
    seen: dict[BilledInvoice, Place] = {}
    for invoice in invoices:
        key = (invoice.vendor.value, invoice.number.value, invoice.amount.value)
        about = f"{invoice.vendor.value}:{invoice.number.value}"
        if key not in billed:
            what = "the invoice was not compared with earlier draws"
            findings.undetermined(about, what, invoice.number.place)
        elif billed[key]:
            findings.add(
                about,
                f"invoice {invoice.number.value} of {invoice.vendor.value} was billed before",
                side("invoice", invoice.amount.value, invoice.amount.place),
                side("earlier draws", "a match", Place(document="loan-servicing")),
            )
        spelled = BilledInvoice(vendor=key[0], number=key[1], amount=key[2]).spelled
        if spelled in seen:
            findings.add(
                f"{about}:twice",
                f"invoice {invoice.number.value} is in this packet twice",
                side("invoice", invoice.amount.value, invoice.amount.place),
                side("invoice", invoice.amount.value, seen[spelled]),
            )
        seen[spelled] = invoice.amount.place
    return findings.result()


def screened(given: Given) -> CheckResult:
    """Every payee is one of the loan's and passes the compliance database."""
    findings = Findings("payee.screened")
    request = given.packet.request
    if request is None or not request.payees:
        place = given.place_of(DocumentKind.DRAW_REQUEST)
        findings.undetermined("payees", "the draw request names no readable payee", place)
        return findings.result()
    known = {screening.payee: screening for screening in given.screenings}
    for payee in request.payees:
        name = payee.payee.value
        registered = find_payee(given, payee)
        if registered is None:
            findings.add(
                name,
                f"{name} is not a registered payee of this loan",
                side("draw request", name, payee.payee.place),
                side("loan file", "no such payee", Place(document=given.loan_place, spot="payees")),
            )
            continue
        screening = known.get(registered.id)
        if screening is None or screening.status == "unknown":
            findings.undetermined(registered.id, f"{name} was not screened", payee.payee.place)
        elif screening.status == "hit" or not screening.licensed:
            what = "a sanctions list" if screening.status == "hit" else "no valid licence"
            findings.add(
                registered.id,
                f"{name}: {what}",
                side("payee", name, payee.payee.place),
                side(
                    "compliance database",
                    screening.status,
                    Place(document="compliance", spot=screening.list_version),
                ),
            )
    return findings.result()


def bank_changed(given: Given) -> CheckResult:
    """An account that changed since its payee was last paid asks for a call-back first.

    It changed if it is another one than was paid, whether or not anybody noted a day; or if the day
    that was noted is not before that payment. The day of that is the loan's own word: a period's
    end is what the borrower wrote. If the loan doesn't have it, the call-back is asked for.
    """
    findings = Findings("payee.bank_changed")
    request = given.packet.request
    for payee in request.payees if request else ():
        registered = find_payee(given, payee)
        if registered is None:
            continue
        evidence = _account_changed(given, registered)
        if evidence:
            findings.add(
                registered.id,
                f"the bank account of {registered.name} changed: call back before paying",
                side("payee", payee.payee.value, payee.payee.place),
                *evidence,
            )
    return findings.result()


def _account_changed(given: Given, payee: Payee) -> tuple[Compared, ...]:
    """What says that the payee's account is not the one that was last paid."""
    place = Place(document=given.loan_place, spot=payee.id)
    draw = _last_paying(given.loan, payee.id)
    noted, paid_on = payee.account_changed_on, draw.funded if draw else None
    evidence: list[Compared] = []
    if noted is not None and (paid_on is None or noted >= paid_on):
        evidence.append(side("account changed on", noted, place))
    paid = {each.account for each in draw.payments if each.payee == payee.id} if draw else set()
    if draw and paid != {payee.account}:
        last = Place(document=given.loan_place, spot=f"draw {draw.number}")
        evidence.append(side("account", payee.account, place))
        evidence.append(side(f"paid by draw {draw.number}", ", ".join(sorted(paid)), last))
    return tuple(evidence)


def _last_paying(loan: LoanFile, payee: str) -> PriorDraw | None:
    """The last draw that paid them."""
    return next(
        (
            draw
            for draw in reversed(loan.prior_draws)
            if any(payment.payee == payee for payment in draw.payments)
        ),
        None,
    )


def find_payee(given: Given, payee: RequestPayee) -> Payee | None:
    """The registered payee that the draw request names, by id or exact name."""
    named = one_spelling(payee.payee.value)
    for each in given.loan.payees:
        if named in {each.id.lower(), one_spelling(each.name)}:
            return each
    return None
