"""The command tree: the engine's own commands, and those that installed packages bring.

A command's code is loaded when the command is asked for, and all of it for the whole help alone.
"""

import functools
import gc
import sys
from importlib.metadata import EntryPoint, distribution, entry_points
from typing import Annotated, Any

import typer
from typer.main import get_command, get_group

from placet.cli._base import failures
from placet.cli._commands import Commands
from placet.cli._main import version_line

_GROUP = "placet.commands"
"""The entry points of packages that bring commands of their own."""

_OURS = {
    name: EntryPoint(name, f"placet.cli.{found}", _GROUP)
    for name, found in {
        "authority": "_authority:authority",
        "agent": "_kinds:agents",
        "operator": "_kinds:operators",
        "system": "_kinds:systems",
        "identity": "_registry:identity",
        "vendor": "_registry:vendor",
        "case": "_cases:case",
        "act": "_proposals:act",
        "governance": "_proposals:governance",
        "model": "_models:model",
        "notice": "_notices:notice",
        "emergency": "_emergencies:emergency",
        "checkpoint": "_papers:checkpoint",
        "policy": "_policy:policy",
        "audit": "_audit:audit",
        "ledger": "_ledger:ledger",
        "gateway": "_gateway:gateway",
        "codec": "_codec:codec",
        "sign-in": "_sign_in:sign_in",
        "sign-out": "_sign_in:sign_out",
    }.items()
}


class Whole(Commands):
    """The root, whose commands are loaded one by one."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of all commands, in the order of the help."""
        brought = [each.name for each in entry_points(group=_GROUP)]
        return [*_OURS, *super().list_commands(ctx), *brought]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A command by its name, loaded with what it needs and nothing else."""
        found = None if cmd_name in self.commands else _find(cmd_name)
        if found is not None:
            self.add_command(_loaded(found), cmd_name)
        return super().get_command(ctx, cmd_name)


def _find(name: str) -> EntryPoint | None:
    if name in _OURS:
        return _OURS[name]
    own = distribution("placet").entry_points  # to look through all that is installed takes long
    found = [*own.select(group=_GROUP, name=name)] or [*entry_points(group=_GROUP, name=name)]
    return found[0] if found else None


def _loaded(found: EntryPoint) -> Any:
    """A command, or a group of commands, from where it is; nothing loaded is garbage."""
    brought: Any = found.load()
    gc.freeze()
    gc.enable()
    if isinstance(brought, typer.Typer):
        group = get_group(brought)
        group.name = found.name
        return group
    alone = typer.Typer(add_completion=False)
    alone.command(found.name)(brought)
    return get_command(alone)


app = typer.Typer(
    cls=Whole,
    help="Placet: regulated work, done by agents, decided by people, provable afterwards.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(asked: bool) -> None:
    if asked:
        print(version_line())
        raise typer.Exit


@app.callback()
def _whole(
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            help="Print the version, and that of Python and the system.",
        ),
    ] = False,
) -> None: ...


@app.command()
def version() -> None:
    """Print the version."""
    print(version_line())


@functools.cache
def whole() -> Any:
    """The root with every command loaded, for who looks through all of them."""
    root = get_command(app)
    context = typer.Context(root)
    for name in root.list_commands(context):  # type: ignore[attr-defined]  # it is a group
        root.get_command(context, name)  # type: ignore[attr-defined]
    return root


def main() -> None:
    """Run the command line."""
    try:
        with failures():
            try:
                app()
            finally:
                sys.stdout.flush()  # or a reader that has left is found once nobody can tell
    except typer.Exit as stopped:
        sys.exit(stopped.exit_code)
