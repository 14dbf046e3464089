"""Rows of tables that people keyed from a page without text: ``row.3.previous``.

Between the table's name and the column's stands the row: its item, line or number as the page has
it, or just which row of the page it is where the table has none.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from activities.packet._grids import keyed_place
from activities.packet._values import read_complete, read_item, read_money, read_text
from lender.model import (
    DrawRequest,
    InspectedRow,
    Inspection,
    Keyed,
    LoggedChangeOrder,
    Packet,
    PayApplication,
    RequestLine,
    RequestPayee,
    Row,
    Subcontractor,
)
from placet.model import Model, Place


@dataclass(frozen=True)
class Table:
    """A table: its rows, the form around it, where both are kept, and its columns.

    ``key`` is the column that the row's name fills, if the table has one.
    """

    row: type[Model]
    holder: type[Model] | None
    member: str
    rows: str
    key: str
    columns: Mapping[str, Any]


TABLES: Mapping[str, Table] = {
    "row": Table(
        Row,
        PayApplication,
        "application",
        "rows",
        "item",
        {
            "description": read_text,
            **dict.fromkeys(
                (
                    "scheduled_value",
                    "previous",
                    "this_period",
                    "stored",
                    "total",
                    "balance",
                    "retainage",
                ),
                read_money,
            ),
        },
    ),
    "inspected": Table(
        InspectedRow, Inspection, "inspection", "rows", "item", {"complete": read_complete}
    ),
    "line": Table(RequestLine, DrawRequest, "request", "lines", "line", {"amount": read_money}),
    "payee": Table(
        RequestPayee,
        DrawRequest,
        "request",
        "payees",
        "",
        {"payee": read_text, "amount": read_money},
    ),
    "subcontractor": Table(
        Subcontractor,
        None,
        "subcontractors",
        "",
        "",
        {"name": read_text, "contract": read_money, "paid": read_money, "due": read_money},
    ),
    "change_order": Table(
        LoggedChangeOrder,
        None,
        "change_orders",
        "",
        "number",
        {"amount": read_money, "approved_by": read_text},
    ),
}
"""What can be keyed row by row."""


def key_of(field: str) -> str:
    """The row that a field is of."""
    return field.partition(".")[2].rpartition(".")[0]


def add_row(
    packet: Packet, document: str, form: str, key: str, keyed: list[Keyed]
) -> tuple[Packet, str]:
    """The packet with one more row, or why it can't be added."""
    table = TABLES[form]
    holder = getattr(packet, table.member)
    if table.holder is not None and holder is not None and not is_of(holder, document):
        return packet, f"the packet has another {table.member.replace('_', ' ')}"
    rows = (getattr(holder, table.rows) if table.rows and holder else holder) or ()
    if table.key and any(getattr(each, table.key).value == key for each in rows):
        return packet, "the row was read; what can be read is not keyed"
    try:
        made = table.row.model_validate(_said(table, key, keyed))
    except ValidationError as error:
        lacking = ", ".join(str(each["loc"][0]) for each in error.errors() if each["loc"])
        return packet, f"a {form.replace('_', ' ')} needs as well: {lacking}"
    except (ValueError, ArithmeticError) as error:
        return packet, str(error)
    after: Any = (*rows, made)
    if table.holder is not None:
        after = (holder or table.holder()).model_copy(update={table.rows: after})
    return packet.model_copy(update={table.member: after}), ""


def _said(table: Table, key: str, keyed: list[Keyed]) -> dict[str, Any]:
    """The row's values, each with its place.

    Raises:
        ValueError: one is none of the table's, or can't be read.
    """
    place = keyed_place(Place(document=keyed[0].document, spot=keyed[0].spot))
    said: dict[str, Any] = {}
    if table.key:
        said[table.key] = {"value": read_item(key), "place": place}
    if "description" in table.columns:
        said["description"] = {"value": "-", "place": place}
    for each in keyed:
        column = each.field.rpartition(".")[2]
        if not key or column not in table.columns:
            known = ", ".join(table.columns)
            raise ValueError(f"there is no {each.field[:80]}; its columns are {known}")
        at = keyed_place(Place(document=each.document, spot=each.spot))
        said[column] = {"value": table.columns[column](each.value), "place": at}
    return said


def is_of(form: Model, document: str) -> bool:
    """Whether a form was read from a document, or keyed of it: a value has its place there."""
    return any(place.document == document for place in places_in(form))


def places_in(value: object) -> Iterator[Place]:
    """The places of all values in a form."""
    if isinstance(value, Place):
        yield value
    elif isinstance(value, Model):
        for name in type(value).model_fields:
            yield from places_in(getattr(value, name))
    elif isinstance(value, tuple):
        for each in value:
            yield from places_in(each)
