"""Statements that are made once, run with the driver's own words.

SQLAlchemy compiles a statement and knows its types; asking it again for each run costs ten times
what the driver takes, and a grant runs twenty statements. What it raises stays what it would be.
"""

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Dialect, Insert, Select, Update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

Statement = Select[*tuple[Any, ...]] | Insert | Update
_Process = Callable[[Any], Any] | None
_KEPT = 1024
"""Statements that are kept: a few for each table, on each of the engines of one process."""


@dataclass(frozen=True)
class _Prepared:
    """A statement in the driver's words, with what turns values into the driver's and back."""

    sql: str
    names: tuple[str, ...]
    positional: bool
    given: Mapping[str, _Process]
    fixed: Mapping[str, Any]
    found: tuple[_Process, ...]
    make: Callable[[Iterable[Any]], Any]

    def values(self, values: Mapping[str, Any]) -> Any:
        """The driver's parameters."""
        ready = dict(self.fixed)
        for name, process in self.given.items():
            value = values[name]
            ready[name] = value if process is None else process(value)
        return [ready[name] for name in self.names] if self.positional else ready

    def row(self, row: Sequence[Any]) -> Any:
        """A row as the columns' types give it: a tuple whose members have the columns' names."""
        return self.make(
            value if process is None else process(value)
            for process, value in zip(self.found, row, strict=True)
        )


def run(
    connection: Connection, statement: Statement, values: Mapping[str, Any]
) -> tuple[int, list[Any]]:
    """Run a statement that was made once: how many rows it touched, and those that it gives.

    The connection has begun its transaction already.

    Raises:
        sqlalchemy.exc.DBAPIError: as SQLAlchemy itself would.
        KeyError: a value is missing.
    """
    keys = tuple(values) if isinstance(statement, Insert) else None
    prepared = _prepare(statement, connection.dialect, keys)
    cursor = _execute(connection, prepared.sql, prepared.values(values))
    rows = [prepared.row(each) for each in cursor.fetchall()] if prepared.found else []
    return int(cursor.rowcount), rows


def _execute(connection: Connection, sql: str, parameters: Any) -> Any:
    dialect = connection.dialect
    driver: Any = connection.connection.dbapi_connection
    cursor = driver.cursor()
    try:
        cursor.execute(sql, parameters)
    except dialect.loaded_dbapi.Error as error:
        lost = dialect.is_disconnect(error, driver, cursor)
        kind = dialect.loaded_dbapi.Error
        raise DBAPIError.instance(
            sql,
            None,
            error,
            kind,
            hide_parameters=True,
            connection_invalidated=lost,
            dialect=dialect,
        ) from error
    return cursor


@lru_cache(_KEPT)
def _prepare(statement: Statement, dialect: Dialect, keys: tuple[str, ...] | None) -> _Prepared:
    compiled = statement.compile(dialect=dialect, column_keys=keys)
    assert isinstance(compiled, SQLCompiler)
    if compiled.post_compile_params or compiled.literal_execute_params:
        raise TypeError("a statement with a list, or with a limit as a value, can't be prepared")
    given, fixed = {}, {}
    for bound, name in compiled.bind_names.items():
        process = _of(bound.type, dialect).bind_processor(dialect)
        if bound.required or isinstance(statement, Insert):
            given[name] = process
        else:
            value = bound.effective_value
            fixed[name] = value if process is None else process(value)
    returned = (
        statement.selected_columns if isinstance(statement, Select) else statement.exported_columns
    )
    return _Prepared(
        sql=str(compiled),
        names=tuple(compiled.positiontup or ()),
        positional=compiled.positional,
        given=given,
        fixed=fixed,
        found=tuple(_of(each.type, dialect).result_processor(dialect, None) for each in returned),
        make=_named([each.name for each in returned]),
    )


def _named(names: list[str]) -> Callable[[Iterable[Any]], Any]:
    kind: Any = namedtuple("Row", names, rename=True)  # type: ignore[misc]  # the names are the statement's
    return kind._make


def say(connection: Connection, sql: str) -> None:
    """Run a statement that takes and gives nothing, such as a savepoint.

    Raises:
        sqlalchemy.exc.DBAPIError: as SQLAlchemy itself would.
    """
    _execute(connection, sql, ())


def _of(kind: TypeEngine[Any], dialect: Dialect) -> TypeEngine[Any]:
    return kind.dialect_impl(dialect)
