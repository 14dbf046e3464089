"""A chart over time, as lines of text: amounts on one scale, each in words as well. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from placet.cli import read_value, value_at
from placet.model import ChartPoints, ChartSection, ChartSeries, ChartValue, Drawn, InputPart
from tui.text import harmless
from tui.words import money

_FILLS = "█▓▒"
_WHOLE, _MARK = "·", "│"


@dataclass(frozen=True)
class Point:
    """One point: an amount for each series, or none; in words, and as a share of the largest."""

    label: str
    texts: tuple[str, ...]
    shares: tuple[float | None, ...]


@dataclass(frozen=True)
class Chart:
    """Points under the series' labels."""

    title: str
    series: tuple[ChartSeries, ...]
    points: tuple[Point, ...]


def chart(section: ChartSection, parts: Sequence[InputPart], sign: str) -> Chart:
    """What a section describes, as far as the parts have it."""
    made: list[tuple[str, tuple[Decimal | None, ...]]] = []
    so_far = [Decimal(0)] * len(section.series)
    for points in section.points:
        for row in _rows(points, parts):
            amounts = tuple(
                _amount(row, value, so_far, at) for at, value in enumerate(points.values)
            )
            name = read_value(value_at(row, points.label))[0] if points.label else ""
            made.append((harmless(f"{points.prefix}{name}"), amounts))
    known = [each for _, amounts in made for each in amounts if each is not None]
    largest = max(known, default=Decimal(0))

    def share(amount: Decimal | None) -> float | None:
        if amount is None:
            return None
        return float(amount / largest) if largest > 0 and amount > 0 else 0.0

    return Chart(
        section.title,
        section.series,
        tuple(
            Point(
                label,
                tuple("" if each is None else money(each, sign) for each in amounts),
                tuple(share(each) for each in amounts),
            )
            for label, amounts in made
            if any(each is not None for each in amounts)
        ),
    )


def _rows(points: ChartPoints, parts: Sequence[InputPart]) -> Iterator[Mapping[str, Any]]:
    data = [each.part.data for each in parts if each.part.name == points.part]
    found: Any = data[-1:]
    if points.rows:
        found = value_at(data[-1], points.rows) if data else []
    for row in found if isinstance(found, list) else ():
        if isinstance(row, Mapping):
            yield row


def _amount(
    row: Mapping[str, Any], value: ChartValue, so_far: list[Decimal], at: int
) -> Decimal | None:
    rows = value_at(row, value.rows) if value.rows else [row]
    listed = rows if isinstance(rows, list) else []
    read = [_decimal(read_value(value_at(each, value.path))[0]) for each in listed]
    known = [each for each in read if each is not None]
    if not known:
        return None
    found = sum(known, Decimal(0))
    if value.adds_up:
        found += so_far[at]
    so_far[at] = found
    return found


def _decimal(value: object) -> Decimal | None:
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        return None
    return found if found.is_finite() and abs(found) < Decimal(10) ** 18 else None


def picture(point: Point, series: Sequence[ChartSeries], width: int) -> str:
    """One point as a line: the whole as dots, the fills over it, the shortest on top, and marks."""
    line = [" "] * width
    signs = dict(zip(range(len(series)), _signs(series), strict=True))
    shown = [(at, share) for at, share in enumerate(point.shares) if share is not None]
    order = {Drawn.WHOLE: 0, Drawn.FILL: 1, Drawn.MARK: 2}
    for at, share in sorted(shown, key=lambda each: (order[series[each[0]].drawn], -each[1])):
        end = round(share * width)
        if series[at].drawn is Drawn.MARK:
            line[max(0, min(width, end) - 1)] = signs[at]
        else:
            line[:end] = signs[at] * end
    return "".join(line)


def legend(series: Sequence[ChartSeries]) -> str:
    """Which sign is which series."""
    return "   ".join(signed(series))


def signed(series: Sequence[ChartSeries]) -> tuple[str, ...]:
    """Each series with its sign before it."""
    return tuple(f"{sign} {each.label}" for sign, each in zip(_signs(series), series, strict=True))


def _signs(series: Sequence[ChartSeries]) -> Iterator[str]:
    fills = 0
    for each in series:
        if each.drawn is Drawn.FILL:
            yield _FILLS[min(fills, len(_FILLS) - 1)]
            fills += 1
        else:
            yield _WHOLE if each.drawn is Drawn.WHOLE else _MARK
