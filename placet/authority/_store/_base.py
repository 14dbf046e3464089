"""What the store's tables have in common: their own registry, and columns with one meaning.

The registry is the store's own, so that its tables never mix with another package's SQLModel
tables. Each column is named as its attribute.

State is kept here; what must be provable is on the ledger as well. Times are aware UTC. ``…_json``
columns hold canonical JSON as text; digests, ids and statuses are spelled as in
:mod:`placet.model`. ``entry`` columns name the index of the ledger entry that recorded the row. No
column holds a token, or a private key in clear (I7).
"""

import re
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, Integer
from sqlalchemy.orm import declared_attr, registry
from sqlalchemy.types import TypeDecorator, TypeEngine
from sqlmodel import Field, SQLModel

BigInt: TypeEngine[int] = BigInteger().with_variant(Integer(), "sqlite")
"""64 bits on both; SQLite numbers rows by itself only in a column called INTEGER."""


class Utc(TypeDecorator[datetime]):
    """An aware time, in UTC on both databases; a naive one is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse what has no zone; SQLite keeps text, so everything is brought to UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time in the store must say its zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the zone back that SQLite does not keep."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


_RESERVED = frozenset({"case", "grant"})  # words of SQL: these tables' names end in "_"


REGISTRY = registry()


class Row(SQLModel, registry=REGISTRY):
    """The base of every table of the store.

    A row is made by naming its columns. Unlike SQLModel's own tables, one that is misspelt or
    missing is an error here, not at the database or never.
    """

    @declared_attr.directive
    def __tablename__(cls) -> str:  # noqa: N805  # pyright: ignore[reportIncompatibleVariableOverride]  # SQLAlchemy's way to name tables by a rule
        """The class's name in snake case; ``Row`` at its end sets it apart from a model's name."""
        words = re.findall(r"[A-Z][a-z]*", cls.__name__.removesuffix("Row"))
        name = "_".join(words).lower()
        return name + "_" if name in _RESERVED else name

    def __init__(self, **values: Any) -> None:
        complete = {**_defaults(type(self)), **values}
        columns = type(self).model_fields
        if complete.keys() != columns.keys():
            wrong = sorted(complete.keys() ^ columns.keys())
            raise TypeError(f"{type(self).__name__} has other columns: look at {', '.join(wrong)}")
        # Past SQLAlchemy's tracking of changes, which nothing here uses: rows are written when
        # the code says so. That is a third of what making a row costs.
        vars(self).update(complete)


_DEFAULTS: dict[type[Row], dict[str, Any]] = {}


def _defaults(row: type[Row]) -> dict[str, Any]:
    known = _DEFAULTS.get(row)
    if known is None:
        columns = row.model_fields.items()
        known = {name: column.default for name, column in columns if not column.is_required()}
        _DEFAULTS[row] = known
    return known


def time_field(**options: Any) -> Any:
    """A time that must be there."""
    return Field(sa_type=Utc, **options)


def time_or_none(**options: Any) -> Any:
    """A time that may be missing."""
    return Field(default=None, nullable=True, sa_type=Utc, **options)


def number_field(**options: Any) -> Any:
    """A 64-bit number, never counted up by the database."""
    return Field(sa_type=BigInt, sa_column_kwargs={"autoincrement": False}, **options)


def serial_key() -> Any:
    """A primary key that the database counts up; with ``COUNTED`` it never gives one twice.

    It is there once the row was added, or read; until then it is ``None``.
    """
    return Field(default=None, primary_key=True, sa_type=BigInt)


COUNTED = {"sqlite_autoincrement": True}
"""Table options of a ``serial_key``: SQLite would otherwise give a deleted last key again."""
