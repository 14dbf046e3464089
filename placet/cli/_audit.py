"""``placet audit …``: verify the log or a bundle, replay cases, tell a case's story, export it.

A bundle is verified and replayed with nothing but what ``placet[audit]`` brings: whatever speaks
with an authority is loaded where it is needed.
"""

import csv
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from placet.audit import (
    CASE_LIMIT,
    HEADS,
    MAX_BUNDLE_BYTES,
    REPORT,
    Framework,
    Report,
    coverage,
    population,
    sample,
    timeline,
    verify,
    verify_bundle,
    verify_log_proof,
)
from placet.cli._audited import (
    CASE,
    bundle_of,
    fetch,
    fetch_ledger,
    fetch_story,
    online,
    read_case_bundle,
    require_case,
)
from placet.cli._codes import codes_of, record_case
from placet.cli._examining import (
    coverage_csv,
    judge,
    print_coverage,
    print_entry,
    print_population,
    print_report,
    print_timeline,
)
from placet.cli._exporting import export, prove
from placet.cli._flight import print_flight
from placet.cli._output import (
    REFUSED,
    USAGE,
    AsJson,
    console,
    fail,
    offline_failures,
    read_bytes,
    run,
    show,
)
from placet.cli._period import Since, Until, period
from placet.cli._replaying import replay_cases
from placet.cli._trust import Trust, read_trust
from placet.cli._witness import witness, witness_key
from placet.ledger import LOG_PROOF, EntryError, LedgerError

_SHOWN = 10
"""Of more cases than that, those alone are shown that do not hold."""
audit = typer.Typer(help="What an auditor can prove.", no_args_is_help=True)
audit.command("witness")(witness)
audit.command("witness-key")(witness_key)
audit.command("export")(export)
audit.command("prove")(prove)
WithoutReport = Annotated[
    bool,
    typer.Option("--without-report", help="Do without report.html: another version wrote it."),
]
WithoutHeads = Annotated[
    bool,
    typer.Option("--without-heads", help="Do without heads.json: bundles of before have none."),
]


def _text(path: Path, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise fail(f"{path}: a proof is UTF-8, and this is none", REFUSED) from None


@audit.command("verify")
def verify_(
    bundle: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            help="A case's bundle or an entry's proof, or - for a pipe; else the whole ledger.",
        ),
    ] = None,
    trust: Trust = None,
    without_report: WithoutReport = False,
    without_heads: WithoutHeads = False,
    as_json: AsJson = False,
) -> None:
    """Verify the whole ledger and every decision; or one case's bundle, or one entry's proof.

    A FILE is verified offline.

    Exit 0: everything holds, under a key you trust. 1: something does not. 3: something was not
    judged, or it is consistent with itself only, since no --trust was given.
    """
    with offline_failures():
        entry = None
        if bundle is not None:
            data = read_bytes(bundle, MAX_BUNDLE_BYTES + 1, "a bundle or a proof")
            if data.startswith(LOG_PROOF.encode()):
                report, entry = verify_log_proof(_text(bundle, data), read_trust(trust))
            else:
                report = verify_bundle(bundle_of(bundle, data, trust))
        else:
            known = read_trust(trust)
            with online():
                report = verify(run(fetch(known)))
        if as_json and entry is not None:
            told = report.model_dump(mode="json")
            show(told | {"entry": entry.model_dump(mode="json", exclude_none=True)}, as_json=True)
        else:
            print_report(report, as_json=as_json)
            if entry is not None:
                print_entry(entry)
        judge(report, without={REPORT: without_report, HEADS: without_heads})


@audit.command("replay")
def replay_(
    case: Annotated[str | None, typer.Argument(help="A case's id, or a bundle's file.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every archived case.")] = False,
    trust: Trust = None,
    without_seal: Annotated[
        bool,
        typer.Option(
            "--without-seal", help="By signatures, grants and what is computed again alone."
        ),
    ] = False,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="So many cases at once; else one a processor.")
    ] = None,
    limit: Annotated[
        float, typer.Option(min=1, help="Seconds for one case; then it is ended, and said so.")
    ] = CASE_LIMIT,
    without_report: WithoutReport = False,
    without_heads: WithoutHeads = False,
    as_json: AsJson = False,
) -> None:
    """Replay archived cases and reconcile each step with the ledger, which is verified first.

    From a bundle nothing else is needed but the process's code, installed here; of an erased case
    not even that. Each case runs in a process of its own, which is ended at its limit. Exit codes
    are those of verify.
    """
    with offline_failures():
        if (case is None) == (not all_):
            raise fail("name a case, or say --all", USAGE)
        if case is not None and not CASE.fullmatch(case):
            bundle = read_case_bundle(Path(case), trust)
            files, cases = bundle.files, [bundle.case]
            reports = {"the bundle": verify_bundle(bundle)}
        else:
            with online():
                known = read_trust(trust)
                files = run(fetch(known))
            cases = [case] if case is not None else sorted(files.archives)
            reports = {"the ledger": verify(files)}
        reports |= replay_cases(
            files,
            cases,
            codes_of(files, cases),
            sealed=not without_seal,
            jobs=jobs,
            limit=limit,
            terminal=Console(stderr=True),
        )
        if as_json:
            print(
                json.dumps({name: each.model_dump(mode="json") for name, each in reports.items()})
            )
        else:
            _print_reports(reports)
        judge(*reports.values(), without={REPORT: without_report, HEADS: without_heads})


