"""Values that people keyed while looking at a page, put where the readers found none.

1. A keyed value never replaces one that was read: what can be read is read.
2. It is parsed as the readers parse, and its place says that it was keyed.
3. What it answers is no longer named as unreadable; what does not fit is (I12).

One that names its spot is put there by the reader itself, which knows what belongs there
(:func:`note_taken` says whether it was). One that names a field fills a form, or a row of a table,
of a document that has no text.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from activities.packet._grids import keyed_place, unreadable
from activities.packet._keyed_tables import TABLES, add_row, is_of, key_of, places_in
from activities.packet._values import read_date, read_item, read_money, read_number, read_text
from lender.model import (
    DocumentKind,
    DrawRequest,
    Inspection,
    Insurance,
    InsuranceKind,
    Invoice,
    Keyed,
    KeyedNote,
    Occupancy,
    Packet,
    PayApplication,
    Summary,
    Title,
    Unreadable,
    Waiver,
    WaiverKind,
)
from placet.model import AT_SPOT, Model, Place

Parse = Callable[[object], object]


def _one_of(known: type[WaiverKind | InsuranceKind]) -> Parse:
    def parse(value: object) -> object:
        try:
            return known(str(value).strip().lower())
        except ValueError:
            said = ", ".join(each.value for each in known)
            raise ValueError(f"{str(value)[:40]!r} is none of {said}") from None

    return parse


_FORMS: Mapping[str, tuple[type[Model], DocumentKind, str, Mapping[str, Parse]]] = {
    "title": (
        Title,
        DocumentKind.TITLE,
        "title",
        {"effective": read_date, "on_exceptions": read_text},
    ),
    "application": (
        PayApplication,
        DocumentKind.PAY_APPLICATION,
        "application",
        {
            "application": read_number,
            "period_to": read_date,
            "contractor_signed": read_date,
            "architect_signed": read_date,
            "amount_certified": read_money,
        },
    ),
    "summary": (
        Summary,
        DocumentKind.PAY_APPLICATION,
        "application.summary",
        dict.fromkeys(Summary.model_fields, read_money),
    ),
    "request": (
        DrawRequest,
        DocumentKind.DRAW_REQUEST,
        "request",
        {"draw": read_number, "signed": read_date, "total": read_money},
    ),
    "inspection": (
        Inspection,
        DocumentKind.INSPECTION,
        "inspection",
        {"visited": read_date, "inspector": read_text},
    ),
    "occupancy": (
        Occupancy,
        DocumentKind.OCCUPANCY,
        "occupancy",
        {"issued": read_date, "job_location": read_text},
    ),
    "insurance": (
        Insurance,
        DocumentKind.INSURANCE,
        "insurance",
        {"kind": _one_of(InsuranceKind), "carrier": read_text, "expires": read_date},
    ),
    "invoice": (
        Invoice,
        DocumentKind.INVOICE,
        "invoices",
        {
            "vendor": read_text,
            "number": read_text,
            "amount": read_money,
            "item": read_item,
            "dated": read_date,
        },
    ),
    "waiver": (
        Waiver,
        DocumentKind.WAIVER,
        "waivers",
        {
            "kind": _one_of(WaiverKind),
            "claimant": read_text,
            "customer": read_text,
            "job_location": read_text,
            "owner": read_text,
            "through": read_date,
            "amount": read_money,
            "exceptions": read_text,
            "signed": read_date,
        },
    ),
}
"""The forms that can be keyed: each with its document, where the packet keeps it, its fields."""


def apply_keyed(packet: Packet, values: Iterable[Keyed]) -> Packet:
    """The packet with what people keyed in it; the same packet and values give the same."""
    groups: dict[tuple[str, str, str], list[Keyed]] = {}
    wrong: list[Unreadable] = []
    names = {file.name for file in packet.files}
    for each in values:
        form = each.field.partition(".")[0]
        if each.field == AT_SPOT:
            if _note(each) not in packet.keyed:
                wrong.append(_no_place(each, "the packet was read without it"))
        elif form in {*_FORMS, *TABLES} and each.document in names:
            key = key_of(each.field) if form in TABLES else ""
            groups.setdefault((each.document, form, key), []).append(each)
        else:
            wrong.append(_no_place(each, "the packet has no such document or field"))
    for (document, form, key), keyed in sorted(groups.items()):
        if form in TABLES:
            made, why = add_row(packet, document, form, key, keyed)
            trouble = [_no_place(each, why) for each in keyed] if why else []
            packet = packet if why else _answered(made, keyed)
        else:
            packet, trouble = _fill(packet, document, form, keyed)
        wrong += trouble
    return packet.model_copy(update={"unreadable": (*packet.unreadable, *wrong)})


def note_taken(packet: Packet, at_spots: Iterable[Keyed]) -> Packet:
    """The packet with a note of each value that its reader found at the spot it was keyed for."""
    places = set(places_in(packet))
    taken: list[KeyedNote] = []
    wrong: list[Unreadable] = []
    for each in at_spots:
        place = keyed_place(Place(document=each.document, spot=each.spot))
        if place in places:
            taken.append(_note(each))
        else:
            wrong.append(_no_place(each, "nothing that could not be read stands there alone"))
    return packet.model_copy(
        update={
            "keyed": (*packet.keyed, *taken),
            "unreadable": (*packet.unreadable, *wrong),
        }
    )


def _fill(
    packet: Packet, document: str, form: str, keyed: list[Keyed]
) -> tuple[Packet, list[Unreadable]]:
    """Fill one document's form, or make it of what was keyed."""
    model, kind, member, parsers = _FORMS[form]
    outer, _, inner = member.partition(".")
    held = getattr(packet, outer)
    there = [each for each in (held if isinstance(held, tuple) else (held,)) if each is not None]
    whole = next((each for each in there if is_of(each, document)), None)
    found = getattr(whole, inner) if inner and whole is not None else whole
    said: dict[str, Any] = {}
    wrong: list[Unreadable] = []
    for each in keyed:
        name = each.field.partition(".")[2]
        if name not in parsers:
            wrong.append(_no_place(each, f"a {form} has no {name or 'field of that name'}"))
        elif found is not None and getattr(found, name) is not None:
            wrong.append(_no_place(each, "it was read; what can be read is not keyed"))
        else:
            try:
                place = keyed_place(Place(document=each.document, spot=each.spot))
                said[name] = {"value": parsers[name](each.value), "place": place}
            except (ValueError, ArithmeticError) as error:
                wrong.append(_no_place(each, str(error)))
    if wrong or not said:
        return packet, wrong
    try:
        made = model.model_validate({**({} if found is None else dict(found)), **said})
    except ValidationError as error:
        lacking = ", ".join(str(each["loc"][0]) for each in error.errors() if each["loc"])
        return packet, [_no_place(keyed[0], f"a {form} needs as well: {lacking}")]
    if not isinstance(held, tuple) and whole is None and held is not None:
        return packet, [_no_place(keyed[0], f"a second {kind.value.replace('_', ' ')}")]
    if inner:
        made = (whole or PayApplication()).model_copy(update={inner: made})
    after: Any = made
    if isinstance(held, tuple):
        kept = tuple(made if each is whole else each for each in there)
        after = kept if whole is not None else (*kept, made)
    return _answered(packet.model_copy(update={outer: after}), keyed), []


def _answered(packet: Packet, keyed: Iterable[Keyed]) -> Packet:
    """The packet that notes what was keyed, and no longer names as unreadable what that answers."""
    answered = {(each.document, each.spot) for each in keyed}
    return packet.model_copy(
        update={
            "keyed": (*packet.keyed, *(_note(each) for each in keyed)),
            "unreadable": tuple(
                each
                for each in packet.unreadable
                if (each.place.document, each.place.spot) not in answered
            ),
        }
    )


def _note(keyed: Keyed) -> KeyedNote:
    field = keyed.spot if keyed.field == AT_SPOT else keyed.field
    return KeyedNote(document=keyed.document, field=field, value=keyed.value, by=keyed.by)


def _no_place(keyed: Keyed, why: str) -> Unreadable:
    place = Place(document=keyed.document, spot=keyed.spot)
    return unreadable(DocumentKind.UNKNOWN, place, f"{keyed.field} was keyed: {why}")
