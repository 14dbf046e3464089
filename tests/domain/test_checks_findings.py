"""What the checks say of documents that are missing, contradict each other, or do not suffice."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from activities.checks import CHECKS, analyse
from lender.model import (
    Analysis,
    DocumentKind,
    DrawRequest,
    FileEntry,
    InspectedRow,
    LoanFile,
    LoanStatus,
    Occupancy,
    Packet,
    PayApplication,
    Read,
    WaiverKind,
)
from placet.model import CheckStatus, Finding, Severity, digest_bytes
from tests.domain import building
from tests.domain.test_checks_clean import analysed


def of(analysis: Analysis, check: str) -> list[Finding]:
    """The findings of one check."""
    return [each for each in analysis.findings if each.check == check]


def status(analysis: Analysis, check: str) -> CheckStatus:
    """How one check ended."""
    return next(each.status for each in analysis.results if each.check == check)


def look(loan: LoanFile | None = None, **changes: Any) -> Analysis:
    """The analysis of the clean packet with some documents changed."""
    packet = building.packet().model_copy(update=changes)
    return analysed(packet, loan or building.loan())


NOT_OPEN: dict[str, dict[str, Any]] = {
    "status": {"status": LoanStatus.DEFAULT},
    "holds": {"holds": 1},
    "maturity": {"maturity": building.TODAY - timedelta(days=1)},
    "equity": {"equity_in": building.loan().required_equity - Decimal("0.01")},
}


@pytest.mark.parametrize("why", NOT_OPEN)
def test_a_loan_that_is_not_open_is_told(why: str) -> None:
    """In default, on hold, matured, or without the borrower's equity: each by its name."""
    (finding,) = of(look(building.loan().model_copy(update=NOT_OPEN[why])), "loan.open")
    assert (finding.id, finding.severity) == (f"loan.open#{why}", Severity.BLOCKING)


@pytest.mark.parametrize(
    ("missing", "check"),
    [
        ({"application": None}, "sov.arithmetic"),
        ({"application": None}, "stored.documented"),
        ({"application": None}, "application.certified"),
        ({"request": None}, "sov.totals"),
        ({"request": None}, "payee.screened"),
        ({"request": None}, "waivers.current"),
        ({"files": ()}, "waivers.current"),
        ({"inspection": None}, "progress.inspected"),
        ({"inspection": None}, "inspection.current"),
        ({"title": None}, "title.date_down"),
    ],
)
def test_a_document_that_is_missing_is_no_pass(missing: dict[str, Any], check: str) -> None:
    """Leaving a document out never makes a packet look better (I12)."""
    analysis = look(**missing)
    assert status(analysis, check) is CheckStatus.CANNOT_DETERMINE
    assert any(each.severity is Severity.BLOCKING for each in of(analysis, check))


def test_an_empty_packet_has_an_answer_to_every_check() -> None:
    analysis = analysed(Packet(), building.loan())
    assert len({each.check for each in analysis.results}) == len(CHECKS)
    assert analysis.recommended == 0
    assert analysis.payments == ()


def test_two_words_of_the_inspector_on_one_item_are_none() -> None:
    inspection = building.packet().inspection
    assert inspection is not None
    first = inspection.rows[0]
    share: Read[Decimal] = Read(value=Decimal("0.5"), place=first.complete.place)
    other = InspectedRow(item=first.item, complete=share)
    rows = (*inspection.rows, other)
    analysis = look(inspection=inspection.model_copy(update={"rows": rows}))
    assert status(analysis, "progress.inspected") is CheckStatus.CANNOT_DETERMINE


def test_stored_material_without_a_bill_of_sale_is_taken_off() -> None:
    invoices = tuple(i for i in building.packet().invoices if not i.bill_of_sale)
    analysis = look(invoices=invoices)
    (found,) = of(analysis, "stored.documented")
    assert found.difference == "5,000.00"
    (adjustment,) = analysis.adjustments
    assert (adjustment.item, adjustment.amount) == ("03", Decimal("4500.00"))
    assert analysis.recommended == analysis.requested - adjustment.amount


def test_work_that_nobody_saw_is_taken_off_net_of_retainage() -> None:
    inspection = building.packet().inspection
    assert inspection is not None
    share: Read[Decimal] = Read(value=Decimal("0.30"), place=inspection.rows[1].complete.place)
    seen = inspection.rows[1].model_copy(update={"complete": share})
    rows = (inspection.rows[0], seen, inspection.rows[2])
    analysis = look(inspection=inspection.model_copy(update={"rows": rows}))
    (found,) = of(analysis, "progress.inspected")
    assert {each.place.document for each in found.compared} == {"packet.xlsx", "inspection.pdf"}
    # 50,000.35 is billed; 32% of 125,500.50 may be: 40,160.16. The tenth of the rest is retained.
    (adjustment,) = analysis.adjustments
    assert adjustment.amount == Decimal("8856.17")
    assert analysis.recommended == analysis.requested - adjustment.amount


