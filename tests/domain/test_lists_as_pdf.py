"""A draw request and a subcontractor list as PDFs: read where a page says what is what, or named."""

import io
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reportlab.pdfgen import canvas

from activities.packet import read_files
from lender.model import DocumentKind, Keyed, Packet
from lender.samples import flat_pdf, form_pdf, table_pdf
from placet.model import AT_SPOT

LIST = ["Subcontractor", "Contract", "Paid to date", "Due"]
VOLT = ["Volt Electric Co", "90,000.00", "0.00", "6,000.00"]
HEAD = ["Draw number: 2", "Total requested: $5.00", "Signed on: 11/04/2026"]
LINES = [["Budget line", "Amount requested"], ["H1", "4.00"], ["S1", "1.00"]]
PAYEES = [["Payee", "Amount"], ["Volt Electric Co", "5.00"]]


def read(data: bytes, *keyed: Keyed) -> Packet:
    return read_files({"a.pdf": data}, keyed)


def listed(packet: Packet) -> list[tuple[str, str, str, str]]:
    return [
        (s.name.value, str(s.contract.value), str(s.paid.value), str(s.due.value))
        for s in packet.subcontractors
    ]


def asked(packet: Packet) -> dict[str, object]:
    request = packet.request
    assert request is not None
    return {
        "draw": request.draw and request.draw.value,
        "total": request.total and str(request.total.value),
        "lines": {each.line.value: str(each.amount.value) for each in request.lines},
        "payees": {each.payee.value: str(each.amount.value) for each in request.payees},
    }


AMOUNT = st.decimals(-(10**6), 10**7, places=2)
NAME = st.from_regex(r"[A-Z][a-z]{1,12}(?: [A-Z&][a-z]{0,9}){0,2}", fullmatch=True).filter(
    lambda name: "otal" not in name
)


@settings(max_examples=15, deadline=None)
@given(rows=st.lists(st.tuples(NAME, AMOUNT, AMOUNT, AMOUNT), min_size=1, max_size=70))
def test_a_list_is_read_over_its_pages(rows: list[tuple[str, Decimal, Decimal, Decimal]]) -> None:
    packet = read(table_pdf("SUBCONTRACTOR LIST", ["Sworn to on 11/04/2026."], [LIST, *rows]))
    assert packet.unreadable == ()
    assert packet.files[0].kind is DocumentKind.SUBCONTRACTORS
    assert listed(packet) == [(name, *map(str, amounts)) for name, *amounts in rows]


ORDERLY = {
    "in tables": table_pdf("BORROWER'S DRAW REQUEST", HEAD, LINES, PAYEES),
    "all in tables": table_pdf(
        "DRAW REQUEST", [], [each.split(": ") for each in HEAD], LINES, PAYEES
    ),
    "behind labels": flat_pdf(
        "DRAW REQUEST",
        [*HEAD, "Budget line H1: 4.00", "Budget line S1: $1.00", "Payee Volt Electric Co: 5.00"],
    ),
    "in fields": form_pdf(
        "DRAW REQUEST",
        [
            *(("Draw number", "2"), ("Total requested", "5.00"), ("Signed on", "11/04/2026")),
            *(("Budget line H1", "4.00"), ("Budget line S1", "1.00")),
            ("Payee Volt Electric Co", "5.00"),
        ],
    ),
}


@pytest.mark.parametrize("how", ORDERLY)
def test_a_draw_request_is_read(how: str) -> None:
    packet = read(ORDERLY[how])
    assert packet.unreadable == ()
    assert packet.files[0].kind is DocumentKind.DRAW_REQUEST
    assert asked(packet) == {
        "draw": 2,
        "total": "5.00",
        "lines": {"H1": "4.00", "S1": "1.00"},
        "payees": {"Volt Electric Co": "5.00"},
    }


def test_a_list_is_read_behind_labels() -> None:
    line = "Subcontractor Volt Electric Co: contract 90,000.00; paid 0.00; due 6,000.00"
    packet = read(flat_pdf("SWORN STATEMENT", [line]))
    assert packet.unreadable == ()
    assert listed(packet) == [("Volt Electric Co", "90000.00", "0.00", "6000.00")]


def test_each_value_cites_its_page_and_cell() -> None:
    packet = read(table_pdf("SUBCONTRACTOR LIST", [], [LIST, *[VOLT] * 60]))
    first, last = (packet.subcontractors[at].due.place.spot for at in (0, -1))
    assert first == "page 1, table 1, row 2, column 4"
    assert last.startswith("page 2, table 1, row ")


