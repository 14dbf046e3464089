"""Pages of a list, filtered and sorted by the database: what the lists have in common.

Each order has an index that a page is read along, from the cursor on. A filter that leaves few rows
(:data:`FEW`) is looked up first, along an index of its own, and only those rows are read and
sorted; one that leaves many fills the page soon, and is written so that no database takes its index
for the better way.
"""

import base64
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, func, literal, select, text, tuple_

from placet.authority._errors import Invalid
from placet.authority._lines import words_of
from placet.authority._store import ListedWord, Reader, table_of
from placet.model import CaseQuery, CheckpointOrder, CheckpointQuery, digest_json

FEW = 1000
"""Rows that are looked up by their keys and sorted then, rather than read along the order."""

WORDS = table_of(ListedWord)
LAST_CHARACTER = "\U0010ffff"

Condition = ColumnElement[bool]


@dataclass(frozen=True)
class Branch:
    """One range of an index, read in its order: the columns of the order, and the range."""

    base: Select[Any]
    order: tuple[Column[Any], Column[Any]]


@dataclass(frozen=True)
class Filter:
    """A condition, and how the keys of the rows that meet it are found along its own index."""

    condition: Condition
    keys: Select[Any] | None = None


def bare(column: Column[Any]) -> ColumnElement[Any]:
    """The column as no index has it: its order's index is the one to read along."""
    return func.coalesce(column, column)


def starting(column: Column[Any], prefix: str, ids: Select[Any]) -> Filter:
    end = prefix + LAST_CHARACTER
    shown = bare(column)
    return Filter((shown >= prefix) & (shown < end), ids.where((column >= prefix) & (column < end)))


def worded(key: Column[Any], text: str) -> Iterable[Filter]:
    for word in words_of(text):
        begins = (WORDS.c.word >= word) & (WORDS.c.word < word + LAST_CHARACTER)
        has = select(WORDS.c.word).where(WORDS.c.item == key, begins).exists()
        yield Filter(has, select(WORDS.c.item).where(begins))


def page_of(
    reader: Reader,
    key: Column[Any],
    whole: Select[Any],
    branches: Sequence[Branch],
    filters: Sequence[Filter],
    cursor: tuple[Any, str] | None,
    limit: int,
    *,
    down: bool,
) -> list[Any]:
    """One row more than the page has, if there is one: then there is a next page."""
    few = few_of(reader, filters)
    conditions = [each.condition for each in filters]
    name = branches[0].order[0].name if branches else ""
    found: dict[str, tuple[Any, str, Any]] = {}
    if few is not None:
        rows = iter(reader.execute(whole.where(key.in_(few), *conditions))) if few else ()
    else:
        _read_along(reader)
        rows = chain.from_iterable(
            reader.execute(_range(each, conditions, cursor, limit, down=down)) for each in branches
        )
    for row in rows:
        found[row.id] = (getattr(row, name), row.id, row)
    ordered = sorted(found.values(), key=lambda each: each[:2], reverse=down)
    if few is not None and cursor is not None:
        ordered = [each for each in ordered if (each[:2] < cursor if down else each[:2] > cursor)]
    return [row for _, _, row in ordered[: limit + 1]]


def _range(
    branch: Branch,
    conditions: Sequence[Condition],
    cursor: tuple[Any, str] | None,
    limit: int,
    *,
    down: bool,
) -> Select[Any]:
    """The next rows of one branch, from the cursor on."""
    statement = branch.base.where(*conditions)
    first, second = branch.order
    if cursor is not None:
        here = tuple_(first, second)
        there = tuple_(literal(cursor[0], first.type), literal(cursor[1]))
        statement = statement.where(here < there if down else here > there)
    by = (first.desc(), second.desc()) if down else (first, second)
    return statement.order_by(*by).limit(limit + 1)


def _read_along(reader: Reader) -> None:
    """Let PostgreSQL sort nothing and read no table as a whole, in this snapshot.

    It guesses that a filter leaves few rows where it leaves many, and then reads them all.
    """
    if reader.connection.dialect.name == "postgresql":
        for way in ("sort", "seqscan", "bitmapscan", "hashjoin", "mergejoin"):
            reader.execute(text(f"SET LOCAL enable_{way} = off"))


def few_of(reader: Reader, filters: Iterable[Filter]) -> list[str] | None:
    """The keys that the first filter with few rows leaves, or ``None`` if each leaves many."""
    for each in filters:
        if each.keys is not None:
            keys = [row[0] for row in reader.execute(each.keys.limit(FEW + 1))]
            if len(keys) <= FEW:
                return keys
    return None


# --- cursors ----------------------------------------------------------------------------------


def next_of(query: CheckpointQuery | CaseQuery, found: Sequence[Any], name: str, limit: int) -> Any:
    if len(found) <= limit:
        return None
    value = getattr(found[limit - 1], name)
    told = [value if isinstance(value, int) else value.isoformat(), found[limit - 1].id]
    spelled = json.dumps([_of(query), *told]).encode()
    return base64.urlsafe_b64encode(spelled).decode().rstrip("=")


def read_cursor(query: CheckpointQuery | CaseQuery, after: str | None) -> tuple[Any, str] | None:
    if after is None:
        return None
    try:
        told = json.loads(base64.urlsafe_b64decode(after + "=" * (-len(after) % 4)))
        of, value, key = told
        if of != _of(query) or not isinstance(key, str):
            raise ValueError(of)
        if query.sort in {CheckpointOrder.AMOUNT, CheckpointOrder.AMOUNT_DOWN}:
            if not isinstance(value, int) or abs(value) >= 2**62:
                raise ValueError(value)
            return value, key
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError(value)
    except (ValueError, TypeError, RecursionError):
        raise Invalid(
            "invalid_request", "after is no cursor of this query: take it from a page's next"
        ) from None
    return moment, key


def _of(query: CheckpointQuery | CaseQuery) -> str:
    """What a cursor is bound to: the query, whatever its pages' length."""
    return digest_json(query.model_copy(update={"limit": 1}))[8:24]
