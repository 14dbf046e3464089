"""Values that people keyed while looking at a page, put where the readers found none.

1. A keyed value never replaces one that was read: what can be read is read.
2. It is parsed as the readers parse, and its place says that it was keyed.
3. What it answers is no longer named as unreadable; what does not fit is (I12).
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from activities.packet._grids import unreadable
from activities.packet._values import read_date, read_item, read_money, read_text
from lender.model import (
    DocumentKind,
    Insurance,
    InsuranceKind,
    Invoice,
    Keyed,
    KeyedNote,
    Occupancy,
    Packet,
    Title,
    Unreadable,
    Waiver,
    WaiverKind,
)
from placet.model import Model, Place

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
    "title": (Title, DocumentKind.TITLE, "title", {"effective": read_date}),
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
"""What can be keyed: each form, its document, where the packet keeps it, and its fields."""


def apply_keyed(packet: Packet, values: Iterable[Keyed]) -> Packet:
    """The packet with what people keyed in it; the same packet and values give the same."""
    by_form: dict[tuple[str, str], list[Keyed]] = {}
    wrong: list[Unreadable] = []
    for each in values:
        form = each.field.partition(".")[0]
        if form in _FORMS and any(file.name == each.document for file in packet.files):
            by_form.setdefault((each.document, form), []).append(each)
        else:
            wrong.append(_no_place(each, "the packet has no such document or field"))
    for (document, form), keyed in sorted(by_form.items()):
        packet, trouble = _fill(packet, document, form, keyed)
        wrong += trouble
    return packet.model_copy(update={"unreadable": (*packet.unreadable, *wrong)})


def _fill(
    packet: Packet, document: str, form: str, keyed: list[Keyed]
) -> tuple[Packet, list[Unreadable]]:
    """Fill one document's form, or make it of what was keyed."""
    model, kind, member, parsers = _FORMS[form]
    held = getattr(packet, member)
    there = [each for each in (held if isinstance(held, tuple) else (held,)) if each is not None]
    found = next((each for each in there if _is_of(each, document)), None)
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
                said[name] = {"value": parsers[name](each.value), "place": _place(each)}
            except (ValueError, ArithmeticError) as error:
                wrong.append(_no_place(each, str(error)))
    if wrong or not said:
        return packet, wrong
    try:
        made = model.model_validate({**({} if found is None else dict(found)), **said})
    except ValidationError as error:
        lacking = ", ".join(str(each["loc"][0]) for each in error.errors() if each["loc"])
        return packet, [_no_place(keyed[0], f"a {form} needs as well: {lacking}")]
    if not isinstance(held, tuple) and found is None and held is not None:
        return packet, [_no_place(keyed[0], f"a second {kind.value.replace('_', ' ')}")]
    kept = tuple(made if each is found else each for each in there)
    after: Any = made
    if isinstance(held, tuple):
        after = kept if found is not None else (*kept, made)
    answered = {(each.document, each.spot) for each in keyed}
    notes = tuple(
        KeyedNote(document=each.document, field=each.field, value=each.value, by=each.by)
        for each in keyed
    )
    return packet.model_copy(
        update={
            member: after,
            "keyed": (*packet.keyed, *notes),
            "unreadable": tuple(
                each
                for each in packet.unreadable
                if (each.place.document, each.place.spot) not in answered
            ),
        }
    ), []


def _is_of(form: Model, document: str) -> bool:
    """Whether a form was read from a document: one of its values has its place there."""
    reads = [getattr(form, name) for name in type(form).model_fields]
    places = [getattr(each, "place", None) for each in reads]
    return any(each is not None and each.document == document for each in places)


def _place(keyed: Keyed) -> Place:
    return Place(document=keyed.document, spot=f"{keyed.spot[:280] or 'its page'}, keyed")


def _no_place(keyed: Keyed, why: str) -> Unreadable:
    place = Place(document=keyed.document, spot=keyed.spot)
    return unreadable(DocumentKind.UNKNOWN, place, f"{keyed.field} was keyed: {why}")