BROKEN = {
    "no lines around its cells": (flat_pdf("SUBCONTRACTOR LIST", [" ".join(LIST), " ".join(VOLT)])),
    "amounts without their names": flat_pdf(
        "SUBCONTRACTOR LIST", ["Subcontractor Volt: 90,000.00; 0.00; 6,000.00"]
    ),
    "an amount twice": flat_pdf(
        "SUBCONTRACTOR LIST", ["Subcontractor Volt: contract 9.00; paid 0.00; due 6.00; due 1.00"]
    ),
    "a name alone": flat_pdf("SWORN STATEMENT", ["Subcontractor: Volt Electric Co"]),
    "a row below the table": table_pdf("SWORN STATEMENT", [" ".join(VOLT)], [LIST, VOLT]),
    "a row without its name": table_pdf("SWORN STATEMENT", [], [LIST, ["", *VOLT[1:]]]),
    "an empty amount": table_pdf("SWORN STATEMENT", [], [LIST, ["Volt", "9.00", "", "1.00"]]),
    "two amounts in a cell": table_pdf("SWORN STATEMENT", [], [LIST, ["V", "9.00 1.00", "0", "0"]]),
    "a second list": table_pdf("SWORN STATEMENT", [], [LIST, VOLT], [[*LIST[::-1]], VOLT[::-1]]),
    "other columns": table_pdf("SWORN STATEMENT", [], [LIST, VOLT], [["Volt", "9.00"]]),
    "no columns": table_pdf("SWORN STATEMENT", [], [VOLT, VOLT]),
    "two totals": table_pdf("DRAW REQUEST", [*HEAD, "Total requested: 6.00"], LINES, PAYEES),
    "a total in the table": table_pdf(
        "DRAW REQUEST", HEAD, [*LINES, ["Total requested", "9.00"]], PAYEES
    ),
    "a payee without a name": table_pdf("DRAW REQUEST", HEAD, LINES, [*PAYEES, ["", "5.00"]]),
    "labels beside a table": table_pdf("DRAW REQUEST", ["Budget line H2: 1.00"], LINES, PAYEES),
    "nameless fields": form_pdf("DRAW REQUEST", [("Text 1", "4.00"), ("Budget line H1", "4.00")]),
}


@pytest.mark.parametrize("how", BROKEN)
def test_what_can_not_be_read_with_certainty_is_named(how: str) -> None:
    """I12: and of the list nothing is taken that the page does not say."""
    packet = read(BROKEN[how])
    assert packet.unreadable
    assert set(listed(packet)) <= {("Volt Electric Co", "90000.00", "0.00", "6000.00")}
    if how.startswith(("two totals", "a total")):
        assert asked(packet)["total"] is None


def test_no_list_is_one_that_was_not_read() -> None:
    packet = read(BROKEN["no lines around its cells"])
    assert packet.files[0].kind is DocumentKind.UNKNOWN
    assert any("Volt Electric Co" in each.what for each in packet.unreadable)


def test_a_cell_that_can_not_be_read_is_keyed() -> None:
    data = table_pdf("SWORN STATEMENT", [], [LIST, ["Volt Electric Co", "90,000.00", "0", "6.OOO"]])
    (named,) = read(data).unreadable
    key = Keyed(
        document="a.pdf",
        spot=named.place.spot,
        field=AT_SPOT,
        value="6,000.00",
        by="operator:dana",
        act="a" * 16,
    )
    packet = read(data, key)
    assert packet.unreadable == ()
    assert listed(packet) == [("Volt Electric Co", "90000.00", "0.00", "6000.00")]


def test_a_page_of_nothing_but_lines_is_too_much() -> None:
    """Each line is held against each other: a few thousand more would take minutes."""
    made = io.BytesIO()
    page = canvas.Canvas(made, invariant=True)
    page.drawString(72, 740, "SWORN STATEMENT")
    for at in range(5_001):
        page.line(72, at / 10, 200, at / 10)
    page.save()
    (named,) = read(made.getvalue()).unreadable
    assert named.what == "the PDF draws more than 5000 lines"


@pytest.mark.parametrize("title", ["INSPECTION REPORT", "INVOICE"])
def test_another_document_that_names_a_draw_request_stays_what_it_is(title: str) -> None:
    packet = read(flat_pdf(title, ["Draw request: 2", "Date of visit: 2026-11-01"]))
    assert packet.request is None
    assert all("draw request" not in each.what for each in packet.unreadable)
