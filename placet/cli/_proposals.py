"""``placet act …``: what waits for a second signature; ``placet governance …``: how many sign."""

from pathlib import Path
from typing import Annotated

import typer

from placet.cli._base import (
    AsJson,
    failures,
    operator_client,
    read_model,
    run,
    show,
)
from placet.cli._commands import TakesId
from placet.cli._identities import Why
from placet.cli._named import act_id
from placet.model import ActAnswer, Governance, ProposalStatus, ProposalView, Reason

act = typer.Typer(help="Acts that wait for a second signature.", no_args_is_help=True)
governance = typer.Typer(help="The rules about people.", no_args_is_help=True)

Proposal = Annotated[
    str, typer.Argument(metavar="ID", help="Which act, as `placet act list` names it.")
]


@act.command("list")
def list_(
    status: Annotated[ProposalStatus, typer.Option(help="Which.")] = ProposalStatus.PROPOSED,
    as_json: AsJson = False,
) -> None:
    """List the acts that wait, or waited, for a second signature."""

    async def work() -> list[ProposalView]:
        async with operator_client() as client:
            return await client.proposals(status.value)

    columns = ("id", "act", "target", "proposed_by", "lapses_at", "status")
    with failures():
        found = run(work())
        rows = [{"id": each.jti, **each.model_dump(mode="json")} for each in found]
        show(found if as_json else rows, as_json=as_json, columns=columns)


@act.command("show", cls=TakesId)
def show_(identifier: Proposal, as_json: AsJson = False) -> None:
    """Show one with everything that it would change."""

    async def work() -> ProposalView:
        async with operator_client() as client:
            return await client.proposal(act_id(identifier))

    with failures():
        show(run(work()), as_json=as_json)


@act.command(cls=TakesId)
def countersign(identifier: Proposal, as_json: AsJson = False) -> None:
    """Sign it as the second person; it takes effect."""

    async def work() -> ActAnswer:
        async with operator_client() as client:
            return await client.countersign(await client.proposal(act_id(identifier)))

    with failures():
        show(run(work()), as_json=as_json)


@act.command(cls=TakesId)
def withdraw(identifier: Proposal, reason: Why, as_json: AsJson = False) -> None:
    """Withdraw it; it never takes effect."""

    async def work() -> ActAnswer:
        async with operator_client() as client:
            return await client.act("act.withdraw", act_id(identifier), Reason(reason=reason))

    with failures():
        show(run(work()), as_json=as_json)


@governance.command("show")
def show_governance(as_json: AsJson = False) -> None:
    """Show the rules about people that are in force."""

    async def work() -> Governance:
        async with operator_client() as client:
            return await client.governance()

    with failures():
        show(run(work()), as_json=as_json)


@governance.command()
def publish(
    file: Annotated[Path, typer.Argument(help="The rules, as JSON, with a higher version.")],
    as_json: AsJson = False,
) -> None:
    """Publish new rules about people, as a signed act (administrators)."""
    with failures():
        rules = read_model(file, Governance)

        async def work() -> ActAnswer:
            async with operator_client() as client:
                return await client.act("governance.publish", "governance", rules)

        show(run(work()), as_json=as_json)
