"""``placet case …`` and ``placet checkpoint …``."""

from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from placet.cli._base import REFUSED, USAGE, console, fail, failures, operator_client, run, show
from placet.cli._identities import AsJson, Why
from placet.model import (
    ActAnswer,
    CaseView,
    CheckpointView,
    DecisionAnswer,
    Hold,
    Reason,
    Verdict,
    parse_money,
    template_variables,
)
from placet.process import Process

case = typer.Typer(help="Cases: open, look, hold.", no_args_is_help=True)
checkpoint = typer.Typer(help="Checkpoints: look, decide.", no_args_is_help=True)
_EXTRA = {"allow_extra_args": True, "ignore_unknown_options": True}


def processes() -> Mapping[str, Process]:
    """The processes that installed packages bring (entry points ``placet.processes``)."""
    return {each.name: each.load() for each in entry_points(group="placet.processes")}


@case.command("list")
def list_cases(status: str | None = None, as_json: AsJson = False) -> None:
    """List cases."""

    async def work() -> list[CaseView]:
        async with operator_client() as client:
            return await client.cases(status)

    with failures():
        show(run(work()), as_json=as_json, columns=("id", "subject", "status", "result"))


@case.command("show")
def show_case(case_id: str, as_json: AsJson = False) -> None:
    """Show one case."""

    async def work() -> CaseView:
        async with operator_client() as client:
            return await client.case(case_id)

    with failures():
        show(run(work()), as_json=as_json)


@case.command("open", context_settings=_EXTRA)
def open_case(
    context: typer.Context,
    process: Annotated[str, typer.Option(help="The process.")] = "loan-draw",
    as_json: AsJson = False,
) -> None:
    """Open a case: --loan ID --draw N --packet DIR, as the process's subject asks."""
    with failures():
        options = _options(context.args)
        found = processes().get(process)
        if found is None:
            raise fail(f"there is no process {process!r}; there are {sorted(processes())}", USAGE)
        names = template_variables(found.definition.subject)
        missing = [name for name in names if name not in options]
        if missing:
            raise fail(f"give --{' --'.join(missing)}: the subject of {process}", USAGE)
        subject = found.definition.subject.format_map({name: options[name] for name in names})
        for name, value in options.items():
            if name in names:
                continue
            attach = found.attach.get(name)
            if attach is None:
                raise fail(f"process {process} has no option --{name}", USAGE)
            try:
                attach(subject, Path(value))
            except ValueError as error:
                raise fail(f"--{name}: {error}", USAGE) from None

        async def work() -> ActAnswer:
            async with operator_client() as client:
                return await client.open_case(process, subject)

        show(run(work()), as_json=as_json)


