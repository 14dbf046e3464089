"""Who must waive what: two contracts, several waivers, another period, a day to come, a lower amount.

Whoever administers draws sees each of these at once.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import pytest

from lender.model import Analysis, Packet, Payee, Payment, RequestPayee, Waiver, WaiverKind
from placet.model import CheckStatus, Finding, Severity
from tests.domain import building
from tests.domain.drawing import after_draw
from tests.domain.test_by_people import cut, lowered
from tests.domain.test_checks_clean import analysed

GLASS = "Hilltop Glass"
CURRENT, PREVIOUS = WaiverKind.CONDITIONAL_PROGRESS, WaiverKind.UNCONDITIONAL_PROGRESS


def found(packet: Packet, check: str = "waivers.current") -> list[Finding]:
    analysis: Analysis = analysed(packet, building.loan())
    return [each for each in analysis.findings if each.check == check]


def with_glass(dues: list[str], waived: list[str], spelled: str = GLASS) -> Packet:
    """The clean packet with one more subcontractor: a line and a waiver of each amount."""
    packet = building.packet()
    first = packet.subcontractors[0]
    lines = tuple(
        first.model_copy(
            update={
                "name": building.at(name, f"Subs!A{number}"),
                "due": building.at(Decimal(due), f"Subs!D{number}"),
            }
        )
        for number, (name, due) in enumerate(zip((GLASS, spelled), dues, strict=False), 5)
    )
    waivers = tuple(
        building.waiver(CURRENT, GLASS, Decimal(amount), building.PERIOD) for amount in waived
    )
    return packet.model_copy(
        update={
            "subcontractors": (*packet.subcontractors, *lines),
            "waivers": (*packet.waivers, *waivers),
        }
    )


@dataclass(frozen=True)
class Listed:
    """What a subcontractor is due by line, what it waived, and what is found."""

    dues: list[str]
    waived: list[str]
    finding: str | None = None


LISTED = {
    "two lines below the threshold are above it": Listed(
        ["4000.00", "4000.00"],
        [],
        f"{GLASS}: no conditional waiver on progress payment (Civil Code 8132)",
    ),
    "one waiver for both contracts": Listed(["6000.00", "7000.00"], ["13000.00"]),
    "a waiver for each contract": Listed(["6000.00", "7000.00"], ["6000.00", "7000.00"]),
    "a waiver for one contract alone": Listed(
        ["6000.00", "7000.00"], ["7000.00"], f"the waiver of {GLASS} is not for what is paid"
    ),
    "two lines that stay below it": Listed(["2000.00", "3000.00"], []),
}


@pytest.mark.parametrize("spelled", [GLASS, "HILLTOP  glass"])
@pytest.mark.parametrize("name", LISTED)
def test_a_subcontractor_waives_what_all_its_lines_are_due(name: str, spelled: str) -> None:
    """A draw pays a subcontractor once, whatever the number of lines that it has on the list."""
    case = LISTED[name]
    said = [each.message for each in found(with_glass(case.dues, case.waived, spelled))]
    assert said == ([] if case.finding is None else [case.finding])


def test_a_copy_of_a_waiver_is_no_second_one() -> None:
    packet = with_glass(["6000.00", "6000.00"], ["6000.00", "6000.00"])
    assert found(packet) == []
    files = tuple(
        packet.files[0].model_copy(update={"name": name})
        for name in {each.claimant.place.document for each in packet.waivers}
    )
    (said,) = found(packet.model_copy(update={"files": (*packet.files, *files)}))
    assert (said.message, said.difference) == (
        f"the waiver of {GLASS} is not for what is paid",
        "-6,000.00",
    )


def swapped(packet: Packet, form: WaiverKind, **changes: object) -> Packet:
    """The packet with the contractor's waiver of that kind changed."""

    def changed(each: Waiver) -> Waiver:
        same = each.kind.value is form and each.claimant.value == building.BUILDER
        return each.model_copy(update=changes) if same else each

    return packet.model_copy(update={"waivers": tuple(map(changed, packet.waivers))})