def test_of_two_waivers_of_one_claimant_the_one_for_the_amount_counts() -> None:
    packet = building.packet()
    kind, through = WaiverKind.CONDITIONAL_PROGRESS, date(2026, 10, 31)
    other = building.waiver(kind, building.BUILDER, Decimal("1.00"), through)
    for waivers in ((other, *packet.waivers), (*packet.waivers, other)):
        assert of(look(waivers=waivers), "waivers.current") == []


def occupancy(where: str | None) -> Occupancy:
    """A certificate of occupancy, in order but for the building perhaps."""
    issued = building.at(date(2026, 11, 1), "page 1", "co.pdf")
    return Occupancy(
        issued=issued, job_location=None if where is None else building.at(where, "page 1")
    )


def test_the_final_draw_asks_for_final_forms_and_the_certificate_of_occupancy() -> None:
    packet = building.packet()
    assert packet.application is not None
    final = packet.application.model_copy(update={"final": True})
    found = {each.id for each in of(look(application=final), "waivers.current")}
    assert "waivers.current#occupancy" in found
    assert "waivers.current#Ridge-Builders-Inc" in found
    wanted = {w.claimant.value: w for w in packet.waivers[:2]}
    forms = tuple(
        waiver.model_copy(
            update={
                "kind": waiver.kind.model_copy(update={"value": WaiverKind.CONDITIONAL_FINAL}),
                "through": None,
            }
        )
        for waiver in wanted.values()
    )
    complete = look(
        application=final,
        occupancy=occupancy(building.JOB.upper()),
        waivers=(*forms, *packet.waivers[2:]),
    )
    assert of(complete, "waivers.current") == []
    for where, how in (
        ("77 Elsewhere Road", CheckStatus.FINDINGS),
        (None, CheckStatus.CANNOT_DETERMINE),
    ):
        other = look(
            application=final,
            occupancy=occupancy(where),
            waivers=(*forms, *packet.waivers[2:]),
        )
        assert status(other, "waivers.current") is how


@pytest.mark.parametrize(("left", "is_final"), [("0.00", True), ("0.01", False)])
def test_a_draw_that_leaves_nothing_is_final_whatever_it_calls_itself(
    left: str, is_final: bool
) -> None:
    """Who left the mark out was paid in full on progress forms, and nobody asked for occupancy."""
    application = building.packet().application
    assert application is not None
    line: Read[Decimal] = building.at(Decimal(left), "G702!9")
    summary = application.summary.model_copy(update={"balance_to_finish": line})
    ended = look(application=application.model_copy(update={"summary": summary}))
    found = {each.id for each in of(ended, "waivers.current")}
    assert ("waivers.current#occupancy" in found) is is_final
    assert any("(Civil Code 8136)" in e.message for e in ended.findings) is is_final


def test_a_draw_request_that_the_borrower_has_not_signed_is_found() -> None:
    """Who asks for the money signs for it, as its contractor and architect do."""
    request = building.packet().request
    assert request is not None
    (found,) = of(
        look(request=request.model_copy(update={"signed": None})), "application.certified"
    )
    assert found.message == "the borrower has not signed the draw request"
    assert found.compared[0].place.document == "packet.xlsx"


def test_findings_have_ids_of_their_own_that_stay_the_same() -> None:
    """People accept a finding by its id: it must mean one thing, today and tomorrow (I5)."""
    packet = building.packet()
    assert packet.application is not None
    twice = packet.application.model_copy(update={"rows": packet.application.rows * 2})
    turned = packet.application.model_copy(update={"rows": packet.application.rows[::-1] * 2})
    first, second = look(application=twice), look(application=turned)
    ids = [each.id for each in first.findings]
    assert len(set(ids)) == len(ids) > 3
    assert first == second


def test_a_certificate_above_what_is_asked_is_a_warning() -> None:
    packet = building.packet()
    assert packet.application is not None
    amount = packet.application.amount_certified
    assert amount is not None
    above = amount.model_copy(update={"value": amount.value + 1})
    changed = packet.application.model_copy(update={"amount_certified": above})
    (found,) = of(look(application=changed), "application.certified")
    assert found.severity is Severity.WARNING


