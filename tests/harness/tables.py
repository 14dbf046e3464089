"""Tables as a database has them, whatever code made them: their rows, their form, one row in each."""

import datetime as dt
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Column, Connection, MetaData, Table, insert, inspect, select, text

from placet.revisions import VERSION_TABLE

TIME = dt.datetime(2026, 11, 28, 12, tzinfo=dt.UTC)
OF_A_TYPE: dict[type, Any] = {str: "x", int: 1, bytes: b"x", bool: True, dt.datetime: TIME}

Rows = dict[str, list[list[tuple[str, Any]]]]


def whole(table: Table) -> bool:
    """Whether it is no range of another."""
    return re.search(r"_p\d{5}$", str(table.name)) is None


def tables_of(connection: Connection, but: Collection[str] = ()) -> list[Table]:
    """The tables as the database has them, without Alembic's, and ``but`` some."""
    left, found = {VERSION_TABLE.name, *but}, MetaData()
    found.reflect(connection, only=lambda name, _: name not in left)
    # A key that names its schema brings the table that it refers to a second time.
    return [each for each in found.sorted_tables if each.schema is None and whole(each)]


def rows_of(
    connection: Connection, tables: Sequence[Table], renamed: Mapping[str, str] | None = None
) -> Rows:
    """Every row of these tables: values under the names that their columns have now."""
    names = renamed or {}
    return {
        each.name: sorted(
            sorted((names.get(name, name), value) for name, value in row._mapping.items())
            for row in connection.execute(select(each))
        )
        for each in tables
    }


def fill(
    connection: Connection,
    tables: Sequence[Table],
    own: Mapping[str, Sequence[Mapping[str, Any]]],
) -> None:
    """A row in each table, of any values; ``own`` says better ones, or more rows."""

    def value(column: Column[Any]) -> Any:
        return OF_A_TYPE[column.type.python_type]

    for table in tables:
        anything = {column.name: value(column) for column in table.columns}
        for row in own.get(table.name, [{}]):
            connection.execute(insert(table), {**anything, **row})


def form_of(connection: Connection, table: str) -> dict[str, Any]:
    """A table's columns, keys, limits and indexes, in an order that does not matter."""
    look = inspect(connection)
    counted = text("SELECT sql LIKE '%AUTOINCREMENT%' FROM sqlite_master WHERE name = :table")
    on_sqlite = connection.dialect.name == "sqlite"
    found = {
        "counted": [on_sqlite and connection.scalar(counted, {"table": table})],
        "columns": [{**each, "type": repr(each["type"])} for each in look.get_columns(table)],
        "key": [look.get_pk_constraint(table)],
        "foreign": look.get_foreign_keys(table),
        "unique": look.get_unique_constraints(table),
        "limits": look.get_check_constraints(table),
        "indexes": look.get_indexes(table),
    }
    return {kind: sorted(map(repr, each)) for kind, each in found.items()}