def test_the_form_that_came_instead_is_named() -> None:
    """The letter says which form is due and which came, in words, so that the right one is sent."""
    other = building.at(PREVIOUS, "page 1", "w.pdf")
    (said,) = found(swapped(building.packet(), CURRENT, kind=other))
    assert "no conditional waiver on progress payment (Civil Code 8132)" in said.message
    assert "unconditional waiver on progress payment (Civil Code 8134)" in said.compared[1].value


@pytest.mark.parametrize(
    ("through", "how"),
    [
        (date(2026, 9, 30), CheckStatus.PASSED),
        (date(2026, 9, 29), CheckStatus.FINDINGS),
        (None, CheckStatus.CANNOT_DETERMINE),
    ],
)
def test_the_unconditional_waiver_covers_the_whole_period_that_was_paid(
    through: date | None, how: CheckStatus
) -> None:
    """One through July releases nothing of September, whatever its amount."""
    read = None if through is None else building.at(through, "page 1")
    packet = swapped(building.packet(), PREVIOUS, through=read)
    analysis = analysed(packet, building.loan())
    (status,) = (e.status for e in analysis.results if e.check == "waivers.previous")
    assert status is how


@pytest.mark.parametrize("days", [0, 1])
def test_a_signature_of_a_day_to_come_is_none(days: int) -> None:
    signed = building.at(building.TODAY + timedelta(days=days), "page 1")
    packet = swapped(building.packet(), CURRENT, signed=signed)
    assert len(found(packet)) == days
    assert packet.application is not None
    application = packet.application.model_copy(update={"architect_signed": signed})
    packet = building.packet().model_copy(update={"application": application})
    assert len(found(packet, "application.certified")) == days


def test_the_contractor_waives_what_it_was_paid_and_not_what_was_asked() -> None:
    """What people took off the last draw was never paid: no waiver says that it was."""
    analysis = lowered(cut("02", "1000.00"))
    paid = sum(each.amount for each in analysis.payments if each.payee == "P-100")
    assert paid == building.due(building.DRAW) - 1000
    last = after_draw(building.loan(), analysis).last_draw
    assert last is not None
    claims = {each.claimant: each.amount for each in last.claims}
    assert claims == {building.BUILDER: paid, building.ELECTRIC: Decimal("6000.00")}


@dataclass(frozen=True)
class Waived:
    """How much less than all that was asked the contractor waives, and what is found."""

    less: str
    severities: tuple[Severity, ...]


WAIVED = {
    "all that was asked": Waived("0.00", (Severity.WARNING,)),
    "what is paid": Waived("1000.00", ()),
    "a cent more than is paid": Waived("999.99", (Severity.BLOCKING,)),
    "a cent less than is paid": Waived("1000.01", (Severity.BLOCKING,)),
}


@pytest.mark.parametrize("name", WAIVED)
def test_after_a_cut_the_contractor_waives_what_it_is_paid(name: str) -> None:
    """Civil Code 8132: a waiver of more takes effect on more, which nobody pays."""
    packet, said = building.packet(), WAIVED[name]
    amount = building.due(building.DRAW) - Decimal(said.less)
    own = building.waiver(CURRENT, building.BUILDER, amount, building.PERIOD)
    others = tuple(
        e for e in packet.waivers if (e.claimant.value, e.kind.value) != (building.BUILDER, CURRENT)
    )
    packet = packet.model_copy(update={"waivers": (*others, own)})
    analysis = lowered(cut("02", "1000.00"), packet=packet)
    findings = [each for each in analysis.findings if each.check == "waivers.current"]
    assert tuple(each.severity for each in findings) == said.severities
    paid = building.due(building.DRAW) - 1000
    assert all(f"{paid:,.2f}" in {e.value for e in each.compared} for each in findings)


def paying(payee: str, amount: str = "0.00") -> Packet:
    """The clean packet whose first payee is written so, and another one is paid so much."""
    packet = building.packet()
    request = packet.request
    assert request is not None
    first, *others = request.payees
    named = first.payee.model_copy(update={"value": payee})
    payees = (first.model_copy(update={"payee": named}), *others)
    if Decimal(amount):
        glass = RequestPayee(
            payee=building.at("p-400", "Request!A11"),
            amount=building.at(Decimal(amount), "Request!B11"),
        )
        payees = (*payees, glass)
    changed = request.model_copy(update={"payees": payees})
    waivers = tuple(e for e in packet.waivers if e.claimant.value != building.BUILDER)
    return packet.model_copy(update={"request": changed, "waivers": waivers})


