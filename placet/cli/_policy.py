"""``placet policy …``: check policies, publish them, and try them on the past."""

import difflib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from placet.audit import ApprovalsAgain, Backtest, LogFiles, approvals_again, backtest
from placet.cli._base import (
    AWAY,
    REFUSED,
    USAGE,
    AsJson,
    CommandFailed,
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
from placet.cli._publishing import Plan, bad_calendars
from placet.model import (
    ActAnswer,
    AuthorityMatrix,
    ProcessDefinition,
    PublishPolicy,
    format_time,
    quantity,
)
from placet.rules import (
    BadPolicies,
    LoadedPolicies,
    dead_ends,
    left_to_nobody,
    load_policies,
    misfits,
    policy_changes,
)

if TYPE_CHECKING:
    from placet.process import Process

policy = typer.Typer(
    help="Policies: check them, publish them, try them on the past.", no_args_is_help=True
)

_TOLD = 20
"""Problems of a folder: with a wrong schema each policy has some, and one is enough to look."""
Folder = Annotated[Path, typer.Argument(help="Holds policies.cedar and schema.cedarschema.")]


@policy.command()
def check(
    folder: Folder,
    process: Annotated[
        str | None, typer.Option(help="An installed process that must be able to run by them.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check policies, schema and matrix, nothing running; and that a process's steps fit them."""
    with failures():
        loaded = _load(folder)
        path = folder / "authority-matrix.json"
        matrix = read_model(path, AuthorityMatrix) if path.exists() or process else None
        if matrix is not None:
            _refuse(folder, tuple(bad_calendars(matrix, datetime.now(UTC))))
        if process is not None and matrix is not None:
            definition = _installed(process).definition
            _refuse(folder, misfits(definition, matrix, loaded))
            _refuse(folder, dead_ends(definition, matrix, loaded))
        if as_json:
            show({"policies": sorted(loaded.ids), "digest": loaded.digest}, as_json=True)
            return
        policies = quantity(len(loaded.ids), "policy", "policies")
        print(f"no trouble in {policies}; digest {loaded.digest}")


@policy.command()
def publish(
    folder: Folder,
    process: Annotated[
        str | None, typer.Option(help="An installed process; that of the matrix unless said.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Publish a process, its matrix and its policies, each as a signed act (administrators)."""
    with failures():
        named = None if process is None else _installed(process)
        policies, schema = _read(folder)
        matrix = read_model(folder / "authority-matrix.json", AuthorityMatrix)
        found = named or _installed(matrix.process)
        loaded = _load(folder)
        _refuse(folder, misfits(found.definition, matrix, loaded))

        async def work() -> list[ActAnswer]:
            async with operator_client() as client:
                body = PublishPolicy(policies=policies, cedar_schema=schema)
                published = await client.get("/v1/published")
                plan = Plan(published, found.to_publish(), matrix, body)
                _refuse(folder, tuple(plan.refused(datetime.now(UTC))))
                if not as_json:
                    _print_changes(published, body, matrix)
                    for said in plan.standing():
                        console().print(f"  {escape(said)}")
                _warn(dead_ends(found.definition, matrix, loaded))
                return await plan.carry_out(client)

        show(run(work()), as_json=as_json, columns=("act", "target", "status", "entry"))


@policy.command("publish-matrix")
def publish_matrix(
    file: Annotated[Path, typer.Argument(help="An authority-matrix.json.")], as_json: AsJson = False
) -> None:
    """Publish a process's authority matrix alone, as a signed act (administrators).

    What is open stays as it was asked; what opens from now on is asked by the new one.
    """
    with failures():
        matrix = read_model(file, AuthorityMatrix)

        async def work() -> ActAnswer:
            async with operator_client() as client:
                published = await client.get("/v1/published")
                if not as_json:
                    _print_matrix_changes(published, matrix)
                _warn(left_to_nobody(_in_force(published, matrix.process), matrix))
                return await client.act("matrix.publish", matrix.process, matrix)

        show(run(work()), as_json=as_json)


def _print_changes(
    published: Mapping[str, Any], body: PublishPolicy, matrix: AuthorityMatrix
) -> None:
    """What is about to change: policies by their ids, and the lines that differ."""
    out = console()
    now = next((each for each in published["policies"] if each["current"]), None)
    if now is not None:
        changes = policy_changes(
            (now["policies"], now["schema"]), (body.policies, body.cedar_schema)
        )
        for what in ("added", "removed", "changed"):
            for name in getattr(changes, what):
                out.print(f"  policy {what}: {escape(name)}")
        _print_lines("policies.cedar", now["policies"], body.policies)
        _print_lines("schema.cedarschema", now["schema"], body.cedar_schema)
    _print_matrix_changes(published, matrix)


def _print_matrix_changes(published: Mapping[str, Any], matrix: AuthorityMatrix) -> None:
    matrices = [AuthorityMatrix.model_validate_json(each) for each in published["matrices"]]
    before = max(
        (each for each in matrices if each.process == matrix.process),
        key=lambda each: each.version,
        default=None,
    )
    if before is not None:
        texts = [each.model_dump_json(indent=1, exclude_none=True) for each in (before, matrix)]
        _print_lines("authority-matrix.json", *texts)


def _in_force(published: Mapping[str, Any], process: str) -> ProcessDefinition | None:
    versions = [ProcessDefinition.model_validate_json(each) for each in published["processes"]]
    ours = [each for each in versions if each.name == process]
    return max(ours, key=lambda each: each.version, default=None)


def _warn(dead: Iterable[str]) -> None:
    """Say what would let no case through; it may be meant, so that nothing is refused."""
    for each in dead:
        typer.echo(f"placet: warning: {each}", err=True)


def _print_lines(name: str, before: str, after: str) -> None:
    for line in difflib.unified_diff(
        before.splitlines(), after.splitlines(), f"{name} in force", f"{name} proposed", n=1
    ):
        console().print(f"  {escape(line.rstrip())}", soft_wrap=True, highlight=False)


@policy.command("backtest")
def backtest_(
    policies: Annotated[
        Path, typer.Option(help="The proposed: policies.cedar and schema.cedarschema.")
    ],
    process: Annotated[
        str | None, typer.Option(help="Try them on this process's cases alone, not on all.")
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"], help="From then on (UTC); or everything."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Ask every recorded decision again: of its own policies, then of the proposed ones.

    With an authority-matrix.json in the folder, every outcome of people's decisions in its process
    as well: as it was asked, then as that matrix would ask it. Exit 1 if one does not come out the
    same as it was; which grants and approvals would change is no failure. Exit 3 if there are
    decisions, and none in a case of the process that was named.
    """
    with failures():
        proposed = _load(policies)
        path = policies / "authority-matrix.json"
        matrix = read_model(path, AuthorityMatrix) if path.exists() else None
        if matrix is not None and process not in {None, matrix.process}:
            raise fail(
                f"{path} is of {matrix.process}, and --process names {process}: leave --process "
                f"out, or give a folder with the matrix of {process} or none",
                USAGE,
            )
        start = since.replace(tzinfo=UTC) if since else None

        async def work() -> LogFiles:
            async with operator_client() as client:
                with console().status("fetching the decisions"):
                    return await fetch_decisions(client, start, whole=matrix is not None)

        files = run(work())
        found = backtest(files, process, proposed, start)
        again = None if matrix is None else approvals_again(files, matrix, start)
        if as_json:
            approvals = None if again is None else again.model_dump(mode="json")
            show({**found.model_dump(mode="json"), "approvals": approvals}, as_json=True)
        else:
            _print_backtest(found)
            if again is not None and matrix is not None:
                _print_approvals(again, matrix.process)
        if not found.holds or (again is not None and again.otherwise):
            raise typer.Exit(REFUSED)
        if process is not None and found.recorded and not found.proposed:
            raise fail(f"nothing was tried: no decision is of a case of {process}", AWAY)


def _print_approvals(found: ApprovalsAgain, process: str) -> None:
    out = console()
    outcomes = quantity(found.recorded, "outcome")
    gone = f"; {found.erased} of erased cases were passed over" if found.erased else ""
    out.print(f"  computed {outcomes} of {escape(process)} again, as asked then{gone}")
    for index in found.otherwise:
        out.print(f"  [bold]DOES NOT HOLD[/bold] outcome at entry {index}")
    out.print(f"  asked them of the proposed matrix: {len(found.changes)} would change")
    for each in found.changes:
        people = ", ".join(each.decided_by) or "nobody"
        out.print(
            escape(
                f"  entry {each.entry}  {format_time(each.time)}  {each.case}  {each.checkpoint} "
                f"{each.record}, decided by {people}: {each.before} -> {each.after}: {each.why}"
            ),
            soft_wrap=True,
        )


def _print_backtest(found: Backtest) -> None:
    out = console()
    decisions = quantity(found.recorded, "decision")
    out.print(f"  asked {decisions} again, of the policies of then")
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


def _installed(name: str) -> "Process":
    installed = processes()
    found = installed.get(name)
    if found is None:
        raise fail(f"there is no process {name!r}; there are {sorted(installed)}", USAGE)
    return found


def _refuse(folder: Path, problems: tuple[str, ...]) -> None:
    if problems:
        raise _refusal(folder, problems)


def _refusal(folder: Path, problems: tuple[str, ...]) -> CommandFailed:
    more = len(problems) - _TOLD
    told = (*problems[:_TOLD], f"and {more} more") if more > 0 else problems
    return fail("\n".join(f"{folder}: {each}" for each in told), REFUSED)


def _load(folder: Path) -> LoadedPolicies:
    try:
        return load_policies(*_read(folder))
    except BadPolicies as error:
        raise _refusal(folder, error.problems) from None


def _read(folder: Path) -> tuple[str, str]:
    names = ("policies.cedar", "schema.cedarschema")
    lacking = [each for each in names if not (folder / each).exists()]
    if lacking:
        what = "is no folder" if not folder.is_dir() else f"has no {' and no '.join(lacking)}"
        raise fail(f"{folder} {what}; name one that has both {' and '.join(names)}")
    policies, schema = (read_text(folder / each) for each in names)
    return policies, schema
