"""The command tree: the engine's own commands, and those that installed packages bring.

A command's code is loaded when the command is asked for, and all of it for the whole help alone.
"""

import functools
import gc
import json
import sys
from importlib.metadata import EntryPoint, distribution, entry_points
from typing import Annotated, Any

import typer
from typer.main import get_command, get_group

from placet.cli._base import USAGE, AsJson, fail, failures
from placet.cli._commands import Commands
from placet.cli._main import version_line, versions

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
    try:
        command = _command(found.name, found.load())
    except Exception as error:  # a package's own code, which may raise anything
        if found.dist is None or found.dist.name == "placet":
            raise  # ours, of which placet[audit] alone lacks some: `failures` says so
        return _broken(found, error)
    gc.freeze()
    gc.enable()
    return command


def _command(name: str, brought: Any) -> Any:
    if isinstance(brought, typer.Typer):
        group = get_group(brought)
        group.name = name
        return group
    if not callable(brought):
        raise TypeError(
            f"it is neither a typer.Typer nor a function, but a {type(brought).__name__}"
        )
    alone = typer.Typer(add_completion=False)
    alone.command(name)(brought)
    return get_command(alone)


def _broken(found: EntryPoint, error: Exception) -> Any:
    """What stands in the help for a package's command that can't be loaded, and says why."""
    from placet.cli._brought import unloadable  # noqa: PLC0415 - dear, and needed for this alone

    why = unloadable("command", found, error)
    alone = typer.Typer(add_completion=False)

    @alone.command(
        found.name,
        help=why[0].upper() + why[1:],
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )
    def told(_context: typer.Context) -> None:
        raise fail(why, USAGE)

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
def version(as_json: AsJson = False) -> None:
    """Print the version."""
    print(json.dumps(versions()) if as_json else version_line())


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
