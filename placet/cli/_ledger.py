"""``placet ledger …``: what people sign about the log itself."""

from pathlib import Path
from typing import Annotated

import typer

from placet.cli._base import AsJson, failures, operator_client, run, show
from placet.cli._output import read_model
from placet.model import MAX_OVERLAP_HOURS, ActAnswer, RekeyLog

ledger = typer.Typer(help="The ledger itself.", no_args_is_help=True)


@ledger.callback()
def ledger_() -> None:
    """The ledger itself."""


@ledger.command("rotate-key")
def rotate_key(
    file: Annotated[Path, typer.Argument(help="What placet authority make-log-key wrote.")],
    overlap_hours: Annotated[
        int,
        typer.Option(min=0, max=MAX_OVERLAP_HOURS, help="How long both keys sign heads."),
    ] = 7 * 24,
    as_json: AsJson = False,
) -> None:
    """Name another key for the ledger's heads; the old one signs beside it for a while."""

    async def work() -> ActAnswer:
        made = read_model(file, RekeyLog)
        body = made.model_copy(update={"overlap_hours": overlap_hours})
        async with operator_client() as client:
            return await client.act("log.rekey", "log", body)

    with failures():
        show(run(work()), as_json=as_json)
