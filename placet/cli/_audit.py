"""``placet audit …``: verify the log, replay cases, tell a case's story."""

import itertools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from placet.audit import LogFiles, Moment, Report, replay, timeline, verify
from placet.cli._base import (
    AWAY,
    REFUSED,
    USAGE,
    console,
    fail,
    failures,
    operator_client,
    read_model,
    run,
    show,
)
from placet.cli._cases import processes
from placet.cli._fetch import fetch_log
from placet.cli._identities import AsJson
from placet.ledger import EntryError, decode_entry
from placet.model import Model, Thumbprint

audit = typer.Typer(help="What an auditor can prove.", no_args_is_help=True)
Trust = Annotated[
    Path | None,
    typer.Option(help="JSON of what you got elsewhere: log_key, administrators, heads."),
]


class Trusted(Model):
    """What an examiner got elsewhere: the log's key, administrators' thumbprints, kept heads."""

    log_key: str | None = None
    administrators: tuple[Thumbprint, ...] = ()
    heads: tuple[str, ...] = ()


async def _fetch(trusted: dict[str, Any] | None) -> LogFiles:
    async with operator_client() as client:
        with console().status("fetching the log"):
            return await fetch_log(client, trust=trusted)


@audit.command("verify")
def verify_(trust: Trust = None, as_json: AsJson = False) -> None:
    """Verify the whole ledger and every decision.

    Exit 0: everything holds, under a key you trust. 1: something does not. 3: it is consistent,
    but only with itself, since no --trust was given.
    """
    with failures():
        known = read_model(trust, Trusted).model_dump() if trust else None
        report = verify(run(_fetch(known)))
        print_report(report, as_json=as_json)
        if not report.holds:
            raise typer.Exit(REFUSED)
        if not report.trusted:
            raise typer.Exit(AWAY)


@audit.command("replay")
def replay_(
    case: Annotated[str | None, typer.Argument(help="A case's id.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every archived case.")] = False,
    trust: Trust = None,
    as_json: AsJson = False,
) -> None:
    """Replay archived cases and reconcile each step with the ledger, which is verified first.

    Exit codes are those of verify.
    """
    with failures():
        if (case is None) == (not all_):
            raise fail("name a case, or say --all", USAGE)

        async def work() -> dict[str, Report]:
            known = read_model(trust, Trusted).model_dump() if trust else None
            files = await _fetch(known)
            wanted = sorted(files.archives) if all_ else [str(case)]
            reports = {"the ledger": verify(files)}
            return reports | {each: await replay_case(files, each) for each in wanted}

        reports = run(work())
        if as_json:
            print(
                json.dumps({name: each.model_dump(mode="json") for name, each in reports.items()})
            )
        else:
            for name, report in reports.items():
                console().print(f"[bold]{escape(name)}[/bold]")
                print_report(report)
        if not all(report.holds for report in reports.values()):
            raise typer.Exit(REFUSED)
        if not reports["the ledger"].trusted:
            raise typer.Exit(AWAY)


@audit.command("timeline")
def timeline_(case: str, as_json: AsJson = False) -> None:
    """Print the story of a case in order."""
    with failures():
        moments = list(timeline(run(_fetch(None)), case))
        if not moments:
            raise fail(f"the ledger has no case {case}", USAGE)
        if as_json:
            show([*moments], as_json=True)
        else:
            print_timeline(moments)


async def replay_case(files: LogFiles, case: str) -> Report:
    """Replay a case with the workflow code of its process, as it is installed here."""
    name = process_of(files, case)
    if not name:
        raise fail(f"the ledger has no case {case}", USAGE)
    found = processes().get(name)
    if found is None:
        raise fail(f"the process {name!r} of case {case} is not installed here")
    return await replay(files, case, [found.workflow])


def process_of(files: LogFiles, case: str) -> str:
    """The process that a case was opened under, as the ledger says; empty if it does not."""
    for data in files.entries:
        try:
            entry = decode_entry(data)
        except EntryError:
            continue
        if entry.case == case and entry.type == "case.opened":
            return str(entry.data.get("process"))
    return ""


def print_report(report: Report, *, as_json: bool = False) -> None:
    """Print what was checked and what did not hold."""
    if as_json:
        show(report, as_json=True)
        return
    out = console()
    for what, count in report.checked.items():
        out.print(f"  checked {count} {escape(what)}")
    for trouble in report.troubles:
        out.print(
            f"  [bold]DOES NOT HOLD[/bold] {escape(trouble.name)} at {escape(trouble.place)}: "
            f"{escape(trouble.found)}"
        )
    if report.holds:
        out.print("  everything that was checked holds")
    if report.trusted is False:
        out.print("  under the log's own key alone: give what you got elsewhere with --trust FILE")


def print_timeline(moments: Iterable[Moment]) -> None:
    """Print a case's story, a line for each moment."""
    lines = (f"{each.time}  {escape(each.actor):32} {escape(each.text)}" for each in moments)
    for line, group in itertools.groupby(lines):
        count = sum(1 for _ in group)
        console().print(f"{line} (x{count})" if count > 1 else line, soft_wrap=True)