@pytest.mark.parametrize(
    "spelled", [building.BUILDER, "P-100", "p-100", " P-100", "RIDGE builders  inc"]
)
def test_whoever_is_paid_as_the_contractor_waives_as_the_contractor(spelled: str) -> None:
    """Written as 'p-100' it was paid, and nobody asked for its waiver."""
    assert [each.message for each in found(paying(spelled))] == [
        f"{building.BUILDER}: no conditional waiver on progress payment (Civil Code 8132)"
    ]


@pytest.mark.parametrize(
    ("amount", "listed", "asked"),
    [("9000.00", False, True), ("5000.00", False, False), ("9000.00", True, True)],
)
def test_a_subcontractor_that_is_paid_and_not_listed_waives_all_the_same(
    amount: str, listed: bool, asked: bool
) -> None:
    """Who is left off the list, or is on it for less, has done the work, and may record a lien."""
    packet = paying(building.BUILDER, amount)
    loan = building.loan()
    glass = Payee(id="P-400", name=GLASS, role="subcontractor", account="acct-400")
    loan = loan.model_copy(update={"payees": (*loan.payees, glass)})
    if listed:
        first = packet.subcontractors[0]
        line = {"name": building.at(GLASS, "A3"), "due": building.at(Decimal("400.00"), "D3")}
        lines = (*packet.subcontractors, first.model_copy(update=line))
        packet = packet.model_copy(update={"subcontractors": lines})
    said = {each.message for each in analysed(packet, loan).findings}
    wanted = f"{GLASS}: no conditional waiver on progress payment (Civil Code 8132)"
    assert (wanted in said) is asked


FINAL = WaiverKind.UNCONDITIONAL_FINAL


@pytest.mark.parametrize(
    ("changes", "how"),
    [
        ({}, CheckStatus.PASSED),
        ({"signed": None}, CheckStatus.FINDINGS),
        ({"job_location": building.at("77 Elsewhere Road", "page 1")}, CheckStatus.FINDINGS),
    ],
)
def test_after_the_final_draw_the_unconditional_final_form_is_the_right_one(
    changes: dict[str, object], how: CheckStatus
) -> None:
    """It says that all was paid, and has no amount and no through date: each later draw was blocked."""
    form = {"kind": building.at(FINAL, "page 1"), "amount": None, "through": None}
    packet = swapped(building.packet(), PREVIOUS, **form, **changes)
    analysis = analysed(packet, building.loan())
    (status,) = (e.status for e in analysis.results if e.check == "waivers.previous")
    assert status is how


@pytest.mark.parametrize(
    ("off", "passed_on"), [("0.00", "6000.00"), ("14411.19", "2000.00"), ("16411.19", None)]
)
def test_a_subcontractor_waives_no_more_than_its_contractor_got(
    off: str, passed_on: str | None
) -> None:
    """Whose contractor was paid nothing was to say that it had been paid, or the next draw was blocked."""
    cuts = [cut("02", off)] if Decimal(off) else []
    last = after_draw(building.loan(), lowered(*cuts)).last_draw
    assert last is not None
    claims = {each.claimant: str(each.amount) for each in last.claims}
    assert claims.get(building.ELECTRIC) == passed_on


def diverted(amount: str, waiver: str | None = None) -> Packet:
    """The clean packet that pays so much of the hard cost to the architect, who waives so much."""
    packet = building.packet()
    request = packet.request
    assert request is not None
    first, architect = request.payees
    less = first.amount.model_copy(update={"value": first.amount.value - Decimal(amount)})
    more = architect.amount.model_copy(update={"value": architect.amount.value + Decimal(amount)})
    payees = (
        first.model_copy(update={"amount": less}),
        architect.model_copy(update={"amount": more}),
    )
    waived = building.at(less.value, "page 1")
    packet = swapped(packet, CURRENT, amount=waived)
    given = () if waiver is None else (waiver,)
    waivers = tuple(
        building.waiver(CURRENT, building.ARCHITECT, Decimal(each), building.PERIOD)
        for each in given
    )
    return packet.model_copy(
        update={
            "request": request.model_copy(update={"payees": payees}),
            "waivers": (*packet.waivers, *waivers),
        }
    )


