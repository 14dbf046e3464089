"""``placet audit …``: verify the log or a bundle, replay cases, tell a case's story, export it.

A bundle is verified and replayed with nothing but what ``placet[audit]`` brings: whatever speaks
with an authority is loaded where it is needed.
"""

import contextlib
import itertools
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from placet.audit import (
    MAX_BUNDLE_BYTES,
    Bundle,
    BundleError,
    Flight,
    LogFiles,
    Moment,
    Report,
    read_bundle,
    record_flight,
    replay,
    timeline,
    verify,
    verify_bundle,
    write_bundle,
)
from placet.cli._flight import print_flight
from placet.cli._output import (
    AWAY,
    REFUSED,
    USAGE,
    AsJson,
    console,
    fail,
    offline_failures,
    read_model,
    run,
    show,
)
from placet.cli._processes import processes
from placet.cli._witness import witness, witness_key
from placet.ledger import Entry, EntryError, EntryType, LedgerError, decode_entry
from placet.model import Model, Thumbprint, digest_bytes, digest_json

_CASE = re.compile(r"case-[0-9a-z]{26}")
audit = typer.Typer(help="What an auditor can prove.", no_args_is_help=True)
audit.command("witness")(witness)
audit.command("witness-key")(witness_key)
Trust = Annotated[
    Path | None,
    typer.Option(help="JSON of what you got elsewhere: log_key, administrators, heads."),
]


class Trusted(Model):
    """What an examiner got elsewhere: the log's key, administrators' thumbprints, kept heads."""

    log_key: str | None = None
    administrators: tuple[Thumbprint, ...] = ()
    heads: tuple[str, ...] = ()


@contextlib.contextmanager
def _online() -> Iterator[None]:
    """Failures of commands that speak with an authority."""
    from placet.cli._base import failures  # noqa: PLC0415 - it brings a client and a server

    with failures():
        yield


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


def _read_bundle(path: Path, trust: Path | None) -> Bundle:
    known = read_model(trust, Trusted).model_dump() if trust else None
    if not path.exists():
        raise fail(f"{path}: there is no such bundle", USAGE)
    with path.open("rb") as file:
        data = file.read(MAX_BUNDLE_BYTES + 1)
    try:
        return read_bundle(data, trust=known)
    except BundleError as error:
        raise fail(f"{path}: {error}", REFUSED) from None


@audit.command("verify")
def verify_(
    bundle: Annotated[
        Path | None, typer.Argument(help="A case's bundle; without it, the whole ledger.")
    ] = None,
    trust: Trust = None,
    as_json: AsJson = False,
) -> None:
    """Verify the whole ledger and every decision; or one case's BUNDLE, offline.

    Exit 0: everything holds, under a key you trust. 1: something does not. 3: it is consistent,
    but only with itself, since no --trust was given.
    """
    with offline_failures():
        if bundle is not None:
            report = verify_bundle(_read_bundle(bundle, trust))
        else:
            known = read_model(trust, Trusted).model_dump() if trust else None
            with _online():
                report = verify(run(_fetch(known)))
        print_report(report, as_json=as_json)
        _judge(report)


@audit.command("replay")
def replay_(
    case: Annotated[str | None, typer.Argument(help="A case's id, or a bundle's file.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every archived case.")] = False,
    trust: Trust = None,
    as_json: AsJson = False,
) -> None:
    """Replay archived cases and reconcile each step with the ledger, which is verified first.

    From a bundle nothing else is needed but the process's code, installed here. Exit codes are
    those of verify.
    """
    with offline_failures():
        if (case is None) == (not all_):
            raise fail("name a case, or say --all", USAGE)
        if case is not None and not _CASE.fullmatch(case):
            reports = run(_replay_bundle(_read_bundle(Path(case), trust)))
        else:
            with _online():
                reports = run(_replay(case, trust))
        if as_json:
            print(
                json.dumps({name: each.model_dump(mode="json") for name, each in reports.items()})
            )
        else:
            for name, report in reports.items():
                console().print(f"[bold]{escape(name)}[/bold]")
                print_report(report)
        _judge(*reports.values())


async def _replay(case: str | None, trust: Path | None) -> dict[str, Report]:
    known = read_model(trust, Trusted).model_dump() if trust else None
    files = await _fetch(known)
    wanted = [case] if case is not None else sorted(files.archives)
    reports = {"the ledger": verify(files)}
    return reports | {each: await replay_case(files, each) for each in wanted}


async def _replay_bundle(bundle: Bundle) -> dict[str, Report]:
    """Replay with the code installed here, which must be of the process that the case ran."""
    _require_process(bundle)
    return {
        "the bundle": verify_bundle(bundle),
        bundle.case: await replay_case(bundle.files, bundle.case),
    }