def _print_reports(reports: Mapping[str, Report]) -> None:
    """Print each report; of many cases, those alone that do not hold."""
    many = len(reports) > _SHOWN
    for name, report in reports.items():
        if not many or not report.holds or not CASE.fullmatch(name):
            console().print(f"[bold]{escape(name)}[/bold]")
            print_report(report)
    if many:
        held = sum(each.holds for name, each in reports.items() if CASE.fullmatch(name))
        console().print(f"{held} of {len(reports) - 1} cases hold")


@audit.command("list")
def list_(
    since: Since = None,
    until: Until = None,
    sample_: Annotated[
        int | None, typer.Option("--sample", min=1, help="Draw so many; needs --word.")
    ] = None,
    word: Annotated[
        str | None, typer.Option(help="Chooses the sample; take one that nobody could foresee.")
    ] = None,
    trust: Trust = None,
    as_json: AsJson = False,
) -> None:
    """List every case that was opened in a period, and prove that none was left out.

    The whole log is read against its signed head. Exit codes are those of verify.
    """
    with online():
        if (sample_ is None) != (word is None):
            raise fail("a sample needs both --sample and --word", USAGE)
        start, end = period(since, until)
        known = read_trust(trust)
        found = population(run(fetch_ledger(known)), start, end)
        drawn = found.cases if sample_ is None else sample(found.cases, sample_, word or "")
        if as_json:
            show(found.model_copy(update={"cases": tuple(drawn)}), as_json=True)
        else:
            print_population(found, drawn, sampled=sample_ is not None)
            print_report(found.report)
        judge(found.report)


@audit.command("report")
def report_(
    framework: Annotated[Framework, typer.Option(help="Whose controls.")],
    since: Since = None,
    until: Until = None,
    csv_: Annotated[
        bool, typer.Option("--csv", help="As a table, with a column for your own control ids.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say, control by control, what evidence this ledger holds for a period, and where none.

    It is evidence for a control: whether the control is met, it does not say.
    """
    with online():
        start, end = period(since, until)
        try:
            found = coverage(run(fetch_ledger(None)), framework, start, end)
        except EntryError as error:
            raise fail(str(error), REFUSED) from None
        if as_json:
            show(found, as_json=True)
        elif csv_:
            csv.writer(sys.stdout).writerows(coverage_csv(found))
        else:
            print_coverage(found)


@audit.command("timeline")
def timeline_(case: str, as_json: AsJson = False) -> None:
    """Print the story of a case in order."""
    with online():
        require_case(case)
        moments = list(timeline(run(fetch_story(case)), case, words=True))
        if not moments:
            raise fail(f"the ledger has no case {case}", USAGE)
        if as_json:
            show([*moments], as_json=True)
        else:
            print_timeline(moments)


@audit.command("flight")
def flight_(
    case: Annotated[str, typer.Argument(help="A closed case's id, or a bundle's file.")],
    event: Annotated[
        int | None, typer.Option(min=1, help="This event alone, with the whole state after it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the workflow's states, event by event, with what caused each and what stood behind it.

    That is the grants with their policies, the agents' words and people's decisions. It is made by
    replaying the case. Exit 1 if its history does not hold, or the bundle that it is in.
    """
    with offline_failures():
        holds = True
        try:
            if CASE.fullmatch(case):
                with online():
                    flight = run(record_case(run(fetch(None, case)), case))
            else:
                bundle = read_case_bundle(Path(case), None)
                holds = verify_bundle(bundle).holds
                flight = run(record_case(bundle.files, bundle.case))
        except LedgerError as error:
            raise fail(f"{case}: {error}; placet audit verify says more", REFUSED) from None
        if event is not None and all(each.event != event for each in flight.frames):
            raise fail(f"the history has no event {event}", USAGE)
        if as_json:
            show(flight, as_json=True)
        else:
            print_flight(flight, event)
            print_report(flight.report, whose=False)  # that is what verify and replay judge
        if not holds:
            raise fail(f"{case}: the bundle does not hold: placet audit verify says why", REFUSED)
        if not flight.report.holds:
            raise typer.Exit(REFUSED)