@pytest.mark.parametrize(
    ("amount", "waiver", "differences"),
    [
        ("0.00", None, []),
        ("0.01", None, ["0.01"]),
        ("16411.19", None, ["16,411.19"]),
        ("16411.19", "20611.19", []),
        ("16411.19", "1.00", ["-20,610.19"]),
    ],
)
def test_hard_cost_goes_to_nobody_who_waives_nothing(
    amount: str, waiver: str | None, differences: list[str]
) -> None:
    """The contractor was not paid, asked for no waiver, and nobody said that the architect got it all."""
    packet = diverted(amount, waiver)
    assert [each.difference for each in found(packet)] == differences


PRIME = "Second Prime LLC"


@dataclass(frozen=True)
class Beside:
    """What a contractor that is not the loan's is paid, listed for and waives, and what is found."""

    waived: str | None
    listed: str | None
    ids: tuple[str, ...]


BESIDE = {
    "no waiver": Beside(None, None, ("suppliers",)),
    "a waiver": Beside("9000.00", None, ()),
    "a waiver of less": Beside("8999.99", None, ("Second-Prime-LLC:amount",)),
    "listed, without a waiver": Beside(None, "9000.00", ("Second-Prime-LLC",)),
    "listed for less": Beside(None, "0.00", ("Second-Prime-LLC",)),
    "listed, with a waiver": Beside("9000.00", "9000.00", ()),
}


@pytest.mark.parametrize("name", BESIDE)
def test_a_contractor_that_is_not_the_loans_waives_as_well(name: str) -> None:
    """Of the role 'contractor', and not the loan's: it was paid hard cost, and nobody asked."""
    case, packet = BESIDE[name], building.packet()
    request, paid = packet.request, Decimal("9000.00")
    assert request is not None
    own, *others = request.payees
    less = own.amount.value - paid
    payees = (
        own.model_copy(update={"amount": building.at(less, "B9")}),
        RequestPayee(payee=building.at("P-400", "A10"), amount=building.at(paid, "B10")),
        *others,
    )
    packet = swapped(packet, CURRENT, amount=building.at(less, "page 1"))
    waivers, lines = packet.waivers, packet.subcontractors
    if case.waived is not None:
        amount = Decimal(case.waived)
        waivers = (*waivers, building.waiver(CURRENT, PRIME, amount, building.PERIOD))
    if case.listed is not None:
        due = building.at(Decimal(case.listed), "D3")
        lines = (*lines, lines[0].model_copy(update={"name": building.at(PRIME, "A3"), "due": due}))
    changes = {
        "request": request.model_copy(update={"payees": payees}),
        "waivers": waivers,
        "subcontractors": lines,
    }
    loan = building.loan()
    prime = Payee(id="P-400", name=PRIME, role="contractor", account="acct-400")
    loan = loan.model_copy(update={"payees": (*loan.payees, prime)})
    analysis = analysed(packet.model_copy(update=changes), loan)
    ids = [e.id.partition("#")[2] for e in analysis.findings if e.check == "waivers.current"]
    assert tuple(ids) == case.ids


def beside(kind: WaiverKind, document: str, **changes: object) -> Packet:
    """The clean packet with another waiver of the contractor for the same, in a file of this name."""
    packet = building.packet()
    (own,) = (
        each
        for each in packet.waivers
        if each.kind.value is kind and each.claimant.value == building.BUILDER
    )
    claimant = building.at(building.BUILDER, "field name of claimant", document)
    other = own.model_copy(update={"claimant": claimant, **changes})
    return packet.model_copy(update={"waivers": (*packet.waivers, other)})


@pytest.mark.parametrize("document", ["a.pdf", "z.pdf"])
@pytest.mark.parametrize(
    "changes",
    [
        {"signed": None},
        {"through": None},
        {"through": building.at(date(2026, 9, 1), "page 1")},
        {"job_location": building.at("77 Elsewhere Road", "page 1")},
        {"amount": building.at(Decimal("1.00"), "page 1")},
    ],
    ids=lambda changes: next(iter(changes)),
)
@pytest.mark.parametrize(
    ("kind", "check"), [(CURRENT, "waivers.current"), (PREVIOUS, "waivers.previous")]
)
def test_a_waiver_that_was_given_again_counts_as_it_was_mended(
    kind: WaiverKind, check: str, changes: dict[str, object], document: str
) -> None:
    """The one of the first file counted: unsigned, it blocked the draw although the signed one was there."""
    assert found(beside(kind, document, **changes), check) == []