def test_more_than_is_left_of_the_loan_is_never_recommended() -> None:
    loan = building.loan()
    short = loan.model_copy(update={"commitment": loan.disbursed + Decimal("9000.00")})
    analysis = look(short)
    assert analysis.recommended == Decimal("9000.00")
    assert {each.id for each in of(analysis, "balance.in_balance")} >= {
        "balance.in_balance#undisbursed"
    }


def test_what_a_contractor_is_paid_too_much_is_no_other_payees_loss() -> None:
    """Work that was seen no more came to more than line 8, and the architect was not paid either."""
    packet = building.packet()
    assert packet.inspection is not None
    rows = tuple(
        row.model_copy(update={"complete": building.at(Decimal(0), "page 1")})
        for row in packet.inspection.rows
    )
    analysis = look(inspection=packet.inspection.model_copy(update={"rows": rows}))
    assert sum(each.amount for each in analysis.adjustments) > building.due(building.DRAW)
    assert [(each.payee, each.amount) for each in analysis.payments] == [("P-300", building.SOFT)]
    assert analysis.recommended == building.SOFT


@pytest.mark.parametrize(("day", "found"), [(29, True), (30, False)])
def test_a_period_that_ends_before_the_last_one_is_found(day: int, found: bool) -> None:
    """Every waiver through that day covered nothing of what the draw paid for, and was taken."""
    application = building.packet().application
    assert application is not None
    ends = building.at(date(2026, 9, day), "G702!B2")
    analysis = look(application=application.model_copy(update={"period_to": ends}))
    ids = {each.id for each in of(analysis, "sov.continuity")}
    assert ("sov.continuity#period" in ids) is found


def rows_alone() -> Packet:
    """The clean packet of whose application the rows alone could be read."""
    packet = building.packet()
    assert packet.application is not None
    application = PayApplication(rows=packet.application.rows, final=True)
    return packet.model_copy(update={"application": application, "change_orders": None})


def without(*names: str) -> dict[str, Any]:
    """What the clean packet's files and documents are without these values."""
    packet = building.packet()
    application, inspection = packet.application, packet.inspection
    assert application is not None
    assert inspection is not None
    kinds = {
        "inspection.pdf": DocumentKind.INSPECTION,
        "packet.xlsx": DocumentKind.PAY_APPLICATION,
        "subs.csv": DocumentKind.SUBCONTRACTORS,
    }
    files = tuple(
        FileEntry(name=name, size=4, digest=digest_bytes(name.encode()), kind=kind)
        for name, kind in kinds.items()
    )
    changes: dict[str, dict[str, Any]] = {
        "item": {"inspection": inspection.model_copy(update={"rows": inspection.rows[:2]})},
        "visit": {"inspection": inspection.model_copy(update={"visited": None})},
        "period": {"application": application.model_copy(update={"period_to": None})},
        "expiry": {
            "insurance": tuple(e.model_copy(update={"expires": None}) for e in packet.insurance)
        },
    }
    return {"files": files, **{key: v for name in names for key, v in changes[name].items()}}


@pytest.mark.parametrize(
    ("name", "finding", "document"),
    [
        ("item", "progress.inspected#03", "inspection.pdf"),
        ("visit", "inspection.current#visit", "inspection.pdf"),
        ("period", "inspection.current#visit", "packet.xlsx"),
        ("expiry", "insurance.current#builders_risk", "builders_risk.pdf"),
    ],
)
def test_what_can_not_be_determined_says_in_which_document(
    name: str, finding: str, document: str
) -> None:
    """I12: these cited nothing, and whoever read them had to look for the document."""
    (found,) = (each for each in look(**without(name)).findings if each.id == finding)
    assert [each.place.document for each in found.compared] == [document]


def test_an_invoice_that_was_not_compared_is_cited() -> None:
    packet, loan = building.packet(), building.loan()
    analysis = analyse(packet, loan, loan.next_draw, building.SCREENINGS, (), building.TODAY)
    (found,) = of(analysis, "invoice.duplicate")
    assert [each.place.document for each in found.compared] == ["A-77.pdf"]


@pytest.mark.parametrize(
    "packet",
    [
        Packet(),
        Packet(application=PayApplication(), request=DrawRequest(), occupancy=Occupancy()),
        rows_alone(),
    ],
    ids=["empty", "documents that say nothing", "rows without their summary"],
)
def test_every_finding_cites_where_it_looked(packet: Packet) -> None:
    """I12: of each file that is lacking, and each value, there is a place to look at."""
    loan = building.loan()
    analysis = analyse(packet, loan, loan.next_draw, (), (), building.TODAY)
    assert [each.id for each in analysis.findings if not each.compared] == []
