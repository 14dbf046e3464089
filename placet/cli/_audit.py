"""``placet audit …``: verify the log or a bundle, replay cases, tell a case's story, export it.

A bundle is verified and replayed with nothing but what ``placet[audit]`` brings: whatever speaks
with an authority is loaded where it is needed.
"""

import contextlib
import csv
import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from placet.audit import (
    CASE_LIMIT,
    HEADS,
    MAX_BUNDLE_BYTES,
    REPORT,
    Bundle,
    BundleError,
    Framework,
    LogFiles,
    Report,
    coverage,
    log_proof,
    population,
    read_bundle,
    sample,
    timeline,
    verify,
    verify_bundle,
    verify_log_proof,
    write_bundle,
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
from placet.cli._flight import print_flight
from placet.cli._output import (
    REFUSED,
    USAGE,
    AsJson,
    console,
    fail,
    new_file,
    offline_failures,
    read_bytes,
    run,
    show,
    write_bytes,
)
from placet.cli._period import Since, Until, period
from placet.cli._replaying import replay_cases
from placet.cli._trust import Trust, read_trust
from placet.cli._witness import witness, witness_key
from placet.ledger import LOG_PROOF, EntryError, LedgerError, LogProof
from placet.model import digest_bytes

_SHOWN = 10
"""Of more cases than that, those alone are shown that do not hold."""
_CASE = re.compile(r"case-[0-9a-z]{26}")
audit = typer.Typer(help="What an auditor can prove.", no_args_is_help=True)
audit.command("witness")(witness)
audit.command("witness-key")(witness_key)
WithoutReport = Annotated[
    bool,
    typer.Option("--without-report", help="Do without report.html: another version wrote it."),
]
WithoutHeads = Annotated[
    bool,
    typer.Option("--without-heads", help="Do without heads.json: bundles of before have none."),
]


@contextlib.contextmanager
def _online() -> Iterator[None]:
    """Failures of commands that speak with an authority."""
    from placet.cli._base import failures  # noqa: PLC0415 - it brings a client and a server

    with failures():
        yield


async def _fetch_ledger(trusted: dict[str, Any] | None) -> LogFiles:
    """The log's entries and head, without what they refer to."""
    from placet.cli._base import operator_client  # noqa: PLC0415 - it brings a client
    from placet.cli._fetch import fetch_ledger  # noqa: PLC0415 - the same

    async with operator_client() as client:
        with console().status("fetching the log"):
            return await fetch_ledger(client, trusted)


async def _fetch(
    trusted: dict[str, Any] | None, case: str | None = None, size: int | None = None
) -> LogFiles:
    from placet.cli._base import operator_client  # noqa: PLC0415 - it brings a client
    from placet.cli._fetch import fetch_case, fetch_log  # noqa: PLC0415 - the same

    async with operator_client() as client:
        with console().status("fetching the log"):
            if case is not None:
                return await fetch_case(client, case, size)
            return await fetch_log(client, trust=trusted)


async def _fetch_proof(index: int, size: int | None) -> LogProof:
    from placet.cli._base import operator_client  # noqa: PLC0415 - it brings a client
    from placet.cli._fetch import fetch_log_proof  # noqa: PLC0415 - the same

    async with operator_client() as client:
        return await fetch_log_proof(client, index, size)


async def _fetch_story(case: str) -> LogFiles:
    from placet.cli._base import operator_client  # noqa: PLC0415 - it brings a client
    from placet.cli._fetch import fetch_story  # noqa: PLC0415 - the same

    async with operator_client() as client:
        with console().status("fetching the case"):
            return await fetch_story(client, case)


def _read_bundle(path: Path, trust: Path | None, data: bytes | None = None) -> Bundle:
    known = read_trust(trust)
    try:
        return read_bundle(data or read_bytes(path, MAX_BUNDLE_BYTES + 1, "a bundle"), trust=known)
    except BundleError as error:
        raise fail(f"{path}: {error}", REFUSED) from None


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
                report = verify_bundle(_read_bundle(bundle, trust, data))
        else:
            known = read_trust(trust)
            with _online():
                report = verify(run(_fetch(known)))
        print_report(report, as_json=as_json)
        if entry is not None and not as_json:
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

    From a bundle nothing else is needed but the process's code, installed here. Each case runs in a
    process of its own, which is ended at its limit. Exit codes are those of verify.
    """
    with offline_failures():
        if (case is None) == (not all_):
            raise fail("name a case, or say --all", USAGE)
        if case is not None and not _CASE.fullmatch(case):
            bundle = _read_bundle(Path(case), trust)
            files, cases = bundle.files, [bundle.case]
            reports = {"the bundle": verify_bundle(bundle)}
        else:
            with _online():
                known = read_trust(trust)
                files = run(_fetch(known))
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
        if not many or not report.holds or not _CASE.fullmatch(name):
            console().print(f"[bold]{escape(name)}[/bold]")
            print_report(report)
    if many:
        held = sum(each.holds for name, each in reports.items() if _CASE.fullmatch(name))
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
    with _online():
        if (sample_ is None) != (word is None):
            raise fail("a sample needs both --sample and --word", USAGE)
        start, end = period(since, until)
        known = read_trust(trust)
        found = population(run(_fetch_ledger(known)), start, end)
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
    with _online():
        start, end = period(since, until)
        try:
            found = coverage(run(_fetch_ledger(None)), framework, start, end)
        except EntryError as error:
            raise fail(str(error), REFUSED) from None
        if as_json:
            show(found, as_json=True)
        elif csv_:
            csv.writer(sys.stdout).writerows(coverage_csv(found))
        else:
            print_coverage(found)


@audit.command("export")
def export(
    case: str,
    out: Annotated[
        Path | None,
        typer.Option(help="A file or a folder to write it to; CASE.zip in this one if not given."),
    ] = None,
    size: Annotated[
        int | None, typer.Option(min=1, help="Under the signed head of so many entries.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a case's evidence bundle: all that an examiner needs to check it offline.

    The same case at the same size gives the same bytes. Another file is never written over.
    """
    with _online():
        if not _CASE.fullmatch(case):
            raise fail(f"{case!r} is no case's id", USAGE)
        new_file(out or Path(), f"{case}.zip")  # before anything is fetched
        try:
            files = run(_fetch(None, case, size))
            data = write_bundle(files, case)
        except (BundleError, LedgerError) as error:
            raise fail(str(error), USAGE) from None
        written = _write_new(out, f"{case}.zip", data)
        show(written | {"size": read_bundle(data).manifest.size}, as_json=as_json)


def _write_new(out: Path | None, name: str, data: bytes) -> dict[str, str | int]:
    """Write a file that is not there yet, or is the very same; what is to be told of it.

    Raises:
        CommandFailed: another file is there.
    """
    path = new_file(out or Path(), name)
    if path.exists() and path.read_bytes() != data:
        raise fail(f"{path}: is there already, and is another; nothing was written", USAGE)
    write_bytes(path, data)
    return {"file": str(path), "bytes": len(data), "digest": digest_bytes(data)}


@audit.command("prove")
def prove_(
    entry: Annotated[int, typer.Argument(min=0, help="An entry's index; the log's first is 0.")],
    bundle: Annotated[
        Path | None, typer.Option(help="Take it from this case's bundle, offline.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="A file or a folder; entry-N.tlog-proof in this one if not given."),
    ] = None,
    size: Annotated[
        int | None, typer.Option(min=1, help="Under the signed head of so many entries.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write one entry's proof, with the entry in it, as a C2SP tlog-proof.

    Whoever has the log's key verifies it: with placet audit verify, or any tool of that format.
    Another file is never written over.
    """
    with offline_failures():
        try:
            if bundle is None:
                with _online():
                    proof = run(_fetch_proof(entry, size))
            elif size is None:
                proof = log_proof(_read_bundle(bundle, None).files, entry)
            else:
                raise fail("a bundle has one head: leave --size away", USAGE)
        except LedgerError as error:
            raise fail(str(error), USAGE) from None
        written = _write_new(out, f"entry-{entry}.tlog-proof", proof.text.encode())
        show(written | {"size": proof.head().size}, as_json=as_json)


@audit.command("timeline")
def timeline_(case: str, as_json: AsJson = False) -> None:
    """Print the story of a case in order."""
    with _online():
        if not _CASE.fullmatch(case):
            raise fail(f"{case!r} is no case's id", USAGE)
        moments = list(timeline(run(_fetch_story(case)), case))
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
            if _CASE.fullmatch(case):
                with _online():
                    flight = run(record_case(run(_fetch(None, case)), case))
            else:
                bundle = _read_bundle(Path(case), None)
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
