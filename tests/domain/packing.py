"""A claim as the packet that says it, in memory."""

from datetime import timedelta
from decimal import Decimal

from lender.model import DocumentKind as Kind
from lender.model import (
    DrawRequest,
    FileEntry,
    InspectedRow,
    Inspection,
    Insurance,
    InsuranceKind,
    Invoice,
    LoggedChangeOrder,
    Occupancy,
    Packet,
    PayApplication,
    RequestLine,
    RequestPayee,
    Row,
    Subcontractor,
    Summary,
    Title,
    Waiver,
    WaiverKind,
    to_cents,
)
from placet.model import digest_bytes
from tests.domain.building import JOB, ZERO, at, waiver
from tests.domain.claiming import Bill, Claim, Claimed, Rates

FILES = tuple(
    FileEntry(name=name, size=4, digest=digest_bytes(name.encode()), kind=kind)
    for name, kind in (("packet.xlsx", Kind.PAY_APPLICATION), ("subs.csv", Kind.SUBCONTRACTORS))
)


def packet_of(said: Claimed) -> Packet:
    """The packet, as it is read."""
    return Packet(
        files=FILES,
        application=_application(said),
        request=_request(said),
        subcontractors=tuple(
            Subcontractor(
                name=at(name, "Subs!A"),
                contract=at(Decimal("90000.00"), "Subs!B"),
                paid=at(ZERO, "Subs!C"),
                due=at(said.listed.get(name, due), "Subs!D"),
            )
            for name, due in said.subs
        ),
        waivers=tuple(
            e for e in _waivers(said) if (e.kind.value, e.claimant.value) not in said.missing
        ),
        inspection=Inspection(
            visited=at(said.period, "page 1", "inspection.pdf"),
            inspector=at("County Inspection Services", "page 1", "inspection.pdf"),
            rows=tuple(
                InspectedRow(item=at(e.item, "page 1"), complete=at(e.seen, "page 1"))
                for e in said.rows
                if e.seen is not None
            ),
        ),
        change_orders=tuple(
            LoggedChangeOrder(
                number=at(number, "log"),
                amount=at(amount, "log"),
                approved_by=at("the owner", "log"),
            )
            for number, amount in said.orders
        ),
        title=Title(
            effective=at(said.today - timedelta(days=3), "page 1"),
            on_exceptions=at("None", "page 1"),
        ),
        insurance=tuple(
            Insurance(
                kind=at(kind, "page 1"), expires=at(said.today + timedelta(days=90), "page 1")
            )
            for kind in InsuranceKind
        ),
        invoices=(
            *(_invoice(each, sale=False) for each in said.soft),
            *(_invoice(each, sale=True) for each in said.bills),
        ),
        occupancy=Occupancy(issued=at(said.period, "page 1"), job_location=at(JOB, "page 1"))
        if said.is_final
        else None,
    )


def _invoice(bill: Bill, *, sale: bool) -> Invoice:
    document = f"{bill.number}-{bill.what}.pdf"
    return Invoice(
        vendor=at(bill.vendor, "vendor", document),
        number=at(bill.number, "number", document),
        amount=at(bill.amount, "amount", document),
        item=at(bill.what, "item", document) if sale else None,
        bill_of_sale=sale,
    )


def _waivers(said: Claimed) -> list[Waiver]:
    kind = WaiverKind.CONDITIONAL_FINAL if said.is_final else WaiverKind.CONDITIONAL_PROGRESS
    threshold = said.loan.terms.waiver_threshold
    claims = [
        (name, due if said.waived is None else said.waived)
        for name, due in said.paid
        if name == said.contractor
    ]
    claims += [(name, due) for name, due in said.subs if due > threshold]
    found = [waiver(kind, name, amount, said.period) for name, amount in claims]
    if said.is_final:
        found = [each.model_copy(update={"through": None}) for each in found]
    for each in said.owed:
        one = waiver(each.kind, each.claimant, each.amount, each.through)
        if each.kind is WaiverKind.UNCONDITIONAL_FINAL:  # Civil Code 8138 has neither
            one = one.model_copy(update={"through": None, "amount": None})
        found.append(one)
    signed = [e.model_copy(update={"signed": at(said.today, "page 1")}) for e in found]
    if said.drafts:
        signed += [_again(each, "draft", {"signed": None}) for each in signed]
    if said.reserves is not None:
        reserved = {"exceptions": at(said.reserves, "page 1")}
        signed += [_again(each, "late", reserved) for each in signed]
    return signed


