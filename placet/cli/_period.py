"""A period on the command line: from a time on, and before another."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from placet.cli._output import USAGE, fail
from placet.model import format_time

_DATES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]
Since = Annotated[
    datetime | None, typer.Option("--from", formats=_DATES, help="From then on (UTC).")
]
Until = Annotated[
    datetime | None,
    typer.Option("--to", formats=_DATES, help="Before then (UTC), which is not included."),
]


def period(
    since: datetime | None, until: datetime | None
) -> tuple[datetime | None, datetime | None]:
    """The two ends in UTC.

    Raises:
        CommandFailed: nothing could lie between them, and a report of nothing looks like one.
    """
    start, end = _utc(since), _utc(until)
    if start is not None and end is not None and start >= end:
        said = f"--from {format_time(start)} is not before --to {format_time(end)}"
        raise fail(f"{said}, which is not included", USAGE)
    return start, end


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)
