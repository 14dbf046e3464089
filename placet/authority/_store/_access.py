"""Reading and writing rows inside one transaction, without an identity map.

Statements are SQLAlchemy Core: each row is inserted or changed at once, in the order in which the
code says so, and what was read is a plain object that nothing tracks. Statements that depend on
the table alone are made once.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    CursorResult,
    Delete,
    Executable,
    Insert,
    Select,
    Table,
    Update,
    and_,
    bindparam,
    delete,
    insert,
    select,
    update,
)

from placet.authority._store._base import Row
from placet.authority._store._prepared import Statement, run

R = TypeVar("R", bound=Row)
Key = str | int | tuple[str | int, ...]
"""A primary key: its one value, or a tuple of its columns' values in their order."""

Where = ColumnElement[bool] | bool
"""A condition as ``Table.column == value`` spells it; type checkers take that for a bool."""


def table_of(row: type[Row]) -> Table:
    """The Core table of a row class."""
    table: Table = vars(row)["__table__"]
    return table


@cache
def _by_key(table: Table) -> Select[Any]:
    key = table.primary_key.columns
    return select(table).where(and_(*(c == bindparam(f"key_{c.name}") for c in key)))


@cache
def _key_names(table: Table) -> tuple[str, ...]:
    return tuple(column.name for column in table.primary_key.columns)


@cache
def _insertion(table: Table, counted: tuple[str, ...]) -> Insert:
    statement = insert(table)
    return statement.returning(*(table.c[name] for name in counted)) if counted else statement


@cache
def _change(table: Table, names: tuple[str, ...]) -> Update:
    key = and_(*(c == bindparam(f"key_{c.name}") for c in table.primary_key))
    return update(table).where(key).values({name: bindparam(f"new_{name}") for name in names})


@cache
def _removal(table: Table) -> Delete:
    return delete(table).where(and_(*(c == bindparam(f"key_{c.name}") for c in table.primary_key)))


def _key(table: Table, key: Key) -> dict[str, object]:
    names = _key_names(table)
    values = key if isinstance(key, tuple) else (key,)
    if len(values) != len(names):
        raise ValueError(f"{table.name} has {len(names)} key columns, not {len(values)}")
    return {f"key_{name}": value for name, value in zip(names, values, strict=True)}


@cache
def _names(table: Table) -> tuple[str, ...]:
    return tuple(column.name for column in table.columns)


def _make(row: type[R], values: Sequence[Any]) -> R:
    made: R = row.__new__(row)  # a whole row: no column is missing, none needs its default
    vars(made).update(zip(_names(table_of(row)), values, strict=True))
    return made


def _conditions(where: tuple[Where, ...]) -> list[ColumnElement[bool]]:
    conditions = [condition for condition in where if not isinstance(condition, bool)]
    if len(conditions) != len(where):
        raise TypeError("a condition compares a column; this one compared two plain values")
    return conditions


class Reader:
    """One transaction for reading: a snapshot. Only valid inside the function it is given to."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        if not connection.in_transaction():
            connection.begin()

    def fetch(self, statement: Statement, values: Mapping[str, object] | None = None) -> list[Any]:
        """The rows that a statement gives; it was made once, and has no list among its values."""
        return run(self.connection, statement, values or {})[1]

    def one(self, statement: Statement, values: Mapping[str, object] | None = None) -> Any:
        """The first row of :meth:`fetch`, or ``None``."""
        rows = self.fetch(statement, values)
        return rows[0] if rows else None

    def execute(self, statement: Executable, values: Any = None) -> CursorResult[Any]:
        """Run a Core statement; ``values`` is one mapping, or a list of them."""
        result: CursorResult[Any] = self.connection.execute(statement, values)
        return result

    def scalar(self, statement: Executable, values: Any = None) -> Any:
        """The first column of the first row, or ``None``; ``values`` is one mapping."""
        return self.connection.scalar(statement, values)

    def get(self, row: type[R], key: Key) -> R | None:
        """The row with this primary key or ``None``."""
        table = table_of(row)
        found = self.one(_by_key(table), _key(table, key))
        return None if found is None else _make(row, found)

    def all(
        self,
        row: type[R],
        *where: Where,
        order_by: Sequence[Any] = (),
        limit: int | None = None,
    ) -> list[R]:
        """The rows for which every condition holds, such as ``Grant.case_id == case``."""
        statement = select(table_of(row)).where(*_conditions(where)).order_by(*order_by)
        if limit is not None:
            statement = statement.limit(limit)
        return [_make(row, found) for found in self.connection.execute(statement)]

    def rows(self, row: type[R], statement: Select[Any], values: Mapping[str, object]) -> list[R]:
        """The rows of a statement that was made before, which selects all columns of one table."""
        return [_make(row, found) for found in self.fetch(statement, values)]

    def first(self, row: type[R], *where: Where, order_by: Sequence[Any] = ()) -> R | None:
        """The first such row, or ``None``."""
        found = self.all(row, *where, order_by=order_by, limit=1)
        return found[0] if found else None


class Access(Reader):
    """One transaction for reading and writing rows."""

    def add(self, row: Row) -> None:
        """Insert ``row`` now; a key that the database counts is set on it.

        Raises:
            sqlalchemy.exc.IntegrityError: the row breaks a constraint (it is there already, …).
        """
        table, held = table_of(type(row)), vars(row)
        values = {name: held[name] for name in _names(table)}
        counted = [name for name in _key_names(table) if values[name] is None]
        for name in counted:
            del values[name]
        given = self.one(_insertion(table, tuple(counted)), values)
        for name in counted:
            setattr(row, name, getattr(given, name))

    def change(self, row: type[Row], key: Key, **values: object) -> None:
        """Set columns of the one row with this primary key.

        Raises:
            LookupError: no such row.
        """
        table = table_of(row)
        statement = _change(table, tuple(sorted(values)))
        new = {f"new_{name}": value for name, value in values.items()}
        if run(self.connection, statement, {**_key(table, key), **new})[0] != 1:
            raise LookupError(f"{table.name} has no row {key!r}")

    def remove(self, row: type[Row], key: Key) -> None:
        """Delete the one row with this primary key.

        Raises:
            LookupError: no such row.
        """
        table = table_of(row)
        if self.connection.execute(_removal(table), _key(table, key)).rowcount != 1:
            raise LookupError(f"{table.name} has no row {key!r}")
