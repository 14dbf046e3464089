"""``placet notice …``: what people were told, and what no channel took."""

from typing import Annotated

import typer

from placet.cli._base import AsJson, failures, operator_client, run, show
from placet.model import ActAnswer, DeliveryStatus, DeliveryView

notice = typer.Typer(help="Notices and their channels.", no_args_is_help=True)


@notice.command("list")
def list_(
    status: Annotated[DeliveryStatus, typer.Option(help="Which.")] = DeliveryStatus.DEAD,
    as_json: AsJson = False,
) -> None:
    """List notices at their channels; the dead letters, unless told otherwise."""

    async def work() -> list[DeliveryView]:
        async with operator_client() as client:
            return await client.notices(status.value)

    columns = ("id", "kind", "channel", "status", "attempts", "trouble")
    with failures():
        show(run(work()), as_json=as_json, columns=columns)


@notice.command()
def resend(delivery: int, as_json: AsJson = False) -> None:
    """Send a dead letter again (administrators)."""

    async def work() -> ActAnswer:
        async with operator_client() as client:
            return await client.act("notice.resend", str(delivery), {})

    with failures():
        show(run(work()), as_json=as_json)
