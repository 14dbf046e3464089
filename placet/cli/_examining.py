"""What an audit found, as it is printed: reports, a case's story, the population, frameworks."""

import itertools
import json
import textwrap
from collections.abc import Iterable, Mapping, Sequence

import typer
from rich.markup import escape

from placet.audit import (
    CaseLine,
    ControlCoverage,
    Coverage,
    Moment,
    Population,
    Report,
    spelled,
)
from placet.cli._output import AWAY, REFUSED, console, show
from placet.ledger import Entry
from placet.model import format_time, quantity

_OF_A_CASE = ("case", "subject", "status", "result", "opened", "opened_by", "process", "entry")


def print_population(found: Population, drawn: Sequence[CaseLine], *, sampled: bool) -> None:
    """Print the cases, and on what their being complete rests."""
    show([*drawn], as_json=False, columns=_OF_A_CASE)
    out = console()
    if sampled:
        out.print(f"  {len(drawn)} drawn of {quantity(len(found.cases), 'case')}")
    if found.complete:
        out.print(
            f"  these are all: of {quantity(found.size, 'entry', 'entries')} none is missing, and "
            f"they give the root of the signed head, {found.root}",
            soft_wrap=True,
        )


def print_coverage(found: Coverage) -> None:
    """Print a framework's report: what there is evidence for, and where there is none."""
    out = console()
    since = format_time(found.since) if found.since else "the beginning"
    until = format_time(found.until) if found.until else "now"
    out.print(f"[bold]{escape(found.name)}[/bold]: evidence held by {escape(found.origin)}")
    entries = quantity(found.entries, "entry", "entries")
    out.print(f"from {since} to {until}: {entries}. It is evidence for a control;")
    out.print("whether the control is met, this does not say.")
    for control in found.controls:
        out.print(f"\n[bold]{escape(control.id)}[/bold] {escape(control.title)}")
        _print_control(control)


def _print_control(control: ControlCoverage) -> None:
    out = console()
    for each in control.evidence:
        if each.entries:
            entries = quantity(each.entries, "entry", "entries")
            out.print(escape(f"  {entries} ({each.first} to {each.last}): {each.shows}"))
            out.print(escape("    " + ", ".join(f"{n} {t}" for t, n in each.types.items())))
        else:
            out.print(escape(f"  none in this period: {each.shows}"))
    if not control.evidence:
        out.print("  this ledger holds no evidence for it")
    if control.elsewhere:
        out.print(escape(f"  not on any ledger, to be shown otherwise: {control.elsewhere}"))


def coverage_csv(found: Coverage) -> list[list[str]]:
    """The report as rows, with an empty column for an institution's own control ids."""
    rows = [["control", "title", "evidence for it", "entries", "first", "last", "own control ids"]]
    for control in found.controls:
        for each in control.evidence:
            ends = ["" if at is None else str(at) for at in (each.first, each.last)]
            rows.append([control.id, control.title, each.shows, str(each.entries), *ends, ""])
        if control.elsewhere or not control.evidence:
            said = control.elsewhere or "nothing"
            rows.append([control.id, control.title, f"not on a ledger: {said}", "0", "", "", ""])
    return rows


def print_report(report: Report, *, as_json: bool = False, whose: bool = True) -> None:
    """Print what was checked, what did not hold, and, if asked, that nothing says whose it is."""
    if as_json:
        show(report, as_json=True)
        return
    out = console()
    for what, count in report.checked.items():
        out.print(f"  checked {escape(what)}: {count}")
    for each in report.unchecked:
        said = f"{escape(each.name)}: {escape(each.found)}"
        out.print(f"  [bold]not checked[/bold]: {said}", soft_wrap=True)
    for trouble in report.troubles:
        said = "NOT JUDGED" if trouble.is_fault else "DOES NOT HOLD"
        out.print(
            f"  [bold]{said}[/bold] {escape(trouble.name)} at {escape(trouble.place)}: "
            f"{escape(trouble.found)}",
            soft_wrap=True,
        )
    if report.holds:
        out.print("  everything that was checked holds")
    if whose and report.holds and not report.trusted:
        out.print(
            "  under the log's own key alone: give that key (log_key), or a head that you kept "
            "(heads), got elsewhere, with --trust FILE",
            soft_wrap=True,
        )


def print_entry(entry: Entry) -> None:
    """Print what an entry says, whole."""
    told = entry.model_dump(mode="json", exclude_none=True)
    text = spelled(json.dumps(told, indent=2, ensure_ascii=False), lines=True)
    console().print(escape(textwrap.indent(text, "  ")), soft_wrap=True)


def judge(first: Report, *others: Report, without: Mapping[str, bool] | None = None) -> None:
    """Exit as the reports say: 1 if something does not hold.

    3 if something was not judged, or could not be checked and is not done ``without``, or nothing
    says whose log it is.
    """
    reports = (first, *others)
    if any(report.refuted for report in reports):
        raise typer.Exit(REFUSED)
    held = all(report.holds for report in reports)
    unchecked = [each for each in first.unchecked if not (without or {}).get(each.name)]
    if not held or not first.trusted or unchecked:
        raise typer.Exit(AWAY)


def print_timeline(moments: Iterable[Moment]) -> None:
    """Print a case's story, a line for each moment."""
    lines = (f"{each.time}  {escape(each.actor):32} {escape(each.text)}" for each in moments)
    for line, group in itertools.groupby(lines):
        count = sum(1 for _ in group)
        console().print(f"{line} (x{count})" if count > 1 else line, soft_wrap=True)
