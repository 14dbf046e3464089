"""Reading the smaller spreadsheets: draw request, subcontractors, change orders, inspection."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from typing import Any

from activities.packet._grids import Grid
from activities.packet._tables import Reading, find_labelled, find_table
from activities.packet._values import (
    is_bare_above_one,
    read_complete,
    read_date,
    read_item,
    read_money,
    read_number,
    read_text,
)
from lender.model import (
    DocumentKind,
    DrawRequest,
    InspectedRow,
    Inspection,
    LoggedChangeOrder,
    Read,
    RequestLine,
    RequestPayee,
    Subcontractor,
    Unreadable,
)

REQUEST = {
    "line": r"budget (?:line|item)(?: (?:no|number))?",
    "amount": r"(?:amount )?requested(?: amount)?|amount",
}
REQUEST_HEAD: Mapping[str, tuple[str, Callable[[object], Any]]] = {
    "draw": (r"draw (?:no|number|request)?(?: number)?", read_number),
    "total": (r"total (?:amount )?requested", read_money),
    "signed": (r"(?:borrower(?: s)? )?(?:signed|signature)(?: on| date)?", read_date),
}
PAYEES = {"payee": r"payees?(?: name)?|pay to", "amount": r"amount|to be paid"}
SUBCONTRACTORS = {
    "name": r"subcontractor(?: name)?|name",
    "contract": r"contract(?: (?:sum|amount))?",
    "paid": r"paid(?: to date)?|previously paid",
    "due": r"(?:amount )?due(?: this (?:draw|period))?",
}
_CHANGE_ORDERS = {
    "number": r"(?:change order|co)(?: (?:no|number))?",
    "amount": r"amount",
    "approved_by": r"approved by",
}
_INSPECTION = {
    "item": r"(?:item|line)(?: (?:no|number))?",
    "complete": r"(?:inspected )?% complete|% (?:seen|inspected)|percent complete",
}


def read_request(grids: list[Grid]) -> tuple[DrawRequest | None, list[Unreadable]]:
    """The borrower's draw request in these sheets, if there is one."""
    reading = Reading(DocumentKind.DRAW_REQUEST)
    for grid in grids:
        table = find_table(grid, REQUEST, frozenset(REQUEST))
        if table is None:
            continue
        lines = []
        for row in table.rows():
            if row.is_blank("line", "amount") or row.is_empty("amount") or row.is_total("line"):
                if row.text("line").startswith("payee"):
                    break
                continue
            line = reading.key(row, "line", "budget line", read_item)
            amount = reading.column(row, "amount", "amount requested", read_money)
            if line and amount:
                lines.append(RequestLine(line=line, amount=amount))
        found: dict[str, Any] = {}
        for name, (pattern, parse) in REQUEST_HEAD.items():
            at = find_labelled(grid, pattern)
            if at is not None:
                found[name] = reading.cell(grid, at[1], f"draw request, {name}", parse)
        request = DrawRequest(lines=tuple(lines), payees=_payees(grids, reading), **found)
        return request, reading.unreadable
    return None, []


def _payees(grids: list[Grid], reading: Reading) -> tuple[RequestPayee, ...]:
    found = []
    for grid in grids:
        table = find_table(grid, PAYEES, frozenset(PAYEES))
        for row in table.rows() if table else ():
            if row.is_blank("payee", "amount") or row.is_total("payee"):
                continue
            payee = reading.key(row, "payee", "payee", read_text)
            amount = reading.column(row, "amount", "amount to be paid", read_money)
            if payee and amount:
                found.append(RequestPayee(payee=payee, amount=amount))
    return tuple(found)


def read_subcontractors(grids: list[Grid]) -> tuple[tuple[Subcontractor, ...], list[Unreadable]]:
    """The subcontractor list in these sheets, if there is one."""
    reading = Reading(DocumentKind.SUBCONTRACTORS)
    found = []
    for grid in grids:
        table = find_table(grid, SUBCONTRACTORS, frozenset(SUBCONTRACTORS))
        for row in table.rows() if table else ():
            if row.is_blank("name", "contract", "paid", "due") or row.is_total("name"):
                continue
            name = reading.key(row, "name", "subcontractor", read_text)
            contract = reading.column(row, "contract", "contract", read_money)
            paid = reading.column(row, "paid", "paid", read_money)
            due = reading.column(row, "due", "due", read_money)
            if name and contract and paid and due:
                found.append(Subcontractor(name=name, contract=contract, paid=paid, due=due))
    return tuple(found), reading.unreadable


def read_change_orders(
    grids: list[Grid],
) -> tuple[tuple[LoggedChangeOrder, ...] | None, list[Unreadable]]:
    """The change-order log in these sheets, if there is one."""
    reading = Reading(DocumentKind.CHANGE_ORDERS)
    for grid in grids:
        table = find_table(grid, _CHANGE_ORDERS, frozenset(_CHANGE_ORDERS))
        if table is None:
            continue
        found = []
        for row in table.rows():
            if row.is_blank("number", "amount") or row.is_total("number"):
                continue
            number = reading.key(row, "number", "change order", read_text)
            amount = reading.column(row, "amount", "amount", read_money)
            approved = None
            if not row.is_empty("approved_by"):
                approved = reading.column(row, "approved_by", "approved by", read_text)
            if number and amount:
                found.append(LoggedChangeOrder(number=number, amount=amount, approved_by=approved))
        return tuple(found), reading.unreadable
    return None, []


def read_inspection(grids: list[Grid]) -> tuple[Inspection | None, list[Unreadable]]:
    """The inspection report in these sheets, if there is one."""
    reading = Reading(DocumentKind.INSPECTION)
    for grid in grids:
        table = find_table(grid, _INSPECTION, frozenset(_INSPECTION))
        if table is None:
            continue
        rows = []
        told = [
            row for row in table.rows() if not (row.is_empty("item") or row.is_empty("complete"))
        ]
        cells = (row.cell("complete") for row in told)
        hundreds = any(is_bare_above_one(cell.value) for cell in cells if cell is not None)
        parse_share = partial(read_complete, bare=not hundreds)
        for row in told:
            item = reading.column(row, "item", "item", read_item)
            complete: Read[Decimal] | None = reading.column(
                row, "complete", "% complete", parse_share
            )
            if item and complete:
                rows.append(InspectedRow(item=item, complete=complete))
        found: dict[str, Any] = {}
        parsers: tuple[tuple[str, str, Callable[[object], Any]], ...] = (
            ("visited", r"(?:date of visit|visit date|inspected on)", read_date),
            ("inspector", r"inspector", read_text),
        )
        for name, pattern, parse in parsers:
            at = find_labelled(grid, pattern)
            if at is not None:
                found[name] = reading.cell(grid, at[1], f"inspection, {name}", parse)
        return Inspection(rows=tuple(rows), **found), reading.unreadable
    return None, []
