"""``placet policy …``: check a lender's policies, publish them, and try them on the past."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from placet.audit import Backtest, backtest
from placet.cli._base import (
    REFUSED,
    USAGE,
    AsJson,
    console,
    fail,
    failures,
    operator_client,
    read_model,
    read_text,
    run,
    show,
)
from placet.cli._fetch import fetch_decisions
from placet.cli._processes import processes
from placet.model import AuthorityMatrix, PublishPolicy, format_time
from placet.rules import BadPolicies, LoadedPolicies, load_policies

policy = typer.Typer(help="The lender's policies.", no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(help="Holds policies.cedar and schema.cedarschema.")]


@policy.command()
def check(folder: Folder) -> None:
    """Check policies, schema and matrix, nothing running."""
    with failures():
        loaded = _load(folder)
        matrix = folder / "authority-matrix.json"
        if matrix.exists():
            read_model(matrix, AuthorityMatrix)
        print(f"{len(loaded.ids)} policies hold together; digest {loaded.digest}")


@policy.command()
def publish(folder: Folder, process: str = "loan-draw", as_json: AsJson = False) -> None:
    """Publish a process, its matrix and its policies, each as a signed act (administrators)."""
    with failures():
        found = processes().get(process)
        if found is None:
            raise fail(f"there is no process {process!r}", USAGE)
        policies, schema = _read(folder)
        matrix = read_model(folder / "authority-matrix.json", AuthorityMatrix)

        async def work() -> list[object]:
            async with operator_client() as client:
                body = PublishPolicy(policies=policies, cedar_schema=schema)
                return [
                    await client.act("process.publish", process, found.to_publish()),
                    await client.act("matrix.publish", process, matrix),
                    await client.act("policy.publish", process, body),
                ]

        show(run(work()), as_json=as_json, columns=("act", "target", "status", "entry"))


@policy.command("backtest")
def backtest_(
    policies: Annotated[
        Path, typer.Option(help="The proposed: policies.cedar and schema.cedarschema.")
    ],
    process: Annotated[str, typer.Option(help="Whose policies they are.")] = "loan-draw",
    since: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"], help="From then on (UTC); or everything."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Ask every recorded decision again: of its own policies, then of the proposed ones.

    Exit 1 if one does not come out the same under the policies that it was made with; which
    grants would change is no failure.
    """
    with failures():
        proposed = _load(policies)
        start = since.replace(tzinfo=UTC) if since else None

        async def work() -> Backtest:
            async with operator_client() as client:
                with console().status("fetching the decisions"):
                    files = await fetch_decisions(client, start)
            return backtest(files, process, proposed, start)

        found = run(work())
        if as_json:
            show(found, as_json=True)
        else:
            _print_backtest(found)
        if not found.holds:
            raise typer.Exit(REFUSED)


def _print_backtest(found: Backtest) -> None:
    out = console()
    out.print(f"  asked {found.recorded} decisions again of the policies they were made with")
    for trouble in found.troubles:
        out.print(
            f"  [bold]DOES NOT HOLD[/bold] {escape(trouble.name)} at {escape(trouble.place)}: "
            f"{escape(trouble.found)}"
        )
    if found.holds:
        out.print("  each came out the same")
    out.print(
        f"  asked {found.proposed} of the proposed policies: {len(found.changes)} would change, "
        f"{found.other_reasons} be the same by other policies"
    )
    for each in found.changes:
        out.print(
            escape(
                f"  entry {each.entry}  {format_time(each.time)}  {each.case}  {each.agent}  "
                f"{each.action} {each.record}: {each.before} -> {each.after}: {each.why}"
            ),
            soft_wrap=True,
        )


def _load(folder: Path) -> LoadedPolicies:
    try:
        return load_policies(*_read(folder))
    except BadPolicies as error:
        raise fail("\n".join(f"{folder}: {each}" for each in error.problems), REFUSED) from None


def _read(folder: Path) -> tuple[str, str]:
    return (
        read_text(folder / "policies.cedar"),
        read_text(folder / "schema.cedarschema"),
    )
