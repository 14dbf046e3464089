"""Evidence parts as sections to show, by the process's own description. Pure: values in and out."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from placet.cli import Spot, read_value, value_at
from placet.model import (
    BarsSection,
    Beside,
    ChartSection,
    FieldsSection,
    Finding,
    InputPart,
    Place,
    ProcessDefinition,
    ShownColumn,
    ShownValue,
    TableSection,
    ValueKind,
    quantity,
)
from tui.charts import Chart, chart
from tui.text import harmless
from tui.words import currency, is_number, written

_PIECES = re.compile(r"[0-9]+|[^0-9]+")


@dataclass(frozen=True)
class Value:
    """One value as it is shown, and where it was read."""

    text: str
    place: Spot | None = None
    number: bool = False


@dataclass(frozen=True)
class Row:
    """One row; ``marks`` are the findings about it, ``item`` is its key."""

    values: tuple[Value, ...]
    marks: tuple[Finding, ...] = ()
    item: str = ""


@dataclass(frozen=True)
class Table:
    """A section as rows under labels; fields are a table of two columns."""

    title: str
    labels: tuple[str, ...]
    numbers: tuple[bool, ...]
    rows: tuple[Row, ...]
    ranks: tuple[int, ...] = ()
    fields: bool = False
    nothing: str = ""


@dataclass(frozen=True)
class Bar:
    """One bar: its label, its value in words, and its length from 0 to 1."""

    label: str
    text: str
    share: float


@dataclass(frozen=True)
class Bars:
    """A small chart."""

    title: str
    bars: tuple[Bar, ...]


Shown = Table | Bars | Chart


@dataclass(frozen=True)
class Lowerable:
    """Rows that amounts may be taken off: labels, each with whether it is a number, and cells."""

    labels: tuple[tuple[str, bool], ...]
    items: Mapping[str, tuple[str, ...]]


_BESIDE_ITEM = 4  # columns that say which row it is


@dataclass(frozen=True)
class Reading:
    """One value that was read from a document: what it is, and where."""

    name: str
    text: str
    spot: str


@dataclass(frozen=True)
class Document:
    """What was read from one document, place by place."""

    name: str
    readings: tuple[Reading, ...] = ()
    marks: Mapping[str, tuple[Finding, ...]] = field(default_factory=dict)

    @property
    def unread(self) -> tuple[str, ...]:
        """The spots that findings cite and nothing was read at: what may be there to be keyed."""
        read = {each.spot for each in self.readings}
        return tuple(sorted((each for each in self.marks if each not in read), key=_spot_order))


def sections(
    definition: ProcessDefinition, parts: Sequence[InputPart], findings: Sequence[Finding]
) -> list[Shown]:
    """What the definition describes, as far as the parts are there, in its order."""
    marks = marks_by_place(findings)
    sign = currency(definition)
    shown: list[Shown] = []
    for section in definition.presentation.sections:
        if isinstance(section, ChartSection):
            drawn = chart(section, parts, sign)
            shown += [drawn] if drawn.points else []
            continue
        data = [each.part.data for each in parts if each.part.name == section.part]
        if data:
            made = _section(section, data, marks, sign, parts)
            if not isinstance(made, Table) or made.rows or made.nothing:
                shown.append(made)
    return shown


def lowerable(definition: ProcessDefinition, parts: Sequence[InputPart]) -> Lowerable | None:
    """The rows that people may take amounts off, if the process lets them."""
    for section in definition.presentation.sections:
        if not isinstance(section, TableSection) or not section.lowers:
            continue
        data = [each.part.data for each in parts if each.part.name == section.part]
        listed = value_at(data[-1], section.rows) if data else None
        columns = [
            each
            for each in section.columns
            if each.beside is None and each.rank == 0 and each.path != section.key
        ][:_BESIDE_ITEM]
        items = {
            str(read_value(value_at(row, section.key))[0]): tuple(
                _value(row, each, "").text for each in columns
            )
            for row in (listed if isinstance(listed, list) else ())
        }
        if items:
            labels = tuple((each.label, is_number(each.kind)) for each in columns)
            return Lowerable(labels, items)
    return None


def marks_by_place(findings: Iterable[Finding]) -> dict[Spot, tuple[Finding, ...]]:
    """The findings that compared something at each place."""
    found: dict[Spot, tuple[Finding, ...]] = {}
    for finding in findings:
        for side in finding.compared:
            key = (side.place.document, side.place.spot)
            if finding not in found.get(key, ()):
                found[key] = (*found.get(key, ()), finding)
    return found


def _section(
    section: FieldsSection | TableSection | BarsSection,
    data: Sequence[Mapping[str, Any]],
    marks: Mapping[Spot, tuple[Finding, ...]],
    sign: str,
    parts: Sequence[InputPart],
) -> Shown:
    match section:
        case FieldsSection():
            rows = tuple(
                _row((Value(harmless(each.label)), _value(data[-1], each, sign)), marks)
                for each in section.fields
                if value_at(data[-1], each.path) is not None
            )
            numbers = any(row.values[1].number for row in rows)
            return Table(section.title, ("", ""), (False, numbers), rows, fields=True)
        case TableSection():
            return Table(
                section.title,
                tuple(each.label for each in section.columns),
                tuple(is_number(each.kind) for each in section.columns),
                tuple(_table_rows(section, data, marks, sign, parts)),
                tuple(each.rank for each in section.columns),
                nothing=section.nothing or "",
            )
        case BarsSection():
            return Bars(section.title, tuple(_bars(section, data[-1], sign)))


def _row(
    values: tuple[Value, ...], marks: Mapping[Spot, tuple[Finding, ...]], item: str = ""
) -> Row:
    found: list[Finding] = []
    for value in values:
        for finding in marks.get(value.place, ()) if value.place else ():
            if finding not in found:
                found.append(finding)
    return Row(values, tuple(found), item)


def _value(data: Any, shown: ShownValue, sign: str) -> Value:
    found, place = read_value(value_at(data, shown.path))
    return Value(_written(found, shown.kind, sign), place, is_number(shown.kind))


def _written(found: Any, kind: ValueKind, sign: str) -> str:
    if isinstance(found, list):
        return quantity(len(found), "entry", "entries") if found else "none"
    if isinstance(found, Mapping):
        return ", ".join(f"{harmless(str(name))} {_in_short(each)}" for name, each in found.items())
    return harmless(written(found, kind, sign))


def _in_short(value: Any) -> str:
    found, _ = read_value(value)
    return "…" if isinstance(found, (list, Mapping)) else harmless(str(found))


def _table_rows(
    section: TableSection,
    data: Sequence[Mapping[str, Any]],
    marks: Mapping[Spot, tuple[Finding, ...]],
    sign: str,
    parts: Sequence[InputPart],
) -> Iterator[Row]:
    listed = value_at(data[-1], section.rows) if section.rows else list(data)
    newest = {each.part.name: each.part.data for each in parts}
    lookup = {
        each.beside: _by_key(
            value_at(newest.get(each.beside.part or section.part), each.beside.rows),
            each.beside.key,
        )
        for each in section.columns
        if each.beside is not None
    }
    for row in listed if isinstance(listed, list) else ():
        key = str(read_value(value_at(row, section.key))[0])
        yield _row(
            tuple(_cell(row, each, key, lookup, sign) for each in section.columns),
            marks,
            key if section.lowers else "",
        )


def _by_key(rows: Any, path: str) -> dict[str, Any]:
    listed = rows if isinstance(rows, list) else []
    return {str(read_value(value_at(row, path))[0]): row for row in listed}


def _cell(
    row: Any,
    column: ShownColumn,
    key: str,
    lookup: Mapping[Beside, Mapping[str, Any]],
    sign: str,
) -> Value:
    if column.beside is not None:
        row = lookup[column.beside].get(key)
    return _value(row, column, sign if column.kind is not ValueKind.MONEY else "")


def _bars(section: BarsSection, data: Mapping[str, Any], sign: str) -> Iterator[Bar]:
    made: list[tuple[str, str, Decimal]] = []
    rows = value_at(data, section.rows) if section.rows else [data]
    for row in rows if isinstance(rows, list) else ():
        name = harmless(str(read_value(value_at(row, section.label))[0])) if section.label else ""
        for each in section.values:
            value = read_value(value_at(row, each.path))[0]
            try:
                number = Decimal(str(value))
            except InvalidOperation:
                continue
            if number.is_finite():
                label = f"{section.prefix}{name} {each.label}".strip()
                made.append((label, written(value, each.kind, sign), number))
    largest = max((number for _, _, number in made), default=Decimal(0))
    for label, text, number in made:
        yield Bar(label, text, float(number / largest) if largest > 0 and number > 0 else 0.0)


def documents(
    parts: Sequence[InputPart], findings: Sequence[Finding], names: Sequence[str] = ()
) -> list[Document]:
    """Every document that there is, that something was read from, or that a finding names."""
    marks = marks_by_place(findings)
    readings: dict[str, dict[tuple[str, str], Reading]] = {name: {} for name in names}
    for part in parts:
        for name, value, (document, spot) in _readings(part.part.data, ""):
            kept = readings.setdefault(document, {})
            kept.setdefault((spot, name), Reading(harmless(name), harmless(str(value)), spot))
    for document, _ in marks:
        readings.setdefault(document, {})
    return [
        Document(
            name,
            tuple(sorted(kept.values(), key=lambda each: _spot_order(each.spot))),
            {spot: found for (document, spot), found in marks.items() if document == name},
        )
        for name, kept in sorted(readings.items())
    ]


def _readings(data: Any, name: str) -> Iterator[tuple[str, Any, Spot]]:
    value, place = read_value(data)
    if place is not None:
        yield name, value, place
    elif isinstance(data, Mapping):
        for member, each in data.items():
            yield from _readings(each, str(member).replace("_", " "))
    elif isinstance(data, list):
        for each in data:
            yield from _readings(each, name)


def _spot_order(spot: str) -> tuple[tuple[int, int, str], ...]:
    """Numbers inside a spot count as numbers: page 2 comes before page 10, B9 before B10."""
    return tuple(
        (0, int(piece), "") if piece.isdecimal() else (1, 0, piece)
        for piece in _PIECES.findall(spot)
    )


def place_words(place: Place) -> str:
    """``pay-application.xlsx, G703!G5``."""
    return harmless(", ".join(each for each in (place.document, place.spot) if each))
