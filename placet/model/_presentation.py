"""How a process's evidence is shown to people: part of its signed definition.

People's tools know no process; they show what is described here. Values are found by dotted paths
in an evidence part's data. A value that was read from a document is an object with the members
``value`` and ``place``: tools show the value, and the place on demand.
"""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from placet.model._ids import Identifier
from placet.model._values import Model

DataPath = Annotated[
    str, StringConstraints(pattern=r"^(?:[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*)?$", max_length=200)
]
"""Members by name, from a part's data on: ``application.summary.current_payment``; or nothing."""

Label = Annotated[str, StringConstraints(min_length=1, max_length=60)]
Wording = Annotated[str, StringConstraints(max_length=100)]


class ValueKind(StrEnum):
    """How a value is written for people. ``percent`` is a ratio: 0.31 is written 31%."""

    TEXT = "text"
    MONEY = "money"
    PERCENT = "percent"
    DATE = "date"
    COUNT = "count"


class ShownValue(Model):
    """One value: where it stands, what people call it, and how it is written."""

    path: DataPath
    label: Label
    kind: ValueKind = ValueKind.TEXT


class Beside(Model):
    """Where a column's values come from, if not from the row: the row of the same key elsewhere.

    ``part`` is the evidence that has those rows, if it is another one.
    """

    rows: DataPath
    key: DataPath
    part: Identifier | None = None


class ShownColumn(ShownValue):
    """One column of a table. Where there is no room, those of the highest ``rank`` go first."""

    beside: Beside | None = None
    rank: int = Field(default=0, ge=0, le=9)


class _OfOnePart(Model):
    """A section of one part."""

    title: Label
    part: Identifier

    @property
    def parts(self) -> tuple[Identifier, ...]:
        """The evidence parts that are shown."""
        return (self.part,)


class FieldsSection(_OfOnePart):
    """Values one below the other."""

    kind: Literal["fields"] = "fields"
    fields: tuple[ShownValue, ...] = Field(min_length=1, max_length=60)


class TableSection(_OfOnePart):
    """A list as a table; without ``rows`` each part of that name is a row.

    ``lowers``: people may take amounts off these rows, each named by its ``key``. ``nothing`` is
    what it says without rows, where that there are none is something to know.
    """

    kind: Literal["table"] = "table"
    rows: DataPath = ""
    key: DataPath = ""
    columns: tuple[ShownColumn, ...] = Field(min_length=1, max_length=20)
    lowers: bool = False
    nothing: Label | None = None


class BarsSection(_OfOnePart):
    """A small chart: a bar for each value of money, or for each row of a list."""

    kind: Literal["bars"] = "bars"
    rows: DataPath = ""
    label: DataPath = ""
    prefix: Wording = ""
    values: tuple[ShownValue, ...] = Field(min_length=1, max_length=12)


class Drawn(StrEnum):
    """How a series is drawn: the ``whole`` that others are part of, a ``fill``, or a ``mark``."""

    WHOLE = "whole"
    FILL = "fill"
    MARK = "mark"


class ChartSeries(Model):
    """One series of a chart: what people call it, and how it is drawn."""

    label: Label
    drawn: Drawn


class ChartValue(Model):
    """An amount of a point; with ``rows`` their sum, with ``adds_up`` all points' so far."""

    path: DataPath
    rows: DataPath = ""
    adds_up: bool = False


class ChartPoints(Model):
    """Points of a chart: the rows of a part, or the part itself; a value for each series."""

    part: Identifier
    rows: DataPath = ""
    label: DataPath = ""
    prefix: Wording = ""
    values: tuple[ChartValue, ...] = Field(min_length=1, max_length=6)


class ChartSection(Model):
    """A chart over time: one line for each point, all series of amounts in it on one scale."""

    kind: Literal["chart"] = "chart"
    title: Label
    series: tuple[ChartSeries, ...] = Field(min_length=1, max_length=6)
    points: tuple[ChartPoints, ...] = Field(min_length=1, max_length=4)

    @property
    def parts(self) -> tuple[Identifier, ...]:
        """The evidence parts that are shown."""
        return tuple(each.part for each in self.points)

    @model_validator(mode="after")
    def _has_a_value_for_each_series(self) -> Self:
        if any(len(each.values) != len(self.series) for each in self.points):
            raise ValueError("points: each has as many values as there are series")
        return self


Section = Annotated[
    FieldsSection | TableSection | BarsSection | ChartSection, Field(discriminator="kind")
]


class FilesOf(Model):
    """Where a part lists the documents that it was read from: each with its name and digest."""

    part: Identifier
    rows: DataPath
    name: DataPath = "name"
    digest: DataPath = "digest"


class Presentation(Model):
    """How a process is shown.

    ``subject`` says in words what a case is about, with the subject's variables in braces; the
    record itself if it is empty. ``money`` is written before an amount. ``reasons`` are the codes
    offered to whoever rejects or returns. ``keyed`` are the values that people may key where they
    could not be read: as path what the process calls them. ``files`` says which documents there
    are, so that a person reads the very one that an agent read.
    """

    subject: Wording = ""
    money: Annotated[str, StringConstraints(max_length=4)] = ""
    reasons: tuple[Identifier, ...] = ()
    sections: tuple[Section, ...] = Field(default=(), max_length=40)
    keyed: tuple[ShownValue, ...] = Field(default=(), max_length=100)
    files: FilesOf | None = None
