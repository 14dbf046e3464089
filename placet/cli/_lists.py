"""``placet case list``, ``placet checkpoint list`` and ``groups``: what there is, what waits."""

import sys
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, TypeVar

import typer

from placet.cli._base import USAGE, fail, failures, money, operator_client, run, show
from placet.cli._identities import AsJson
from placet.cli._output import harmless
from placet.model import (
    MAX_PAGE,
    ArchiveState,
    CaseOrder,
    CaseQuery,
    CaseStatus,
    CaseView,
    CheckpointGroup,
    CheckpointLine,
    CheckpointOrder,
    CheckpointQuery,
    CheckpointStatus,
    Claimed,
    Due,
    Gravest,
    Grouping,
    GroupQuery,
    Severity,
    WaitsFor,
)

case = typer.Typer(help="Cases: open, look, resubmit, hold, end.", no_args_is_help=True)
checkpoint = typer.Typer(help="Checkpoints: look, decide.", no_args_is_help=True)

Process = Annotated[str | None, typer.Option(help="Of this process.")]
Record = Annotated[str | None, typer.Option(help="Records that begin so.")]
Text = Annotated[str | None, typer.Option(help="Words of its record, title or id.")]
Limit = Annotated[int, typer.Option(help="Rows at most.")]
_Row = TypeVar("_Row")
_OF_A_CASE = ("id", "subject", "status", "result", "archive", "held_on")


