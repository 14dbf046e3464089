"""``placet case …``."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter, ValidationError

from placet.cli import _named as named
from placet.cli._base import REFUSED, USAGE, fail, failures, operator_client, run, show
from placet.cli._identities import AsJson, Why
from placet.cli._lists import case, tell_trouble
from placet.cli._opening import OpensCase
from placet.cli._output import harmless
from placet.cli._processes import process_named, processes
from placet.cli._published import newest_matrix
from placet.client import OperatorClient
from placet.model import (
    ActAnswer,
    AdmitCase,
    CaseQuery,
    CaseStatus,
    CaseView,
    CheckpointStatus,
    Hold,
    Reason,
    RecordId,
    RunId,
    template_variables,
)
from placet.process import Attached, Process

__all__ = ["case", "held_words"]

_RUN: TypeAdapter[str] = TypeAdapter(RunId)
_EXTRA = {"allow_extra_args": True, "ignore_unknown_options": True}


@case.command("show")
def show_case(case_id: str, as_json: AsJson = False) -> None:
    """Show one case."""

    async def work() -> CaseView:
        async with operator_client() as client:
            return await client.case(named.case_id(case_id))

    with failures():
        found = run(work())
        show(found if as_json else _in_words(found), as_json=as_json)
        tell_trouble([found])


def _in_words(view: CaseView) -> dict[str, Any]:
    told = view.model_dump(mode="json", exclude_none=True)
    if view.standstill is not None:
        told["standstill"] = view.standstill.said()
    if view.held_on is not None:
        told["held_on"] = f"{view.held_on}; nothing guarded happens until that is lifted"
    return told


@case.command("open", cls=OpensCase, context_settings=_EXTRA)
def open_case(
    context: typer.Context,
    process: Annotated[str | None, typer.Option(help="The process.")] = None,
    as_json: AsJson = False,
) -> None:
    """Open a case of a process, whose own the other options are.

    One for each variable of its subject (`--shop S1 --refund 17`), and what its cases take along:
    `placet case open --process NAME --help` lists them.
    """
    with failures():
        if process is None:
            raise fail(f"give --process: one of {', '.join(sorted(processes()))}", USAGE)
        options = _options(context.args)
        found = process_named(process)
        names = template_variables(found.definition.subject)
        missing = [name for name in names if name not in options]
        if missing:
            raise fail(f"give --{' --'.join(missing)}: the subject of {process}", USAGE)
        subject = _subject(found, {name: options.pop(name) for name in names})
        attach = _attachments(found, options)

        async def work() -> ActAnswer:
            async with operator_client() as client:
                await _require_opener(client, process)
                cases = [each async for each in client.case_lines(CaseQuery(record=subject))]
                taken = [each for each in cases if each.subject == subject]
                if any(each.status is not CaseStatus.CLOSED for each in taken):
                    raise fail(f"{subject} has an open case already", REFUSED)
                absent = [name for name in found.attach if name not in options]
                if absent:
                    raise fail(f"give --{' --'.join(absent)}: what the case is about", USAGE)
                attach(subject)
                return await client.open_case(process, subject)

        show(run(work()), as_json=as_json)


@case.command("resubmit", context_settings=_EXTRA)
def resubmit_case(context: typer.Context, case_id: str, as_json: AsJson = False) -> None:
    """Answer a return: what is new is put into its system of record, and the case is told.

    The option is its process's own, and says what is new, such as `--documents DIR`.
    """
    with failures():
        options = _options(context.args)

        async def work() -> ActAnswer:
            async with operator_client() as client:
                view = await client.case(named.case_id(case_id))
                process = process_named(view.process)
                attach = _attachments(process, options, again=True)
                if len(options) != 1:
                    raise fail(f"give one of --{', --'.join(sorted(process.attach))}", USAGE)
                await _require_opener(client, view.process)
                await _require_returned(client, view)
                (attached,) = attach(view.subject)
                return await client.resubmit(case_id, attached.record, attached.version)

        show(run(work()), as_json=as_json)


# The authority decides all of this again. Asked beforehand, a refusal leaves nothing half-written:
# what is attached lies in a system of record before the authority is told.


async def _require_opener(client: OperatorClient, process: str) -> None:
    matrix = await newest_matrix(client, process)
    if matrix is None:
        raise fail(f"no authority matrix is published for {process}", REFUSED)
    openers = matrix.openers
    if not openers:
        raise fail(f"nobody may do this: the matrix of {process} names no openers", REFUSED)
    people = await client.identities("operator")
    roles = [
        role for each in people if each["principal"] == client.operator for role in each["roles"]
    ]
    if not set(openers) & set(roles):
        raise fail(f"this needs the role {' or '.join(openers)}", REFUSED)


async def _require_returned(client: OperatorClient, view: CaseView) -> None:
    if view.status is not CaseStatus.OPEN:
        raise fail(f"the case is {view.status.value}, not open", REFUSED)
    asked = await client.checkpoints(case=view.id)
    newest = max(asked, key=lambda each: each.opened_at, default=None)
    if newest is None:
        raise fail("nothing was returned: the case has no checkpoint yet", REFUSED)
    if newest.status is not CheckpointStatus.RETURNED:
        raise fail(
            f"nothing was returned: the {newest.name} checkpoint is {newest.status.value}", REFUSED
        )


def _subject(process: Process, variables: Mapping[str, str]) -> RecordId:
    for name, value in variables.items():
        named.record_part(value, f"--{name}: {value!r} is no part of a record's path")
    return process.definition.subject.format_map(variables)


def held_words(record: str) -> str:
    """That a hold on this record stops a case."""
    return f"on hold: {record}; nothing guarded happens until that is lifted"


def _attachments(
    process: Process, options: Mapping[str, str], *, again: bool = False
) -> Callable[[RecordId], list[Attached]]:
    """What the options attach to a subject, once it is asked for."""
    taking = process.attaching(again=again)
    for name in options:
        if name not in taking:
            raise fail(f"process {process.name} has no option --{name}", USAGE)

    def attach(subject: RecordId) -> list[Attached]:
        done: list[Attached] = []
        for name, value in options.items():
            try:
                done.append(taking[name](subject, Path(value)))
            except ValidationError:
                raise
            except ValueError as error:
                raise fail(f"--{name}: {error}", USAGE) from None
        return done

    return attach


def _options(arguments: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    rest = list(arguments)
    while rest:
        name = rest.pop(0)
        if not name.startswith("--") or not rest:
            raise fail(f"{name}: options are given as --name value", USAGE)
        if name[2:] in found:
            raise fail(f"{name} is given twice", USAGE)
        found[name[2:]] = rest.pop(0)
    return found


@case.command()
def hold(record: str, reason: Why, as_json: AsJson = False) -> None:
    """Put a signed hold on a record, such as shop/S1: it covers all below, too."""
    with failures():
        target = named.record(record)
    _act("hold.place", target, Hold(reason=reason), as_json=as_json)


@case.command()
def lift(record: str, reason: Why, as_json: AsJson = False) -> None:
    """Lift a hold."""
    with failures():
        target = named.record(record)
    _act("hold.lift", target, Reason(reason=reason), as_json=as_json)


@case.command()
def admit(
    case_id: str,
    reason: Why,
    run_id: Annotated[
        str | None, typer.Option("--run", help="The run that you looked at and let go on.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Let a stopped case go on, or a closed one be archived in spite of its alarm (administrators).

    --run: it goes on in this run of its workflow, which joins the case's chain.
    """

    async def work() -> tuple[CaseView, ActAnswer]:
        async with operator_client() as client:
            seen = await client.case(target)
            body = AdmitCase(reason=reason, run_id=run_id, trouble_digest=seen.trouble_digest)
            return seen, await client.act("case.admit", target, body)

    with failures():
        target = named.case_id(case_id)
        if run_id is not None:
            try:
                _RUN.validate_python(run_id)
            except ValidationError:
                raise fail(f"--run: {run_id!r} is no run id", USAGE) from None
        admitted, answer = run(work())
        for what in (admitted.stopped_for, admitted.alarm):
            if what is not None:
                typer.echo(f"placet: {target}: admitted: {harmless(what)}", err=True)
        show(answer, as_json=as_json)


@case.command()
def erase(case_id: str, reason: Why, as_json: AsJson = False) -> None:
    """Destroy what may go of a closed case: two administrators, not before its retention is over.

    Signed by one, it waits for another one's `placet act countersign`.
    """
    with failures():
        target = named.case_id(case_id)
    _act("case.erase", target, Reason(reason=reason), as_json=as_json)


@case.command()
def end(case_id: str, reason: Why, as_json: AsJson = False) -> None:
    """End a case that can't end by itself, so that its subject is free (administrators)."""
    with failures():
        target = named.case_id(case_id)
    _act("case.end", target, Reason(reason=reason), as_json=as_json)


def _act(act: str, target: str, body: Any, *, as_json: bool) -> None:
    async def work() -> ActAnswer:
        async with operator_client() as client:
            return await client.act(act, target, body)

    with failures():
        show(run(work()), as_json=as_json)