def _again(waiver: Waiver, document: str, changes: dict[str, object]) -> Waiver:
    """The same waiver in another file."""
    name = f"{document}-{waiver.claimant.place.document}"
    claimant = at(waiver.claimant.value, waiver.claimant.place.spot or "", name)
    return waiver.model_copy(update={"claimant": claimant, **changes})


def _request(said: Claimed) -> DrawRequest:
    soft: dict[str, Decimal] = {}
    for each in said.soft:
        soft[each.what] = soft.get(each.what, ZERO) + each.amount
    half = to_cents(said.due / 2)
    lines = [("H1", half), ("H2", said.due - half), *soft.items()]
    payees = [(said.instead or name, amount) for name, amount in said.paid]
    payees += [(said.payee_of_soft or e.vendor, e.amount) for e in said.soft]
    return DrawRequest(
        draw=at(said.draw, "Request!B1"),
        signed=at(said.today, "Request!B2"),
        total=at(said.requested, "Request!B3"),
        lines=tuple(
            RequestLine(line=at(line, f"Request!A{n}"), amount=at(amount, f"Request!B{n}"))
            for n, (line, amount) in enumerate(lines, 5)
        ),
        payees=tuple(
            RequestPayee(payee=at(name, f"Payees!A{n}"), amount=at(amount, f"Payees!B{n}"))
            for n, (name, amount) in enumerate(payees, 2)
        ),
    )


def _application(said: Claimed) -> PayApplication:
    work, stored = said.in_parts
    orders = sum((amount for _, amount in said.orders), ZERO)
    amounts = {
        "original_contract": said.contract - orders,
        "change_orders": orders,
        "contract_to_date": said.contract,
        "completed_and_stored": sum((e.total for e in said.rows), ZERO),
        "retainage_work": work,
        "retainage_stored": stored,
        "retainage": sum(said.held),
        "earned_less_retainage": said.earned,
        "previous_certificates": said.line_7,
        "current_payment": said.due,
        "balance_to_finish": said.contract - said.earned,
    }
    signed = at(said.period, "G702!B3")
    certified = said.due if said.certified is None else said.certified
    return PayApplication(
        application=at(said.draw, "G702!B1"),
        period_to=at(said.period, "G702!B2"),
        contractor_signed=signed,
        architect_signed=signed,
        amount_certified=at(certified, "G702!B5"),
        final=said.final,
        summary=Summary(**{name: at(value, f"G702!{name}") for name, value in amounts.items()}),
        rows=tuple(_row(said, e, p) for e, p in zip(said.rows, said.parts, strict=True)),
    )


def _row(said: Claimed, row: Claim, parts: Rates) -> Row:
    held = {"each part of each row": sum(map(to_cents, parts)), "each row": to_cents(sum(parts))}
    if said.apart:
        held["each part"] = held["each row"]
    values = {
        "scheduled_value": row.value,
        "previous": row.before,
        "this_period": row.now,
        "stored": row.stored,
        "total": row.total,
        "balance": row.value - row.total,
        **({"retainage": held[said.way]} if said.way in held else {}),
    }
    share = round(row.total / row.value, 4) if row.value else None
    return Row(
        item=at(row.item, f"G703!A{row.item}"),
        description=at(f"Work {row.item}", f"G703!B{row.item}"),
        percent=None if share is None else at(share, f"G703!%{row.item}"),
        percent_places=2,
        **{name: at(value, f"G703!{name}{row.item}") for name, value in values.items()},
    )