def _options(arguments: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    rest = list(arguments)
    while rest:
        name = rest.pop(0)
        if not name.startswith("--") or not rest:
            raise fail(f"{name}: options are given as --name value", USAGE)
        if name[2:] in found:
            raise fail(f"{name} is given twice", USAGE)
        found[name[2:]] = rest.pop(0)
    return found


@case.command()
def hold(record: str, reason: Why, as_json: AsJson = False) -> None:
    """Put a signed hold on a record, such as loan/L-1001."""
    _act("hold.place", record, Hold(reason=reason), as_json=as_json)


@case.command()
def lift(record: str, reason: Why, as_json: AsJson = False) -> None:
    """Lift a hold."""
    _act("hold.lift", record, Reason(reason=reason), as_json=as_json)


@case.command()
def admit(case_id: str, reason: Why, as_json: AsJson = False) -> None:
    """Let a stopped case go on, after a person has looked (administrators)."""
    _act("case.admit", case_id, Reason(reason=reason), as_json=as_json)


def _act(act: str, target: str, body: Any, *, as_json: bool) -> None:
    async def work() -> ActAnswer:
        async with operator_client() as client:
            return await client.act(act, target, body)

    with failures():
        show(run(work()), as_json=as_json)


# --- checkpoints ------------------------------------------------------------------------------


@checkpoint.command("list")
def list_checkpoints(status: str | None = "open", as_json: AsJson = False) -> None:
    """List what waits for people."""

    async def work() -> list[CheckpointView]:
        async with operator_client() as client:
            return await client.checkpoints(status)

    with failures():
        show(run(work()), as_json=as_json, columns=("id", "title", "subject", "status", "missing"))


@checkpoint.command("show")
def show_checkpoint(checkpoint_id: str, as_json: AsJson = False) -> None:
    """Show what is asked, and the findings first."""

    async def work() -> CheckpointView:
        async with operator_client() as client:
            return await client.checkpoint(checkpoint_id)

    with failures():
        view = run(work())
        if as_json:
            show(view, as_json=True)
            return
        proposal = view.evidence.proposal
        out = console()
        out.print(f"[bold]{escape(view.title)}[/bold] · {view.subject} · {view.status.value}")
        for finding in proposal.findings:
            out.print(f"  {finding.severity.value.upper():9} {escape(finding.message)}")
            for side in finding.compared:
                place = f"{side.place.document} {side.place.spot}".strip()
                out.print(
                    f"            {escape(side.label)}: {escape(side.value)} ({escape(place)})"
                )
        out.print(f"amount {proposal.amount} of {proposal.requested} requested")
        out.print(f"evidence {view.evidence_digest}")
        for line in view.missing:
            out.print(f"missing: {escape(line)}")


def _decide(
    verdict: Verdict,
    checkpoint_id: str,
    amount: str | None,
    accept: list[str] | None,
    reason_code: str | None,
    comment: str | None,
    *,
    as_json: bool,
) -> None:
    async def work() -> DecisionAnswer:
        async with operator_client() as client:
            view = await client.checkpoint(checkpoint_id)
            proposed = view.evidence.proposal.amount
            given = parse_money(amount) if amount is not None else None
            if verdict is Verdict.APPROVE and given != proposed:
                raise fail(
                    f"say --amount {proposed}: what you approve, in words of your own", REFUSED
                )
            return await client.decide(
                view,
                verdict,
                amount=given,
                reason_code=reason_code,
                exceptions=tuple(accept or ()),
                comment=comment,
            )

    with failures():
        try:
            show(run(work()), as_json=as_json)
        except ValueError as error:
            raise fail(str(error), USAGE) from None


Comment = Annotated[str | None, typer.Option(help="For the record.")]
Code = Annotated[str | None, typer.Option("--reason-code", help="Why, in one word.")]


@checkpoint.command()
def approve(
    checkpoint_id: str,
    amount: Annotated[str | None, typer.Option(help="The amount you approve.")] = None,
    accept: Annotated[
        list[str] | None, typer.Option(help="A blocking finding accepted as an exception.")
    ] = None,
    comment: Comment = None,
    as_json: AsJson = False,
) -> None:
    """Approve, naming the amount and every exception."""
    _decide(Verdict.APPROVE, checkpoint_id, amount, accept, None, comment, as_json=as_json)


@checkpoint.command()
def reject(
    checkpoint_id: str, reason_code: Code = None, comment: Comment = None, as_json: AsJson = False
) -> None:
    """Reject."""
    _decide(Verdict.REJECT, checkpoint_id, None, None, reason_code, comment, as_json=as_json)


@checkpoint.command("return")
def return_(
    checkpoint_id: str, reason_code: Code = None, comment: Comment = None, as_json: AsJson = False
) -> None:
    """Return, with questions."""
    _decide(Verdict.RETURN, checkpoint_id, None, None, reason_code, comment, as_json=as_json)


@checkpoint.command()
def withdraw(checkpoint_id: str, comment: Comment = None, as_json: AsJson = False) -> None:
    """Take back your own word, before the outcome."""
    _decide(Verdict.WITHDRAW, checkpoint_id, None, None, None, comment, as_json=as_json)


@checkpoint.command()
def abstain(checkpoint_id: str, comment: Comment = None, as_json: AsJson = False) -> None:
    """Abstain, for a conflict of interest; it is final."""
    _decide(Verdict.ABSTAIN, checkpoint_id, None, None, None, comment, as_json=as_json)
