"""Where ``placet`` begins: an auditor's commands load no server, database or client (I9)."""

import gc
import platform
import sys
from importlib.metadata import version

import typer

from placet.cli._commands import Commands
from placet.cli._output import AWAY, is_ours, lacking, offline_failures

_OFFLINE = tuple(
    ["audit", each] for each in ("verify", "replay", "flight", "prove", "witness", "witness-key")
)
"""Commands that a machine with ``placet[audit]`` alone can run."""


def main() -> None:
    """Run the command line."""
    if sys.argv[1:] == ["--version"]:
        print(version_line())
        return
    gc.disable()  # while it loads, which leaves no garbage; to look for some takes a tenth
    if sys.argv[1:3] in _OFFLINE:
        _audit_alone()
        return
    try:
        # What loads a client is not on an auditor's machine.
        from placet.cli._app import main as whole  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if is_ours(error):
            raise
        print(f"placet: {lacking(error)}", file=sys.stderr)
        sys.exit(AWAY)
    whole()


def versions() -> dict[str, str]:
    """What a report of a fault should say of where it was seen."""
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    return {"placet": version("placet"), "python": platform.python_version(), "system": system}


def version_line() -> str:
    """The same in one line."""
    told = versions()
    return f"placet {told['placet']}, Python {told['python']}, {told['system']}"


def _audit_alone() -> None:
    from placet.cli._audit import audit  # noqa: PLC0415 - it takes what only these commands need

    app = typer.Typer(cls=Commands, add_completion=False, pretty_exceptions_enable=False)
    app.add_typer(audit, name="audit")
    gc.freeze()
    gc.enable()
    try:
        with offline_failures():
            app()
    except typer.Exit as stopped:
        sys.exit(stopped.exit_code)
