"""``placet audit replay``: cases side by side, with a bar that says how far it is."""

from collections.abc import Callable, Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from placet.audit import LogFiles, Report, replay_many


def replay_cases(
    files: LogFiles,
    cases: Sequence[str],
    code: Callable[[str], type | None],
    *,
    sealed: bool,
    jobs: int | None,
    limit: float,
    terminal: Console,
) -> dict[str, Report]:
    """Replay cases; the reports in the order of the cases.

    ``terminal`` shows how far it is, if it is one.
    """
    found: dict[str, Report] = {}
    columns = (
        TextColumn("replaying"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[wrong]} do not hold"),
    )
    with Progress(*columns, console=terminal, transient=True) as progress:
        task = progress.add_task("", total=len(cases), wrong=0)
        for case, report in replay_many(
            files, cases, code, sealed=sealed, children=jobs, limit=limit
        ):
            found[case] = report
            wrong = sum(not each.holds for each in found.values())
            progress.update(task, advance=1, wrong=wrong)
    return {case: found[case] for case in cases}
