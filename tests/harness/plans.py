"""What PostgreSQL does for each statement, as it tells itself (auto_explain)."""

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

LARGE = 10_000
"""A table or index with more rows is large: what reads all of it grows with it."""

LISTS = (
    "/v1/cases?limit=50",
    "/v1/cases?status=closed&limit=50",
    "/v1/cases?standing=true&limit=50",
    "/v1/checkpoints?status=open&limit=50",
    "/v1/checkpoints?status=approved&limit=50",
    "/v1/checkpoints?status=open&amount_min=5.00&limit=50",
    "/v1/checkpoint-groups?by=process",
    "/v1/checkpoint-groups?by=record",
    "/v1/proposals",
    "/v1/proposals?status=proposed",
    "/v1/notices",
    "/v1/notices?status=dead",
    "/v1/reviews",
    "/v1/governance",
    "/v1/overview",
    "/v1/delegations",
    "/v1/models",
    "/v1/campaigns",
    "/v1/registry",
    "/v1/registry/agent:scale",
    "/v1/identities/agent",
    "/v1/identity-standings/agent:scale",
    "/v1/left-behind/agent:scale",
    "/v1/campaign-candidates?days=90",
    "/v1/published",
    "/v1/ledger/entries?from=9000&limit=500",
)
"""What people's tools read that is about no single thing."""

_SETTINGS = {
    "session_preload_libraries": "auto_explain",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_format": "json",
}


def tell_plans(connection: psycopg.Connection, database: str, **more: str) -> None:
    """Have a database write the plan of each statement to the server's log, from now on.

    ``more`` are further settings of the database.
    """
    for name, value in {**_SETTINGS, **more}.items():
        statement = sql.SQL("ALTER DATABASE {} SET {} = {}")
        setting = sql.SQL(".").join(sql.Identifier(part) for part in name.split("."))
        connection.execute(statement.format(sql.Identifier(database), setting, sql.Literal(value)))


@dataclass(frozen=True)
class Bad:
    """A statement that reads a large table from one end to the other, and how."""

    how: str
    table: str
    statement: str


def plans(log: str) -> Iterator[dict[str, Any]]:
    """The plans that auto_explain has told."""
    for found in re.finditer(r"plan:\n((?:\t.*\n)+)", log):
        yield json.loads(found.group(1))


def worst(plan: dict[str, Any], large: Collection[str], *, limited: bool = False) -> Iterator[Bad]:
    """The parts of a plan that read a large table from one end to the other.

    Not those below a limit that find enough at once, since most rows are what they look for.
    """
    node, table = plan["Node Type"], plan.get("Relation Name", "")
    limited = limited or node == "Limit"
    enough = limited and plan["Plan Rows"] > LARGE
    if table in large and node == "Seq Scan" and not enough:
        yield Bad(node, table, "")
    unbounded = node in {"Index Scan", "Index Only Scan", "Bitmap Index Scan"}
    index = plan.get("Index Name")  # one of open ones alone is small
    if index in large and unbounded and "Index Cond" not in plan and not enough:
        yield Bad(f"{node} of all of {index}", table, "")
    for below in plan.get("Plans", ()):
        yield from worst(below, large, limited=limited)


def judge(log: str, large: Collection[str]) -> tuple[set[str], set[Bad]]:
    """The statements that were told of, and those that read too much."""
    statements: set[str] = set()
    bad: set[Bad] = set()
    for each in plans(log):
        statement = " ".join(str(each["Query Text"]).split())
        statements.add(statement)
        bad |= {Bad(found.how, found.table, statement) for found in worst(each["Plan"], large)}
    return statements, bad
