"""The help of ``placet case open``, which lists the options of the process that is named in it."""

import copy
from collections.abc import Iterator, Sequence
from typing import Any

from typer.core import TyperCommand

from placet.cli._output import offline_failures
from placet.cli._processes import process_named
from placet.model import template_variables

_NAMED, _HELPS = "--process", "placet.help"


class OpensCase(TyperCommand):
    """A command whose further options are a process's own."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Keep which process is named: a help is asked for before the options are read."""
        ctx.meta[_NAMED] = _named(args)
        return super().parse_args(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help, with the options of the process if one is named."""
        ctx.meta[_HELPS] = True
        super().format_help(ctx, formatter)

    def get_params(self, ctx: Any) -> list[Any]:
        """The command's own options; in its help the process's before them."""
        own = super().get_params(ctx)
        name = ctx.meta.get(_NAMED) if ctx.meta.get(_HELPS) else None
        if not name:
            return own
        (like,) = (each for each in own if _NAMED in each.opts)
        return [*(_option(like, *each) for each in _options_of(name)), *own]


def _named(arguments: Sequence[str]) -> str:
    pairs = zip(arguments, [*arguments[1:], ""], strict=True)
    given = [
        value if each == _NAMED else each.partition("=")[2]
        for each, value in pairs
        if each.partition("=")[0] == _NAMED
    ]
    return given[-1] if given else ""


def _options_of(name: str) -> Iterator[tuple[str, str]]:
    """What a process takes, each with what it is."""
    with offline_failures():
        process = process_named(name)
    subject = process.definition.subject
    for each in template_variables(subject):
        yield each, f"What the case is about: {subject}."
    for each, attach in process.attach.items():
        said, _, _ = (attach.__doc__ or "What its cases take along.").partition("\n")
        yield each, said.replace("``", "")


def _option(like: Any, name: str, told: str) -> Any:
    made = copy.copy(like)
    made.name, made.opts, made.help, made.required = name, [f"--{name}"], told, True
    return made