def _require_process(bundle: Bundle) -> None:
    name = process_of(bundle.files, bundle.case)
    try:
        found = processes().get(name)
    except ModuleNotFoundError as error:
        raise fail(f"the process {name!r} can't be loaded here: there is no {error.name}") from None
    if found is None:
        raise fail(f"the process {name!r} of case {bundle.case} is not installed here")
    ran = [
        opened.data.get("process_digest")
        for opened in _of_type(bundle.files, bundle.case, EntryType.CASE_OPENED)
    ]
    if ran != [digest_json(found.definition)]:
        raise fail(f"the process {name!r} is installed here in another version than the case ran")


def _judge(first: Report, *others: Report) -> None:
    """Exit as the reports say: 1 if something does not hold, 3 if nothing says whose log it is."""
    if not all(report.holds for report in (first, *others)):
        raise typer.Exit(REFUSED)
    if not first.trusted:
        raise typer.Exit(AWAY)


@audit.command("export")
def export(
    case: str,
    out: Annotated[
        Path | None, typer.Option(help="Where to write it; CASE.zip in this folder if not given.")
    ] = None,
    size: Annotated[
        int | None, typer.Option(min=1, help="Under the signed head of so many entries.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a case's evidence bundle: all that an examiner needs to check it offline.

    The same case at the same size gives the same bytes.
    """
    with _online():
        if not _CASE.fullmatch(case):
            raise fail(f"{case!r} is no case's id", USAGE)
        try:
            files = run(_fetch(None, case, size))
            data = write_bundle(files, case)
        except (BundleError, LedgerError) as error:
            raise fail(str(error), USAGE) from None
        path = out or Path(f"{case}.zip")
        _write(path, data)
        written = read_bundle(data).manifest
        show(
            {
                "file": str(path),
                "bytes": len(data),
                "digest": digest_bytes(data),
                "size": written.size,
            },
            as_json=as_json,
        )


def _write(path: Path, data: bytes) -> None:
    """Write a file as a whole, or not at all."""
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@audit.command("timeline")
def timeline_(case: str, as_json: AsJson = False) -> None:
    """Print the story of a case in order."""
    with _online():
        moments = list(timeline(run(_fetch(None)), case))
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
    replaying the case. Exit 1 if its history does not hold.
    """
    with offline_failures():
        if _CASE.fullmatch(case):
            with _online():
                flight = run(_record(run(_fetch(None)), case))
        else:
            bundle = _read_bundle(Path(case), None)
            _require_process(bundle)
            flight = run(_record(bundle.files, bundle.case))
        if event is not None and all(each.event != event for each in flight.frames):
            raise fail(f"the history has no event {event}", USAGE)
        if as_json:
            show(flight, as_json=True)
        else:
            print_flight(flight, event)
            print_report(flight.report)
        if not flight.report.holds:
            raise typer.Exit(REFUSED)


async def _record(files: LogFiles, case: str) -> Flight:
    return await record_flight(files, case, [code_of(files, case)])


async def replay_case(files: LogFiles, case: str) -> Report:
    """Replay a case with the workflow code of its process, as it is installed here."""
    return await replay(files, case, [code_of(files, case)])


def code_of(files: LogFiles, case: str) -> type:
    """The workflow code of a closed case's process, as it is installed here."""
    name = process_of(files, case)
    if not name:
        raise fail(f"the ledger has no case {case}", USAGE)
    if case not in files.archives and not any(_of_type(files, case, EntryType.CASE_CLOSED)):
        raise fail(f"case {case} is open: it is replayed once it has closed", USAGE)
    found = processes().get(name)
    if found is None:
        raise fail(f"the process {name!r} of case {case} is not installed here")
    return found.workflow


def process_of(files: LogFiles, case: str) -> str:
    """The process that a case was opened under, as the ledger says; empty if it does not."""
    return next(
        (str(each.data.get("process")) for each in _of_type(files, case, EntryType.CASE_OPENED)), ""
    )


def _of_type(files: LogFiles, case: str, kind: EntryType) -> Iterator[Entry]:
    for data in files.entries:
        try:
            entry = decode_entry(data)
        except EntryError:
            continue
        if entry.case == case and entry.type is kind:
            yield entry


def print_report(report: Report, *, as_json: bool = False) -> None:
    """Print what was checked and what did not hold."""
    if as_json:
        show(report, as_json=True)
        return
    out = console()
    for what, count in report.checked.items():
        out.print(f"  checked {count} {escape(what)}")
    for trouble in report.troubles:
        out.print(
            f"  [bold]DOES NOT HOLD[/bold] {escape(trouble.name)} at {escape(trouble.place)}: "
            f"{escape(trouble.found)}"
        )
    if report.holds:
        out.print("  everything that was checked holds")
    if report.holds and not report.trusted:
        out.print("  under the log's own key alone: give what you got elsewhere with --trust FILE")


def print_timeline(moments: Iterable[Moment]) -> None:
    """Print a case's story, a line for each moment."""
    lines = (f"{each.time}  {escape(each.actor):32} {escape(each.text)}" for each in moments)
    for line, group in itertools.groupby(lines):
        count = sum(1 for _ in group)
        console().print(f"{line} (x{count})" if count > 1 else line, soft_wrap=True)
