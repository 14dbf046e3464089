"""``placet lender``: the systems of record as processes, and their tables."""

from typing import Annotated

import typer

from lender._revisions import REVISIONS
from lender._service import Failure
from lender.serve import LenderSettings
from lender.serve import serve as serve_systems
from placet.cli import USAGE, fail, failures, load_settings, run, show
from placet.telemetry import TelemetrySettings, telling

lender = typer.Typer(help="The reference systems of record.", no_args_is_help=True)


@lender.command("serve")
def serve() -> None:
    """Serve loan servicing, document storage and the compliance database until stopped."""
    with failures():
        telemetry = load_settings(TelemetrySettings)
        try:
            with telling("placet-lender", telemetry):
                run(serve_systems(load_settings(LenderSettings), telemetry))
        except Failure as error:
            raise fail(error.problem.error_description) from None


@lender.command("migrate")
def migrate(
    to: Annotated[
        str | None, typer.Option(help="A revision, to go down to before older code is started.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Bring the systems' tables to this program's revision, as each start of theirs does.

    Stop every process of the systems first to go down.
    """
    with failures():
        settings = load_settings(LenderSettings)
        if to is not None and to not in REVISIONS:
            raise fail(f"there is no revision {to[:40]}: name one of {', '.join(REVISIONS)}", USAGE)
        try:
            rows = [_migrated(settings, system, to) for system in settings.systems]
        except Failure as error:
            raise fail(error.problem.error_description) from None
        show(rows, as_json=as_json, columns=("system", "before", "after"))


def _migrated(settings: LenderSettings, system: str, to: str | None) -> dict[str, str | None]:
    if to is None:  # with all that a start does besides
        with settings.database(system) as database:
            done = database.migrated
    else:
        done = settings.migrate(system, to)
    return {"system": system, "before": done.before, "after": done.after}