@case.command("list")
def list_cases(
    status: CaseStatus | None = None,
    standing: Annotated[
        bool, typer.Option(help="What a step keeps from going on: it fails, or nobody takes it.")
    ] = False,
    process: Process = None,
    record: Record = None,
    text: Text = None,
    sort: Annotated[CaseOrder, typer.Option(help="The order.")] = CaseOrder.OPENED_DOWN,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """List cases, the newest first."""
    with failures():
        query = CaseQuery.model_validate(
            {
                "status": status,
                "standing": standing,
                "process": process,
                "record": record,
                "text": text,
                "sort": sort,
                "limit": _page(limit),
            }
        )

        async def work() -> list[CaseView]:
            async with operator_client() as client:
                return await _first(client.case_lines(query), limit)

        found = run(work())
        show(found, as_json=as_json, columns=_OF_A_CASE)
        tell_trouble(found)


def tell_trouble(cases: list[CaseView]) -> None:
    """Say which cases stand still, raise an alarm, or have no sealed history, though they should.

    The last is I9; what keeps one from going on is said in words that may be anybody's.
    """
    now = datetime.now(UTC)
    for each in cases:
        if each.standstill is not None:
            said = harmless(each.standstill.said())
            typer.echo(f"placet: {each.id}: stands still: {said}", err=True)
        if each.alarm is not None and each.archive is not ArchiveState.ERASED:
            typer.echo(f"placet: {each.id}: alarm: {harmless(each.alarm)}", err=True)
        elif each.archive in {ArchiveState.FAILED, ArchiveState.LOST}:
            why = f"{each.archive}: {each.archive_trouble or 'its execution has vanished'}"
            said = f"{each.id}: its history is not sealed, {harmless(why)}"
            typer.echo(f"placet: {said}", err=True)
        elif each.archive_late(now):
            typer.echo(
                f"placet: {each.id} was closed at {each.closed_at} and its history is not sealed: "
                "its workflow still runs, or Temporal is away",
                err=True,
            )


@checkpoint.command("list")
def list_checkpoints(
    status: CheckpointStatus | None = CheckpointStatus.OPEN,
    mine: Annotated[bool, typer.Option(help="What waits for you alone.")] = False,
    others: Annotated[bool, typer.Option(help="What waits for others.")] = False,
    process: Process = None,
    role: Annotated[str | None, typer.Option(help="What waits for this role.")] = None,
    record: Record = None,
    severity: Annotated[
        Severity | None, typer.Option(help="With a finding at least as grave.")
    ] = None,
    gravest: Annotated[Gravest | None, typer.Option(help="The gravest of its findings.")] = None,
    overdue: Annotated[bool, typer.Option(help="What is past its time.")] = False,
    due: Annotated[Due | None, typer.Option(help="By when it is due.")] = None,
    claimed: Annotated[Claimed | None, typer.Option(help="Claimed by whom.")] = None,
    at_least: Annotated[str | None, typer.Option(help="Amounts from this on.")] = None,
    at_most: Annotated[str | None, typer.Option(help="Amounts up to this.")] = None,
    text: Text = None,
    sort: Annotated[CheckpointOrder, typer.Option(help="The order.")] = CheckpointOrder.URGENCY,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """List what waits for people, most urgent first."""
    with failures():
        query = CheckpointQuery.model_validate(
            {
                "status": status,
                "process": process,
                "role": role,
                "waits_for": _waits_for(mine, others),
                "record": record,
                "severity": severity,
                "gravest": gravest,
                "overdue": overdue,
                "due": due,
                "claimed": claimed,
                "amount_min": None if at_least is None else money(at_least, "--at-least"),
                "amount_max": None if at_most is None else money(at_most, "--at-most"),
                "text": text,
                "sort": sort,
                "limit": _page(limit),
            }
        )

        async def work() -> list[CheckpointLine]:
            async with operator_client() as client:
                return await _first(client.checkpoint_lines(query), limit)

        lines = run(work())
        if as_json:
            show(lines, as_json=True)
        else:
            rows = [_in_columns(each) for each in lines]
            show(rows, as_json=False, columns=_COLUMNS, otherwise=_print_lines)


@checkpoint.command("groups")
def list_groups(
    by: Annotated[Grouping, typer.Option(help="By what.")] = Grouping.KIND,
    mine: Annotated[bool, typer.Option(help="What waits for you alone.")] = False,
    others: Annotated[bool, typer.Option(help="What waits for others.")] = False,
    process: Process = None,
    record: Record = None,
    text: Text = None,
    as_json: AsJson = False,
) -> None:
    """Count what waits, by kind, process, urgency, findings or record."""
    with failures():
        query = GroupQuery.model_validate(
            {
                "by": by,
                "status": CheckpointStatus.OPEN,
                "waits_for": _waits_for(mine, others),
                "process": process,
                "record": record,
                "text": text,
            }
        )

        async def work() -> list[CheckpointGroup]:
            found: list[CheckpointGroup] = []
            after: str | None = None
            async with operator_client() as client:
                while True:
                    page = await client.checkpoint_groups(query, after)
                    found += page.groups
                    if (after := page.next) is None:
                        return found

        groups = run(work())
        if as_json:
            show(groups, as_json=True)
            return
        rows = [
            {"group": each.name, "waiting": f"{each.count.count}{'+' if each.count.more else ''}"}
            for each in groups
        ]
        show(rows, as_json=False, columns=("group", "waiting"))


def _page(limit: int) -> int:
    return min(limit, MAX_PAGE) if limit > 0 else limit


async def _first(rows: AsyncIterator[_Row], limit: int) -> list[_Row]:
    """So many of a list; whoever gets not all of it is told so."""
    found: list[_Row] = []
    async for row in rows:
        if len(found) == limit:
            print(f"placet: there are more than these {limit}; see --limit", file=sys.stderr)
            break
        found.append(row)
    return found


def _waits_for(mine: bool, others: bool) -> WaitsFor | None:
    if mine and others:
        raise fail("--mine or --others, not both", USAGE)
    return WaitsFor.ME if mine else WaitsFor.OTHERS if others else None


_COLUMNS = (
    "id",
    "title",
    "subject",
    "status",
    "amount",
    "findings",
    "due",
    "emergency_until",
    "held_on",
    "missing",
)


def _print_lines(row: Mapping[str, str]) -> None:
    said = [row[each] for each in ("title", "subject", "amount") if row[each]]
    print(f"{row['id']}  {row['status']}, due {row['due']}")
    print(f"    {harmless(' · '.join([*said, row['findings']]))}")
    if row["emergency_until"]:
        print(f"    EMERGENCY until {row['emergency_until']}")
    if row["held_on"]:
        print(f"    on hold: {row['held_on']}")
    if row["missing"]:
        print(f"    missing: {harmless(row['missing'])}")


def _in_columns(line: CheckpointLine) -> dict[str, str]:
    counts = line.findings
    return {
        "id": line.id,
        "title": line.title,
        "subject": line.subject if line.about is None else f"{line.about}, {line.subject}",
        "status": line.status.value,
        "amount": "" if line.amount is None else f"{line.amount:,.2f}",
        "findings": f"{counts.blocking} blocking, {counts.warning} warning",
        "due": _minute(line.due_at),
        "emergency_until": "" if line.emergency_until is None else _minute(line.emergency_until),
        "held_on": line.held_on or "",
        "missing": "; ".join(line.missing),
    }


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%MZ}"
