"""Where ``placet`` begins: an auditor's commands load no server, database or client (I9)."""

import gc
import platform
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib.metadata import distribution, entry_points, version

import typer

from placet.cli._commands import Commands
from placet.cli._output import AWAY, is_ours, lacking, offline_failures

_OFFLINE = tuple(
    ["audit", each] for each in ("verify", "replay", "flight", "witness", "witness-key")
)
"""Commands that a machine with ``placet[audit]`` alone can run."""

_COMMANDS = "placet.commands"
"""The entry points of packages that bring commands of their own."""


def main() -> None:
    """Run the command line."""
    if sys.argv[1:] == ["--version"]:
        print(version_line())
        return
    gc.disable()  # while it loads, which leaves no garbage; to look for some takes a tenth
    if sys.argv[1:3] in _OFFLINE:
        _audit_alone()
        return
    if sys.argv[1:2] == ["console"] and _brought_alone("console"):
        return
    try:
        whole = _authority() if sys.argv[1:2] == ["authority"] else _all()
    except ModuleNotFoundError as error:
        if is_ours(error):
            raise
        print(f"placet: {lacking(error)}", file=sys.stderr)
        sys.exit(AWAY)
    whole()


def version_line() -> str:
    """What a report of a fault should say of where it was seen."""
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    return f"placet {version('placet')}, Python {platform.python_version()}, {system}"


def _loaded() -> None:
    gc.freeze()
    gc.enable()


def _all() -> Callable[[], None]:
    # Loading all commands takes what an auditor's machine lacks.
    from placet.cli._app import main as whole  # noqa: PLC0415

    _loaded()
    return whole


def _authority() -> Callable[[], None]:
    """The authority's commands without all others: a server that fell is back the sooner."""
    from placet.cli._authority import authority  # noqa: PLC0415 - as in _all
    from placet.cli._base import failures  # noqa: PLC0415 - the same

    return lambda: _alone(authority, "authority", failures())


def _brought_alone(name: str) -> bool:
    """Run a command that an installed package brings, and load no other: it starts at once."""
    ours = distribution("placet").entry_points  # to look through all that is installed takes long
    found = list(ours.select(group=_COMMANDS, name=name))
    found = found or list(entry_points(group=_COMMANDS, name=name))
    if not found:
        return False
    app = typer.Typer(cls=Commands, add_completion=False, pretty_exceptions_enable=False)
    app.callback()(lambda: None)  # or the one command would have no name
    app.command(name)(found[0].load())
    _loaded()
    try:
        app()
    except typer.Exit as stopped:
        sys.exit(stopped.exit_code)
    return True


def _audit_alone() -> None:
    from placet.cli._audit import audit  # noqa: PLC0415 - it takes what only these commands need

    _alone(audit, "audit", offline_failures())


def _alone(commands: typer.Typer, name: str, guarded: AbstractContextManager[None]) -> None:
    app = typer.Typer(cls=Commands, add_completion=False, pretty_exceptions_enable=False)
    app.add_typer(commands, name=name)
    _loaded()
    try:
        with guarded:
            app()
    except typer.Exit as stopped:
        sys.exit(stopped.exit_code)
