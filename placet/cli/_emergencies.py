"""``placet emergency …``: break-glass, and the reviews that follow it."""

from typing import Annotated

import typer

from placet.cli._base import AsJson, failures, operator_client, run, show
from placet.cli._identities import Why
from placet.model import ActAnswer, CloseReview, Reason, ReviewView

emergency = typer.Typer(help="Break-glass, and its reviews.", no_args_is_help=True)


@emergency.command()
def begin(checkpoint_id: str, reason: Why, as_json: AsJson = False) -> None:
    """Let an open checkpoint be approved by the emergency path, for a while."""

    async def work() -> ActAnswer:
        async with operator_client() as client:
            return await client.act("glass.break", checkpoint_id, Reason(reason=reason))

    with failures():
        show(run(work()), as_json=as_json)


@emergency.command("list")
def list_(
    closed: Annotated[bool, typer.Option(help="Those that were reviewed.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the emergencies whose review waits."""

    async def work() -> list[ReviewView]:
        async with operator_client() as client:
            return await client.reviews("closed" if closed else "open")

    columns = ("id", "case", "checkpoint", "opened_by", "until", "status", "reason")
    with failures():
        show(run(work()), as_json=as_json, columns=columns)


@emergency.command()
def review(
    review_id: str,
    reason: Why,
    justified: Annotated[bool, typer.Option("--justified/--not-justified", help="Whether it was.")],
    as_json: AsJson = False,
) -> None:
    """Close an emergency's review, as someone who had no hand in it."""

    async def work() -> ActAnswer:
        async with operator_client() as client:
            body = CloseReview(justified=justified, reason=reason)
            return await client.act("review.close", review_id, body)

    with failures():
        show(run(work()), as_json=as_json)
