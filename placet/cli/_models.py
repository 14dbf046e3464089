"""``placet model …``: the kill switch of language models."""

from typing import Annotated

import typer

from placet.cli._base import USAGE, AsJson, fail, failures, operator_client, run, show
from placet.cli._identities import Why
from placet.model import ALL_MODELS, ActAnswer, Reason

model = typer.Typer(
    help="Language models: stop one, or all, and let them go on.", no_args_is_help=True
)
Model = Annotated[str | None, typer.Argument(help="As workers name it: openai:gpt-5.")]
All = Annotated[bool, typer.Option("--all", help="All models, whatever their name.")]


@model.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the models that are stopped; * stands for all."""

    async def work() -> list[dict[str, str]]:
        async with operator_client() as client:
            return [{"model": each} for each in await client.stopped_models()]

    with failures():
        show(run(work()), as_json=as_json, columns=("model",))


@model.command()
def suspend(
    reason: Why, name: Model = None, everything: All = False, as_json: AsJson = False
) -> None:
    """Stop a model: no step may ask it from that instant, and what it is saying is lost."""
    _act("model.suspend", name, everything, reason, as_json=as_json)


@model.command()
def resume(
    reason: Why, name: Model = None, everything: All = False, as_json: AsJson = False
) -> None:
    """Let a stopped model be asked again."""
    _act("model.resume", name, everything, reason, as_json=as_json)


def _act(act: str, name: str | None, everything: bool, reason: str, *, as_json: bool) -> None:
    async def work(target: str) -> ActAnswer:
        async with operator_client() as client:
            return await client.act(act, target, Reason(reason=reason))

    with failures():
        if (name is None) != everything:
            raise fail("name a model, or say --all", USAGE)
        show(run(work(name or ALL_MODELS)), as_json=as_json)