def test_of_two_waivers_with_faults_the_one_with_fewer_is_told() -> None:
    packet = beside(CURRENT, "a.pdf", signed=None, job_location=None)
    packet = swapped(packet, CURRENT, signed=None)
    first, *others = packet.waivers
    mended = first.model_copy(update={"signed": building.packet().waivers[0].signed, "owner": None})
    packet = packet.model_copy(update={"waivers": (mended, *others)})
    assert [each.id.partition(":")[2] for each in found(packet)] == ["owner"]


def test_of_two_contracts_one_waiver_may_have_been_signed_later() -> None:
    packet = with_glass(["6000.00", "7000.00"], ["6000.00", "7000.00"])
    unsigned = building.waiver(CURRENT, GLASS, Decimal("6000.00"), building.PERIOD)
    again = {"signed": None, "claimant": building.at(GLASS, "page 1", "a.pdf")}
    waivers = (*packet.waivers, unsigned.model_copy(update=again))
    assert found(packet.model_copy(update={"waivers": waivers})) == []


@pytest.mark.parametrize("document", ["a.pdf", "z.pdf"])
@pytest.mark.parametrize("amount", [None, "84000.00"])
@pytest.mark.parametrize(
    ("kind", "check"), [(CURRENT, "waivers.current"), (PREVIOUS, "waivers.previous")]
)
def test_what_any_waiver_for_the_draw_reserves_is_told(
    kind: WaiverKind, check: str, amount: str | None, document: str
) -> None:
    """Of two for the same amount one was looked at, and what the other reserved nobody was told."""
    reserved = building.at("disputed extra 84,000", "field exceptions", document)
    changes = {} if amount is None else {"amount": building.at(Decimal(amount), "page 1")}
    packet = beside(kind, document, exceptions=reserved, **changes)
    (said,) = found(packet, check)
    assert (said.severity, said.compared[0].place.document) == (Severity.WARNING, document)
    earlier = {"through": building.at(date(2026, 8, 31), "page 1")}
    assert found(beside(kind, document, exceptions=reserved, **earlier), check) == []


@pytest.mark.parametrize(
    ("paid", "how"),
    [
        ({"P-300": "4200.00"}, CheckStatus.NOT_APPLICABLE),
        ({"P-300": "4200.00", "P-400": "5000.00"}, CheckStatus.NOT_APPLICABLE),
        ({"P-400": "5000.01"}, CheckStatus.CANNOT_DETERMINE),
        ({"P-100": "0.01"}, CheckStatus.CANNOT_DETERMINE),
        ({"P-999": "70.00"}, CheckStatus.CANNOT_DETERMINE),
        ({}, CheckStatus.NOT_APPLICABLE),
    ],
    ids=["a supplier", "a small subcontractor", "a subcontractor", "contractor", "who?", "nobody"],
)
def test_a_draw_that_paid_somebody_and_does_not_say_who_waives_is_no_pass(
    paid: dict[str, str], how: CheckStatus
) -> None:
    """It ended as 'not applicable', since nobody had been paid who must waive: its contractor had."""
    loan = building.loan()
    glass = Payee(id="P-400", name=GLASS, role="subcontractor", account="acct-400")
    payments = tuple(
        Payment(id=f"pay-{payee}", payee=payee, account="-", amount=Decimal(amount))
        for payee, amount in paid.items()
    )
    last = loan.prior_draws[0].model_copy(update={"claims": (), "payments": payments})
    loan = loan.model_copy(update={"payees": (*loan.payees, glass), "prior_draws": (last,)})
    analysis = analysed(building.packet(), loan)
    (result,) = (each for each in analysis.results if each.check == "waivers.previous")
    assert result.status is how
    places = {side.place.spot for each in result.findings for side in each.compared}
    assert places == ({"draw 1"} if how is CheckStatus.CANNOT_DETERMINE else set())
