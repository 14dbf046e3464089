"""The command tree: the engine's own commands, and those that installed packages bring."""

import functools
import sys
from importlib.metadata import entry_points
from typing import Annotated, Any

import typer

from placet.cli._audit import audit
from placet.cli._authority import authority
from placet.cli._base import failures
from placet.cli._cases import case
from placet.cli._codec import codec
from placet.cli._commands import Commands
from placet.cli._emergencies import emergency
from placet.cli._gateway import gateway
from placet.cli._identities import identity_commands
from placet.cli._joining import joining_commands
from placet.cli._ledger import ledger
from placet.cli._main import version_line
from placet.cli._mcp import mcp_command
from placet.cli._models import model
from placet.cli._notices import notice
from placet.cli._papers import checkpoint
from placet.cli._policy import policy
from placet.cli._proposals import act, governance
from placet.cli._registry import identity, vendor
from placet.cli._sign_in import sign_in, sign_out

app = typer.Typer(
    cls=Commands,
    help="Placet: regulated work, done by agents, decided by people, provable afterwards.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(authority, name="authority")
agents = identity_commands("agent", "Agents: identities that do steps.")
joining_commands(agents)
mcp_command(agents)
app.add_typer(agents, name="agent")
app.add_typer(identity_commands("operator", "Operators: people."), name="operator")
app.add_typer(identity_commands("system", "Systems of record."), name="system")
app.add_typer(identity, name="identity")
app.add_typer(vendor, name="vendor")
app.add_typer(case, name="case")
app.add_typer(act, name="act")
app.add_typer(governance, name="governance")
app.add_typer(model, name="model")
app.add_typer(notice, name="notice")
app.add_typer(emergency, name="emergency")
app.add_typer(checkpoint, name="checkpoint")
app.add_typer(policy, name="policy")
app.add_typer(audit, name="audit")
app.add_typer(ledger, name="ledger")


app.command("gateway")(gateway)
app.command("codec")(codec)
app.command("sign-in")(sign_in)
app.command("sign-out")(sign_out)


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
def _bring() -> None:
    for each in entry_points(group="placet.commands"):
        brought: Any = each.load()
        if isinstance(brought, typer.Typer):
            app.add_typer(brought, name=each.name)
        else:
            app.command(each.name)(brought)


def main() -> None:
    """Run the command line."""
    _bring()
    try:
        with failures():
            try:
                app()
            finally:
                sys.stdout.flush()  # or a reader that has left is found once nobody can tell
    except typer.Exit as stopped:
        sys.exit(stopped.exit_code)
